"""Where the commands find a stack's Docker engine: in the state, else in the settings."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ops import docker_host
from ops.docker_host import DockerHost
from ops.stack import ENGINE_TYPE, INSTANCE_TYPE, Stack
from tests.samples import cloud_settings, settings
from toolchain.steps import StepFailed

SEALED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps("the key")}
ENGINE = {
    "type": ENGINE_TYPE,
    "outputs": {
        "host": "ssh://matrix@203.0.113.9:22",
        "address": "203.0.113.9",
        "user": "matrix",
        "port": 22,
        "hostKey": "ssh-ed25519 AAAA",
        "privateKey": SEALED,
    },
}
LOCAL_ENGINE = {"type": ENGINE_TYPE, "outputs": {"host": "unix:///var/run/docker.sock"}}
INSTANCE = {"type": INSTANCE_TYPE, "id": "i-1"}
ADDRESS = {"type": "alicloud:ecs/eipAssociation:EipAssociation", "id": "eip-1:i-1"}
DISK = {"type": "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment", "id": "d-1:i-1"}
RULE = {"type": "alicloud:ecs/securityGroupRule:SecurityGroupRule", "id": "sg-1:ingress"}
NETWORK = {"type": "alicloud:vpc/network:Network", "id": "vpc-1"}
HOST = DockerHost(address="203.0.113.9", user="matrix", port=22, host_key="ssh-ed25519 AAAA", private_key="the key")

State = Callable[..., Stack]


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> State:
    """Return a function that gives a stack with these resources in its state, and such outputs and settings."""

    def make(*resources: dict[str, Any], deployed: str = "", cloud: bool = True) -> Stack:
        def ask(_: Stack, *arguments: str) -> str:
            if arguments[:2] == ("stack", "output"):
                return json.dumps({"dockerHost": deployed} if deployed else {})
            assert arguments == ("stack", "export", "--show-secrets")
            return json.dumps({"deployment": {"resources": list(resources)}})

        monkeypatch.setattr(Stack, "ask", ask)
        monkeypatch.setattr(Stack, "settings", lambda _: cloud_settings() if cloud else settings())
        return Stack("dev")

    @contextlib.contextmanager
    def reached(host: DockerHost, seconds: float) -> Iterator[str]:
        yield f"tunnel to {host.address} within {seconds:g} s"

    monkeypatch.setattr(docker_host, "reached", reached)
    return make


def test_a_host_is_found_in_the_state_with_its_key(state: State) -> None:
    stack = state(NETWORK, INSTANCE, ADDRESS, DISK, RULE, ENGINE)
    assert stack.remote_host() == HOST
    with stack.docker_engine(wait=7) as address:
        assert address == "tunnel to 203.0.113.9 within 7 s"


def test_before_the_first_deployment_there_is_no_host_to_ask(state: State) -> None:
    with state().docker_engine() as address:
        assert address is None


@pytest.mark.parametrize(
    "there", [(RULE,), (INSTANCE, ADDRESS, RULE), (INSTANCE, DISK, RULE), (INSTANCE, ADDRESS, DISK)]
)
def test_a_host_that_is_not_whole_is_not_waited_for(state: State, there: tuple[dict[str, str], ...]) -> None:
    # Keys and address stay in the state; a run that is to make what is missing must not wait for the host first.
    stack = state(NETWORK, *there, ENGINE, deployed="ssh://matrix@203.0.113.9:22")
    assert stack.remote_host() is None
    with stack.docker_engine() as address:
        assert address is None


def test_a_local_stack_has_the_engine_it_was_deployed_to_else_that_of_the_settings(state: State) -> None:
    with state(LOCAL_ENGINE, deployed="unix:///elsewhere.sock", cloud=False).docker_engine() as address:
        assert address == "unix:///elsewhere.sock"
    other = settings(dockerHost="unix:///other.sock")
    with state(LOCAL_ENGINE, deployed="unix:///elsewhere.sock").docker_engine(other) as address:
        assert address == "unix:///other.sock", "that is where it is about to be deployed"
    with state(cloud=False).docker_engine() as address:
        assert address == settings().docker_host


def test_a_command_that_needs_the_engine_says_that_there_is_no_host(state: State) -> None:
    with pytest.raises(StepFailed, match="it has no host") as failed, state().docker_client():
        pass
    assert failed.value.remedy == "make up STACK=dev"
