"""Every resource of every kind of stack passes the real plugins' checks, without a Docker engine.

Mocks take any property; the plugins refuse unknown ones and values that do not match their patterns.
"""

from __future__ import annotations

import pytest

from ops.plugin import Plugin, PluginError
from tests.contract.test_program import STACKS
from tests.recording import record, unseal
from tests.samples import LOCAL, SECRETS

NO_DOCKER_ENGINE = {"host": "unix:///nowhere/docker.sock"}


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_every_resource_passes_check_and_can_be_planned(stack: str) -> None:
    recording = record({**LOCAL, **STACKS[stack]}, SECRETS)
    with Plugin.start("docker") as docker, Plugin.start("tls") as tls:
        docker.configure(NO_DOCKER_ENGINE)
        tls.configure()
        plugins = {"docker": docker, "tls": tls}
        checked = 0
        for each in recording.registrations.values():
            plugin = plugins.get(each.type.partition(":")[0])
            if plugin is None:
                continue
            inputs = plugin.check(each.urn, unseal(dict(each.inputs)))
            assert plugin.create_preview(each.urn, inputs)
            checked += 1
    assert checked > 15, "the program declares more than that: something was not checked"


@pytest.mark.parametrize(
    ("key", "value", "named"), [("restart", "sometimes", "restart"), ("helthcheck", {}, "helthcheck")]
)
def test_a_wrong_value_or_name_would_be_found(key: str, value: object, named: str) -> None:
    container = record(LOCAL, SECRETS).named("docker:index/container:Container", "nginx")
    with Plugin.start("docker") as docker:
        docker.configure(NO_DOCKER_ENGINE)
        with pytest.raises(PluginError, match=named):
            docker.check(container.urn, {**unseal(dict(container.inputs)), key: value})
