"""What Prometheus and the exporters are told; tests/services runs them with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from components.services.blackbox_exporter.render import render_config
from components.services.cadvisor.render import CONTAINER_ID
from components.services.node_exporter.render import render_command as node_command
from components.services.prometheus.render import PrometheusConfig, render_command, render_files
from config.probes import probes
from config.scraping import Probe, ScrapeJob
from tests.samples import settings

AT = {"edge": "nginx:8443", "federation": "nginx:8448", "homeserver": "10.89.64.3:8008"}


def config(**changed: Any) -> PrometheusConfig:  # noqa: ANN401
    values: dict[str, Any] = {
        "port": 9090,
        "url": "http://127.0.0.1:9090",
        "stack": "local",
        "jobs": [ScrapeJob(name="node", address="node-exporter:9100")],
        "probes": probes(settings(), **AT),
        "blackbox": "blackbox-exporter:9115",
        "alertmanager": "",
        "rules": "groups: []\n",
        "days": 7,
        "size": 256,
    }
    return PrometheusConfig(**{**values, **changed})


def prometheus(**changed: Any) -> Any:  # noqa: ANN401 (YAML)
    return yaml.safe_load(render_files(config(**changed))["prometheus.yml"])


def test_every_job_is_scraped_under_its_name() -> None:
    jobs = {job["job_name"]: job for job in prometheus()["scrape_configs"]}
    assert set(jobs) == {"node", "blackbox"}
    assert jobs["node"]["static_configs"] == [{"targets": ["node-exporter:9100"]}]


@pytest.mark.parametrize("kept", [f"/docker/{'0a' * 32}", f"/system.slice/docker-{'0a' * 32}.scope"])
def test_of_control_groups_only_those_of_containers_are_kept(kept: str) -> None:
    (job, _) = prometheus(jobs=[ScrapeJob(name="cadvisor", address="cadvisor:8080", ids=CONTAINER_ID)])[
        "scrape_configs"
    ]
    (rule,) = job["metric_relabel_configs"]
    assert (rule["action"], rule["source_labels"]) == ("keep", ["id"])
    assert re.fullmatch(rule["regex"], kept)
    inner = [f"{kept}/init.scope", f"{kept}/docker/{'0b' * 32}"]
    for other in ("", "/", "/docker/buildkit/3ytrab5nj5s48a1ugwxuqibnd", *inner):
        assert not re.fullmatch(rule["regex"], other)


def test_alerts_go_to_alertmanager_where_there_is_one() -> None:
    assert "alerting" not in prometheus()
    (manager,) = prometheus(alertmanager="alertmanager:9093")["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_the_rules_are_a_file_of_their_own() -> None:
    assert prometheus()["rule_files"] == ["/config/rules.yml"]
    assert render_files(config(rules="groups: [x]\n"))["rules.yml"] == "groups: [x]\n"


def test_what_is_kept_is_limited_by_time_and_by_size() -> None:
    command = render_command(config(days=30, size=4096), "/config", "/data")
    assert "--storage.tsdb.retention.time=30d" in command
    assert "--storage.tsdb.retention.size=4096MB" in command


def test_each_probe_asks_with_a_module_of_its_own() -> None:
    asked = probes(settings(), **AT)
    modules = yaml.safe_load(render_config(asked, "/config/ca.pem"))["modules"]
    assert set(modules) == {probe.name for probe in asked}
    (blackbox,) = [job for job in prometheus()["scrape_configs"] if job["job_name"] == "blackbox"]
    assert [group["labels"]["probe"] for group in blackbox["static_configs"]] == [probe.name for probe in asked]


def test_a_certificate_of_a_ca_for_trials_is_not_checked() -> None:
    asked = probes(settings(serverName="example.com", matrixHost="matrix.example.com"), **AT)
    found = [each["http"].get("tls_config") for each in yaml.safe_load(render_config(asked, ""))["modules"].values()]
    assert {"server_name": "matrix.example.com", "insecure_skip_verify": True} in found


def test_the_edge_is_asked_as_clients_ask_with_the_certificate_checked() -> None:
    asked = probes(settings(serverName="example.com", matrixHost="matrix.example.com"), **AT)
    modules = yaml.safe_load(render_config(asked, "/config/ca.pem"))["modules"]
    for probe in asked:
        http = modules[probe.name]["http"]
        assert "insecure_skip_verify" not in str(http)
        if probe.name == "matrix_client_internal":
            assert "tls_config" not in http
            continue
        assert http["tls_config"] == {"server_name": "matrix.example.com", "ca_file": "/config/ca.pem"}
        assert http["headers"] == {"Host": "matrix.example.com"}
        assert http["fail_if_not_ssl"] is True
        # One certificate is one instance, and so one alert.
        assert probe.instance == "matrix.example.com"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("matrix_client", '{"versions":["v1.11"]}', '{"errcode":"M_UNKNOWN"}'),
        ("matrix_federation_key", '{"server_name": "example.com","x":1}', '{"server_name":"exampleXcom"}'),
        ("matrix_well_known", '{"m.homeserver":{"base_url":"https://matrix.example.com"}}', "{}"),
        ("matrix_well_known_server", '{"m.server":"matrix.example.com:443"}', '{"m.server":"elsewhere:443"}'),
        ("matrix_federation", '{"server":{"name":"Synapse"}}', "{}"),
    ],
)
def test_a_probe_looks_at_the_answer(name: str, good: str, bad: str) -> None:
    (probe,) = [each for each in probes(settings(serverName="example.com", matrixHost="matrix.example.com"), **AT)
                if each.name == name]  # fmt: skip
    assert re.search(probe.body, good)
    assert not re.search(probe.body, bad)


def test_federation_is_not_asked_for_where_it_is_off() -> None:
    names = {probe.name for probe in probes(settings(federation="false"), **AT)}
    assert names == {"matrix_client", "matrix_client_internal", "matrix_well_known"}


def test_a_document_that_is_not_served_is_not_asked_for() -> None:
    names = {probe.name for probe in probes(settings(discovery="srv"), **AT)}
    assert "matrix_federation" in names
    assert "matrix_well_known_server" not in names


def test_a_pattern_survives_yaml() -> None:
    probe = Probe(name="x", instance="x", url="http://x", body=r'"a":\s*"b\.c"')
    (module,) = yaml.safe_load(render_config([probe], ""))["modules"].values()
    assert module["http"]["fail_if_body_not_matches_regexp"] == [probe.body]


@pytest.mark.parametrize("path", ["/", "/proc", "/dev/shm", "/etc/hosts", "/f", "/fsx", "/sys/fs", "/probe"])  # noqa: S108
def test_the_node_exporter_leaves_out_what_is_not_watched(path: str) -> None:
    assert re.search(_excluded(), path)


@pytest.mark.parametrize("path", ["/fs/data", "/fs/system"])
def test_the_node_exporter_tells_what_is_watched(path: str) -> None:
    assert not re.search(_excluded(), path)


def _excluded() -> str:
    (found,) = [each for each in node_command(9100, "/textfiles") if "mount-points-exclude" in each]
    return found.partition("=")[2]
