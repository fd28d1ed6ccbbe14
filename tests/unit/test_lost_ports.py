"""Ports that the Docker engine holds for nobody, and whose it is to get them back."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from components.container import LABEL_STACK
from ops import lost_ports
from tests.samples import settings
from toolchain import docker_engine
from toolchain.steps import StepFailed

ADDRESS = f"unix://{docker_engine.DEFAULT_SOCKET}"
PORT = 31443


def engine_with(owner: str, port: int, *, declared: str | None = None, shown: bool = True) -> Any:  # noqa: ANN401 (a Docker client, as far as it is asked)
    def at(text: str) -> dict[str, Any]:
        return {"8443/tcp": [{"HostIp": "127.0.0.1", "HostPort": text}], "8080/tcp": None}

    declaration = {"PortBindings": at(str(port) if declared is None else declared)}
    container = mock.Mock(labels={LABEL_STACK: owner}, attrs={"HostConfig": declaration})
    container.ports = at(str(port)) if shown else None
    container.name = "of-somebody"
    return mock.Mock(**{"containers.list.return_value": [container]})


def free(client: Any, held: list[set[int]], address: str = ADDRESS) -> int:  # noqa: ANN401
    """Return how often the Docker engine was restarted."""
    with (
        mock.patch.object(lost_ports, "_forwarded", side_effect=held),
        mock.patch.object(lost_ports, "_A_START_SECONDS", 0),
        mock.patch("os.geteuid", return_value=0),
        mock.patch.object(docker_engine, "restart_engine") as restart,
    ):
        lost_ports.free(client, "local", settings(httpsPort=str(PORT)), address)
    return int(restart.call_count)


def test_ports_that_a_running_container_has_or_nobody_are_left_alone() -> None:
    assert free(engine_with("local", PORT), [{PORT}]) == 0
    assert free(engine_with("local", 1), [{2}]) == 0


def test_a_container_that_dies_again_and_again_shows_no_ports_and_has_them() -> None:
    assert free(engine_with("local", PORT, shown=False), [{PORT}]) == 0


@pytest.mark.parametrize("anywhere", ["", "31440-31450"])
def test_a_container_whose_ports_the_engine_chose_has_them(anywhere: str) -> None:
    assert free(engine_with("other", PORT, declared=anywhere), [{PORT}]) == 0


def test_a_container_that_is_just_being_started_is_waited_for() -> None:
    assert free(engine_with("local", 1), [{PORT}, set()]) == 0


def test_the_engine_is_restarted_where_only_this_stack_is_on_it() -> None:
    assert free(engine_with("local", 1), [{PORT}, {PORT}, set()]) == 1


@pytest.mark.parametrize(("owner", "address"), [("other", ADDRESS), ("local", "unix:///run/user/1000/docker.sock")])
def test_otherwise_it_is_told_with_the_command(owner: str, address: str) -> None:
    with pytest.raises(StepFailed, match=f"holds {PORT} for a container that is gone") as failure:
        free(engine_with(owner, 1), [{PORT}, {PORT}], address)
    assert "systemctl restart docker" in failure.value.remedy
    assert ("of-somebody" in failure.value.remedy) is (owner == "other")


def test_a_restart_that_did_not_help_is_told() -> None:
    with pytest.raises(StepFailed, match="container that is gone"):
        free(engine_with("local", 1), [{PORT}, {PORT}, {PORT}])


@pytest.mark.parametrize(("inside", "seen"), [((), True), (("unshare", "--net"), False)])
def test_forwarders_are_those_of_this_machine_not_of_a_docker_engine_inside_a_container(
    inside: Sequence[str], *, seen: bool
) -> None:
    # A program of that name which only waits.
    waits = [*inside, "bash", "-c", f'exec -a docker-proxy "$0" -c "input()" -host-port {PORT}', sys.executable]
    with subprocess.Popen(waits, stdin=subprocess.PIPE) as forwarder:
        try:
            deadline = time.monotonic() + 30
            line = Path(f"/proc/{forwarder.pid}/cmdline")
            while not line.read_bytes().startswith(b"docker-proxy"):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert (PORT in lost_ports._forwarded()) is seen
        finally:
            forwarder.kill()
