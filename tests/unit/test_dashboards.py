"""`make dashboards`: what it prints, and the tunnel it opens."""

from __future__ import annotations

import pytest

from config.outputs import plain_outputs
from ops.dashboards import about_grafana, about_password, addresses, forwarding, show
from tests.samples import cloud_settings, settings
from toolchain.steps import StepFailed


def test_the_addresses_are_those_of_the_outputs(capsys: pytest.CaptureFixture[str]) -> None:
    show(addresses(plain_outputs(settings(monitoring="lite", prometheusPort="9099")), "local"))
    assert "http://127.0.0.1:9099" in capsys.readouterr().out


def test_a_stack_that_is_not_monitored_says_how_to_change_that() -> None:
    with pytest.raises(StepFailed, match="pulumi config set monitoring lite --stack other"):
        addresses(plain_outputs(settings("other", monitoring="off")), "other")
    with pytest.raises(StepFailed):
        addresses({}, "before-the-first-up")


def test_the_tunnel_leads_from_loopback_to_loopback() -> None:
    options = forwarding({"prometheus": 9090})
    assert options[-2:] == ["-L", "127.0.0.1:9090:127.0.0.1:9090"]
    assert "ExitOnForwardFailure=yes" in options


def test_how_to_log_in_is_told_without_the_password() -> None:
    told = about_grafana(plain_outputs(cloud_settings(monitoring="full")), "cloud")
    assert "admin" in told
    assert told.endswith("pulumi config get grafanaAdminPassword --stack cloud")


def test_a_stack_without_grafana_says_why() -> None:
    built = settings(tier="2C4G", monitoring="full", imageSource="packages")
    assert addresses(plain_outputs(built), "local") == {"prometheus": "http://127.0.0.1:9090"}
    assert "imageSource" in about_grafana(plain_outputs(built), "local")
    assert "monitoring: full" in about_grafana(plain_outputs(settings(monitoring="lite")), "local")


def test_over_https_the_addresses_are_nginx_and_the_password_is_asked_for_there() -> None:
    outputs = plain_outputs(cloud_settings(monitoring="full", dashboards="https"))
    pages = addresses(outputs, "cloud")
    assert pages == {
        "grafana": "https://matrix.example.com/_dashboards/grafana",
        "prometheus": "https://matrix.example.com/_dashboards/prometheus",
    }
    (told,) = about_password(pages, "cloud")
    assert told.endswith("pulumi config get dashboardsPassword --stack cloud")
    assert about_password(addresses(plain_outputs(cloud_settings(monitoring="full")), "cloud"), "cloud") == []


def test_the_outputs_name_the_command() -> None:
    output = plain_outputs(cloud_settings(monitoring="full"))["monitoring"]
    assert output == {
        "level": "full",
        "ports": {"grafana": 3000, "prometheus": 9090},
        "urls": {"grafana": "http://127.0.0.1:3000", "prometheus": "http://127.0.0.1:9090"},
        "open": "make dashboards STACK=cloud",
    }
    assert "make dashboards STACK=cloud" in plain_outputs(cloud_settings(monitoring="lite"))["nextSteps"]
    assert "make dashboards" not in plain_outputs(settings(monitoring="off"))["nextSteps"]
