"""Prometheus, node exporter and blackbox exporter with what we render: each is asked, and answers about the others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from components.services.blackbox_exporter import component as blackbox_component
from components.services.blackbox_exporter.render import render_config
from components.services.node_exporter import component as node_component
from components.services.node_exporter.render import render_command as node_command
from components.services.prometheus import component as prometheus_component
from components.services.prometheus.render import PrometheusConfig, render_command, render_files
from config.catalogue import ImageName
from config.scraping import PROMETHEUS_ALIAS, PROMETHEUS_PORT, Probe, ScrapeJob
from tests.services.conftest import Bench, execute

RULES = """
groups:
  - name: test
    rules:
      - alert: ItIsDown
        expr: up{job="redis"} == 0
"""
TEXTFILE = "matrix_canary_success 1\n"


def metrics(asker: Container, address: str) -> str:
    """Ask over HTTP from inside a container that has busybox."""
    code, output = execute(asker, "busybox", "wget", "-q", "-O", "-", f"http://{address}")
    assert code == 0, output
    return output


def until(check: Callable[[], Any], container: Container, seconds: float = 60) -> Any:  # noqa: ANN401
    """Wait until the check returns something true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := check():
                return found
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, container.logs(tail=20).decode()
        time.sleep(0.5)


def start(bench: Bench, network: Network, name: ImageName, alias: str, command: list[str], **options: Any) -> Container:  # noqa: ANN401
    """Start a service under the name by which the others know it."""
    container = bench.container(name, command, network_mode="none", **options)
    bench.client.api.disconnect_container_from_network(str(container.id), "none")
    network.connect(container, aliases=[alias])
    return container


@pytest.fixture(scope="module")
def node(bench: Bench, network: Network) -> Container:
    data, textfiles = bench.volume({}, 0), bench.volume({"canary.prom": TEXTFILE}, node_component.USER)
    port = node_component.PORT
    return start(
        bench,
        network,
        "node-exporter",
        node_component.ALIAS,
        [*node_command(port, "/textfiles")],
        entrypoint=["node_exporter"],
        user=f"{node_component.USER}:{node_component.USER}",
        mem_limit="24m",
        volumes={
            data.name: {"bind": "/fs/data", "mode": "ro"},
            textfiles.name: {"bind": "/textfiles", "mode": "ro"},
            node_component.SYSTEM_FILE: {"bind": "/fs/system", "mode": "ro"},
        },
    )


@pytest.fixture(scope="module")
def upstream(bench: Bench, network: Network) -> Container:
    script = (Path(__file__).parent / "upstream.py").read_text(encoding="utf-8")
    return start(bench, network, "synapse", "homeserver", ["python3", "-c", script])


PROBES = (
    Probe(name="matrix_client", instance="homeserver", url="http://homeserver:8008/_matrix", body='"versions"'),
    Probe(name="wrong_body", instance="homeserver", url="http://homeserver:8008/_matrix", body="no such words"),
    Probe(name="no_tls", instance="homeserver", url="https://homeserver:8008/", body="", host="localhost"),
)


@pytest.fixture(scope="module")
def blackbox(bench: Bench, network: Network, upstream: Container, self_signed: tuple[str, str]) -> Container:
    assert upstream
    user = blackbox_component.USER
    volume = bench.volume({"blackbox.yml": render_config(PROBES, "/config/ca.pem"), "ca.pem": self_signed[0]}, user)
    return start(
        bench,
        network,
        "blackbox-exporter",
        blackbox_component.ALIAS,
        ["--config.file=/config/blackbox.yml", f"--web.listen-address=:{blackbox_component.PORT}"],
        entrypoint=["blackbox_exporter"],
        user=f"{user}:{user}",
        mem_limit="24m",
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
    )


@pytest.fixture(scope="module")
def prometheus(bench: Bench, network: Network, node: Container, blackbox: Container) -> Container:
    assert node
    assert blackbox
    user, port = prometheus_component.USER, PROMETHEUS_PORT
    config = PrometheusConfig(
        port=port,
        url="http://127.0.0.1:9090",
        stack="test",
        jobs=[
            ScrapeJob(name="prometheus", address=f"{PROMETHEUS_ALIAS}:{port}"),
            ScrapeJob(name="node", address=f"{node_component.ALIAS}:{node_component.PORT}"),
            ScrapeJob(name="redis", address="nobody:1"),
        ],
        probes=PROBES,
        blackbox=f"{blackbox_component.ALIAS}:{blackbox_component.PORT}",
        alertmanager="",
        rules=RULES,
        days=1,
        size=64,
    )
    volume = bench.volume(render_files(config), user)
    return start(
        bench,
        network,
        "prometheus",
        PROMETHEUS_ALIAS,
        [*render_command(config, "/config", "/tmp")],  # noqa: S108 (in the container)
        entrypoint=["prometheus"],
        user=f"{user}:{user}",
        mem_limit="96m",
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
    )


def query(asker: Container, expression: str) -> list[dict[str, Any]]:
    address = f"{PROMETHEUS_ALIAS}:{PROMETHEUS_PORT}/api/v1/query?query={quote(expression)}"
    result: list[dict[str, Any]] = json.loads(metrics(asker, address))["data"]["result"]
    return result


def test_the_node_exporter_tells_of_the_machine_and_of_what_is_watched(node: Container, asker: Container) -> None:
    text = until(lambda: metrics(asker, f"{node_component.ALIAS}:{node_component.PORT}/metrics"), node)
    for name in ("node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_vmstat_oom_kill", "node_load1"):
        assert f"\n{name}" in text, name
    places = {line.partition('mountpoint="')[2].partition('"')[0] for line in text.splitlines() if "_avail_b" in line}
    assert places - {""} == {"/fs/data", "/fs/system"}
    assert TEXTFILE in text
    assert "node_scrape_collector_success" in text
    failed = [
        line for line in text.splitlines() if line.startswith("node_scrape_collector_success{") and line[-1] == "0"
    ]
    assert not [line for line in failed if "pressure" not in line], "an older kernel has no pressure, but all the rest"


@pytest.mark.parametrize(("probe", "expected"), [("matrix_client", "1"), ("wrong_body", "0"), ("no_tls", "0")])
def test_a_probe_succeeds_only_with_what_it_expects(
    prometheus: Container, asker: Container, probe: str, expected: str
) -> None:
    (sample,) = until(lambda: query(asker, f'probe_success{{probe="{probe}"}}'), prometheus)
    assert sample["value"][1] == expected
    assert sample["metric"]["instance"] == "homeserver"
    assert sample["metric"]["job"] == "blackbox"


def test_prometheus_scrapes_each_job_and_says_which_is_down(prometheus: Container, asker: Container) -> None:
    def settled() -> dict[str, str]:
        found = {each["metric"]["job"]: each["value"][1] for each in query(asker, "up")}
        return found if len(found) == 4 else {}

    assert until(settled, prometheus) == {"prometheus": "1", "node": "1", "blackbox": "1", "redis": "0"}


def test_the_rules_are_evaluated(prometheus: Container, asker: Container) -> None:
    (alert,) = until(lambda: query(asker, 'ALERTS{alertstate="firing"}'), prometheus)
    assert alert["metric"]["alertname"] == "ItIsDown"


def test_promtool_and_prometheus_find_nothing_wrong(prometheus: Container) -> None:
    code, output = execute(prometheus, "promtool", "check", "config", "/config/prometheus.yml")
    assert code == 0, output
    assert "1 rules found" in output
    assert "level=error" not in prometheus.logs().decode()
