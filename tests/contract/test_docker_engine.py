"""The Docker engine of a stack whose host is another machine, as the program declares it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ops import docker_host
from tests.recording import Recording, Registration, is_sealed, record
from tests.samples import ALIYUN, LOCAL, SECRETS

COMPONENT = "matrix:index:DockerEngine"


@pytest.fixture(scope="module")
def recording() -> Recording:
    return record(ALIYUN, SECRETS, stack="cloud")


def provider(recording: Recording) -> Registration:
    (found,) = recording.of_type("pulumi:providers:docker")
    return found


def options(recording: Recording) -> list[str]:
    # Inputs of a provider are JSON texts on the wire.
    sent = provider(recording).inputs["sshOpts"]
    found: list[str] = json.loads(sent) if isinstance(sent, str) else sent
    return found


def outputs(recording: Recording) -> dict[str, Any]:
    (urn,) = [each.urn for each in recording.of_type(COMPONENT)]
    (found,) = recording.component_outputs[urn]
    return dict(found)


def test_the_engine_is_waited_for_on_creation_and_when_the_host_is_booted_anew(recording: Recording) -> None:
    assert provider(recording).hooks == {
        "before_create": ["docker-engine-answers"],
        "before_update": ["docker-engine-answers"],
    }


def test_the_options_pin_the_host_key_and_change_with_the_instance(recording: Recording) -> None:
    (instance,) = recording.of_type("alicloud:ecs/instance:Instance")
    host_key = outputs(recording)["hostKey"]
    incarnation = f"{instance.name}-id/{instance.inputs['instanceType']}"
    assert options(recording) == docker_host.ssh_options(host_key, incarnation)


def test_no_secret_and_no_path_of_a_machine_is_among_the_provider_s_inputs(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(dict(provider(recording).inputs))
    assert "PRIVATE KEY" not in text
    monkeypatch.setenv("HOME", "/home/another")
    monkeypatch.setenv(docker_host.KEYS_VARIABLE, "/another/place")
    assert provider(record(ALIYUN, SECRETS, stack="cloud")).inputs == provider(recording).inputs


def test_the_state_tells_commands_how_to_get_in_and_seals_the_key(recording: Recording) -> None:
    found = outputs(recording)
    assert {*found} == {"host", "address", "user", "port", "hostKey", "privateKey"}
    assert is_sealed(found["privateKey"])
    assert found["host"] == f"ssh://{found['user']}@{found['address']}:{found['port']:.0f}"
    assert provider(recording).inputs["host"] == found["host"]


def test_the_engine_of_this_machine_is_not_waited_for() -> None:
    recording = record(LOCAL, SECRETS)
    assert provider(recording).hooks == {}
    assert {*outputs(recording)} == {"host"}
