"""People who cannot reach each other call through the stack: with what their homeserver tells them, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from config.homeservers import HomeserverName
from tests.e2e.deployed import Deployed, brought_up, has_conduit
from tests.e2e.deployment import Deployment
from tests.e2e.expected import EXPECTED

PORT = 22478
PEER = 22490
FIRST: HomeserverName = "dendrite"


def address_of_this_machine() -> str:
    """Return where this machine is reached from containers."""
    client = docker.from_env()
    try:
        # The gateway, which a Docker engine that was never restarted does not tell.
        (network,) = client.networks.get("bridge").attrs["IPAM"]["Config"]
        return str(next(ip_network(network["Subnet"]).hosts()))
    finally:
        client.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    deployment = Deployment(
        stack="calls-test",
        folder=tmp_path_factory.mktemp("calls"),
        ports=(22080, 22443, 22448),
        settings={
            "homeserver": FIRST,
            "imageSource": "packages",
            "subnet": "10.89.88.0/24",
            "turn": "true",
            "turnPort": str(PORT),
            "turnPorts": "22480-22485",
            "turnPrivateRanges": f"{address_of_this_machine()}/32",
        },
    )
    deployment.prepare()
    with brought_up(FIRST, deployment) as running:
        yield running


@contextmanager
def program(stack: Deployed, *command: str) -> Iterator[Container]:
    """Run a program of coturn's on this machine."""
    image = str(stack.deployment.container("coturn").attrs["Image"])
    container = stack.deployment.client.containers.run(
        image, list(command[1:]), entrypoint=[command[0]], network_mode="host", user="1000", detach=True
    )
    try:
        yield container
    finally:
        container.remove(force=True)


def call(stack: Deployed, username: str, password: str) -> str:
    """Send six packets through a relay and back; return what the client says of it."""
    address = address_of_this_machine()
    with (
        program(stack, "turnutils_peer", "-L", address, "-p", str(PEER)),
        program(
            stack,
            *("timeout", "30", "turnutils_uclient", "-p", str(PORT), "-e", address, "-r", str(PEER)),
            *("-m", "1", "-n", "6", "-c", "-u", username, "-w", password, "127.0.0.1"),
        ) as client,
    ):
        client.wait(timeout=60)
        return str(client.logs().decode())


def told(stack: Deployed) -> dict[str, Any]:
    """Return what the homeserver tells a user of the TURN server."""
    account = stack.new_account()
    answer = stack.matrix.ask("GET", "/_matrix/client/v3/voip/turnServer", token=account.access_token)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_users_of_every_homeserver_get_a_relay_and_nobody_else(stack: Deployed) -> None:
    names: list[HomeserverName] = [FIRST, "synapse"]
    if has_conduit():
        names.append("conduit")
    for name in names:
        if name != stack.homeserver:
            stack.deployment.configure("homeserver", name)
            stack.deployment.make("up")
        found = told(replace(stack, homeserver=name, expected=EXPECTED[name]))
        assert found["uris"] == [f"turn:localhost:{PORT}?transport={each}" for each in ("udp", "tcp")], name
        assert found["ttl"] == 12 * 3600, name
        assert "tot_recv_msgs=6" in call(stack, found["username"], found["password"]), name
    assert "tot_recv_msgs=6" not in call(stack, found["username"], "another password")
    stack.deployment.pulumi("preview", "--expect-no-changes", "--refresh")
