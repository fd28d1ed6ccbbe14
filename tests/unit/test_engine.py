"""What is asked of a Docker engine before anything is created."""

from __future__ import annotations

import socket
from typing import Any
from unittest import mock

import pytest

from ops import engine
from tests.samples import settings
from toolchain.steps import StepFailed


def docker_engine(**answers: Any) -> Any:  # noqa: ANN401 (a Docker client, as far as it is asked)
    return mock.Mock(**answers)


def test_a_machine_with_too_few_processors_is_told_before_anything_is_created() -> None:
    client = docker_engine(**{"info.return_value": {"NCPU": 2, "DockerRootDir": "/var/lib/docker"}})
    engine.check_machine(client, settings(tier="2C4G"))
    with pytest.raises(
        StepFailed, match="tier 4C8G gives a container up to 4 processors; this machine has 2"
    ) as failure:
        engine.check_machine(client, settings(tier="4C8G"))
    assert "pulumi config set tier" in failure.value.remedy


def test_a_folder_of_the_docker_engine_that_the_monitoring_would_not_find_is_told() -> None:
    client = docker_engine(**{"info.return_value": {"NCPU": 2, "DockerRootDir": "/data/docker"}})
    engine.check_machine(client, settings(tier="2C4G"))
    with pytest.raises(StepFailed, match="/data/docker") as failure:
        engine.check_machine(client, settings(tier="2C4G", monitoring="full"))
    assert "pulumi config set dockerRoot /data/docker" in failure.value.remedy
    engine.check_machine(client, settings(tier="2C4G", monitoring="full", dockerRoot="/data/docker"))


def test_a_port_of_prometheus_that_is_taken_is_told_where_it_runs() -> None:
    client = docker_engine(**{"containers.list.return_value": []})
    free = {"httpPort": "31080", "httpsPort": "31443", "federationPort": "31448"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        engine.check_ports(client, settings(**free, prometheusPort=port))
        with pytest.raises(StepFailed, match=rf"127\.0\.0\.1:{port} \(prometheusPort\)"):
            engine.check_ports(client, settings(**free, prometheusPort=port, monitoring="lite"))


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ({"Running": True, "Status": "running", "Health": {"Status": "starting"}}, "starting"),
        ({"Running": True, "Status": "running"}, "running"),
        ({"Running": False, "Status": "exited", "Health": {"Status": "healthy"}}, "exited"),
    ],
)
def test_a_stopped_container_is_not_healthy_whatever_its_last_check_said(state: dict[str, Any], seen: str) -> None:
    assert engine.health(mock.Mock(attrs={"State": state})) == seen


def test_a_container_without_one_of_its_networks_is_not_healthy_whatever_its_check_says() -> None:
    state = {"Running": True, "Status": "running", "Health": {"Status": "healthy"}}
    networks = {"edge": {"EndpointID": "e1"}, "backend": {"EndpointID": ""}}
    attrs = {"State": state, "NetworkSettings": {"Networks": networks}}
    assert engine.health(mock.Mock(attrs=attrs)) == "cut off from backend"
    networks["backend"]["EndpointID"] = "e2"
    assert engine.health(mock.Mock(attrs=attrs)) == "healthy"


def test_an_address_that_is_not_this_machines_is_named() -> None:
    client = docker_engine(**{"containers.list.return_value": []})
    with pytest.raises(StepFailed, match=r"203\.0\.113\.9 \(bindAddress\) is no address of this machine"):
        engine.check_ports(client, settings(bindAddress="203.0.113.9"))
    # The gateway of the stack's own network is not there before the network.
    engine.check_ports(client, settings(bindAddress="10.89.64.1", subnet="10.89.64.0/24"))
