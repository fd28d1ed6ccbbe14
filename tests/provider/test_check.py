"""Every resource of every kind of stack passes the real plugins' checks, without a Docker engine.

Mocks take any property; the plugins refuse unknown ones and values that do not match their patterns.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack

import pytest

from ops.plugin import Plugin, PluginError
from ops.scratch import with_credentials
from tests.contract.test_aliyun import STACKS as CLOUD_STACKS
from tests.contract.test_program import STACKS
from tests.recording import record, unseal
from tests.samples import ALIYUN, LOCAL, SECRETS

NO_DOCKER_ENGINE = {"host": "unix:///nowhere/docker.sock"}
CONFIGS: Mapping[str, Mapping[str, str]] = {
    "docker": NO_DOCKER_ENGINE,
    "tls": {},
    "alicloud": {"region": "cn-hangzhou", "accountType": "Domestic"},
}


ALL_STACKS = {
    **{name: {**LOCAL, **keys} for name, keys in STACKS.items()},
    **{f"aliyun-{name}": {**ALIYUN, **keys} for name, keys in CLOUD_STACKS.items()},
}


@pytest.mark.parametrize("stack", sorted(ALL_STACKS))
def test_every_resource_passes_check_and_can_be_planned(stack: str) -> None:
    recording = record(ALL_STACKS[stack], SECRETS)
    with ExitStack() as running:
        plugins = {
            name: running.enter_context(Plugin.start(name, with_credentials(os.environ)))
            for name in ("docker", "tls", *(["alicloud"] if recording.of_type("pulumi:providers:alicloud") else []))
        }
        for name, plugin in plugins.items():
            plugin.configure(CONFIGS[name])
        checked = 0
        for each in recording.registrations.values():
            checking = plugins.get(each.type.partition(":")[0])
            if checking is None:
                continue
            inputs = checking.check(each.urn, unseal(dict(each.inputs)))
            assert checking.create_preview(each.urn, inputs)
            checked += 1
    assert checked > 15, "the program declares more than that: something was not checked"
    # Whatever is not a component or a provider was checked.
    declared = [each for each in recording.registrations.values() if each.custom and ":providers:" not in each.type]
    assert checked == len(declared)


@pytest.mark.parametrize(
    ("type_", "key", "value", "named"),
    [
        ("alicloud:ecs/instance:Instance", "systemDiskCategory", "ssd", "system_disk_category"),
        ("alicloud:ecs/instance:Instance", "httpTokens", "maybe", "http_tokens"),
        ("alicloud:ecs/securityGroupRule:SecurityGroupRule", "nicType", "classic", "nic_type"),
        ("alicloud:ecs/eipAddress:EipAddress", "paymentType", "Free", "payment_type"),
        ("alicloud:ecs/ecsDisk:EcsDisk", "performanceLevel", "PL9", "performance_level"),
    ],
)
def test_the_plugin_of_aliyun_refuses_wrong_values(type_: str, key: str, value: str, named: str) -> None:
    (each, *_) = record(ALIYUN, SECRETS).of_type(type_)
    with Plugin.start("alicloud", with_credentials(os.environ)) as alicloud:
        alicloud.configure(CONFIGS["alicloud"])
        with pytest.raises(PluginError, match=named):
            alicloud.check(each.urn, {**unseal(dict(each.inputs)), key: value})


@pytest.mark.parametrize(
    ("key", "value", "named"), [("restart", "sometimes", "restart"), ("helthcheck", {}, "helthcheck")]
)
def test_a_wrong_value_or_name_would_be_found(key: str, value: object, named: str) -> None:
    container = record(LOCAL, SECRETS).named("docker:index/container:Container", "nginx")
    with Plugin.start("docker") as docker:
        docker.configure(NO_DOCKER_ENGINE)
        with pytest.raises(PluginError, match=named):
            docker.check(container.urn, {**unseal(dict(container.inputs)), key: value})
