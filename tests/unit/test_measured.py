"""What `make status` says of what Prometheus has measured."""

from __future__ import annotations

import json

import pytest

from ops import measured
from ops.check import Check
from tests.samples import settings

NOW = 1_800_000_000.0
FULL = {"monitoring": "full", "tier": "2C4G", "homeserver": "synapse"}
WATCHDOG = ("ALERTS", {"alertname": "Watchdog", "alertstate": "firing", "severity": "none"}, 1.0)
WELL: list[tuple[str, dict[str, str], float]] = [
    ("up", {"job": "node"}, 1),
    ("up", {"job": "blackbox", "probe": "matrix_client"}, 1),
    ("up", {"job": "blackbox", "probe": "matrix_well_known"}, 1),
    WATCHDOG,
    ("ALERTS", {"alertname": "RedisDown", "alertstate": "pending", "severity": "critical"}, 1),
    ("matrix_canary_success", {}, 1),
    ("matrix_canary_timestamp_seconds", {}, NOW - 42),
    ("node_filesystem_size_bytes", {"mountpoint": "/fs/data"}, 40 * 2**30),
    ("node_filesystem_avail_bytes", {"mountpoint": "/fs/data"}, 20 * 2**30),
    ("node_filesystem_size_bytes", {"mountpoint": "/fs/system"}, 20 * 2**30),
    ("node_filesystem_avail_bytes", {"mountpoint": "/fs/system"}, 5 * 2**30),
]


def told(*more: tuple[str, dict[str, str], float], without: str = "", **keys: str) -> dict[str, Check]:
    """Return the checks by name; of a series that is given again, the last value counts."""
    series = {
        (name, json.dumps(labels)): value
        for name, labels, value in [*WELL, *more]
        if without not in {f"{name}{labels}", name}
    }
    answer = {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {"metric": {"__name__": name, **json.loads(labels)}, "value": [NOW, str(value)]}
                for (name, labels), value in series.items()
            ],
        },
    }
    checks = measured.checks(measured.parse(json.dumps(answer)), settings(**{**FULL, **keys}))
    assert all(check.works or check.remedy for check in checks)
    return {check.what: check for check in checks}


def test_when_all_is_well_it_is_four_lines() -> None:
    found = told()
    assert {what: check.seen for what, check in found.items()} == {
        "measured": "2 parts answer",
        "alerts": "none fires",
        "disk": "data 50% free (20.0 GiB), system 25% free (5.0 GiB)",
        "writes": "a message was read back 42 s ago",
    }
    assert all(check.works for check in found.values())


def test_a_part_that_does_not_answer_is_named_with_its_container() -> None:
    found = told(("up", {"job": "nginx"}, 0))["measured"]
    assert (found.state, found.seen) == ("fail", "nginx: no answer")
    assert "docker logs matrix-local-mtail;" in found.remedy
    assert "matrix-local-synapse" in told(("up", {"job": "homeserver"}, 0))["measured"].remedy


def test_an_alert_is_told_with_what_to_do_and_critical_ones_are_failures_and_first() -> None:
    found = told(
        ("ALERTS", {"alertname": "DiskSpaceLow", "alertstate": "firing", "severity": "warning"}, 1),
        (
            "ALERTS",
            {"alertname": "ContainerUnhealthy", "alertstate": "firing", "severity": "critical", "name": "x-redis"},
            1,
        ),
        (
            "ALERTS",
            {"alertname": "ContainerUnhealthy", "alertstate": "firing", "severity": "critical", "name": "x-nginx"},
            1,
        ),
    )
    assert "alerts" not in found
    assert [what for what, check in found.items() if check.kind == "alert"] == ["ContainerUnhealthy", "DiskSpaceLow"]
    assert found["ContainerUnhealthy"].state == "fail"
    assert found["ContainerUnhealthy"].seen.endswith("(x-nginx, x-redis)")
    assert "`docker logs`" in found["ContainerUnhealthy"].remedy
    assert found["DiskSpaceLow"].state == "warn"


def test_rules_that_nobody_evaluates_are_not_called_quiet() -> None:
    found = told(without=f"ALERTS{WATCHDOG[1]}")["alerts"]
    assert (found.works, found.seen) == (False, "the rules have not been evaluated yet")


@pytest.mark.parametrize(
    ("more", "percent", "what", "state"),
    [
        (("node_filesystem_avail_bytes", {"mountpoint": "/fs/data"}, 5 * 2**30), "15", "disk", "warn"),
        (("node_filesystem_avail_bytes", {"mountpoint": "/fs/data"}, 7 * 2**30), "15", "disk", "ok"),
        (("node_filesystem_avail_bytes", {"mountpoint": "/fs/data"}, 7 * 2**30), "20", "disk", "warn"),
        (("matrix_canary_success", {}, 0), "15", "writes", "fail"),
        (("matrix_canary_timestamp_seconds", {}, NOW - 901), "15", "writes", "fail"),
    ],
)
def test_thresholds_are_those_of_the_alerts(
    more: tuple[str, dict[str, str], float], percent: str, what: str, state: str
) -> None:
    assert told(more, alertDiskPercent=percent)[what].state == state


@pytest.mark.parametrize(
    ("series", "what"),
    [
        ("up", "measured"),
        ("node_filesystem_avail_bytes", "disk"),
        ("matrix_canary_timestamp_seconds", "writes"),
    ],
)
def test_what_is_not_measured_is_not_called_well(series: str, what: str) -> None:
    assert not told(without=series)[what].works


def test_nobody_writes_in_a_lite_monitoring() -> None:
    assert "writes" not in told(monitoring="lite", tier="1C1G")


def test_a_prometheus_that_does_not_answer_is_one_line() -> None:
    (check,) = measured.checks(None, settings(**FULL))
    assert check.state == "fail"
    assert check.remedy.startswith("docker logs matrix-local-prometheus; make up")


@pytest.mark.parametrize("answer", ["", "<html>", "{}", '{"data": {"result": [{}]}}', "[]"])
def test_another_answer_than_of_prometheus_is_none(answer: str) -> None:
    with pytest.raises(ValueError, match=r"no answer of Prometheus|Expecting value"):
        measured.parse(answer)
