"""The installed plugins understand exactly the property names that the Python SDKs send.

A plugin that we built has names by the bridge's rules and our overrides. Where they miss the SDK's, a property is
refused at best and silently ignored at worst.
"""

from __future__ import annotations

import importlib
import json
import subprocess
from importlib import resources
from typing import Any, get_args

import pulumi_alicloud
import pulumi_docker
import pulumi_tls
import pytest
from pulumi import _types as sdk_types

from ops.plugin import Plugin, PluginError, plugin_program
from toolchain import plugins

TypeNames = dict[str, Any]
"""Property name to the names of the object that it holds; {} if it holds none."""

RESOURCES: dict[str, dict[str, tuple[type, str]]] = {
    "alicloud": {
        "alicloud:dns/alidnsRecord:AlidnsRecord": (
            pulumi_alicloud.dns.AlidnsRecordArgs,
            "pulumi_alicloud.dns.alidns_record._AlidnsRecordState",
        ),
        "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy": (
            pulumi_alicloud.ecs.AutoSnapshotPolicyArgs,
            "pulumi_alicloud.ecs.auto_snapshot_policy._AutoSnapshotPolicyState",
        ),
        "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment": (
            pulumi_alicloud.ecs.EcsAutoSnapshotPolicyAttachmentArgs,
            "pulumi_alicloud.ecs.ecs_auto_snapshot_policy_attachment._EcsAutoSnapshotPolicyAttachmentState",
        ),
        "alicloud:ecs/ecsDisk:EcsDisk": (pulumi_alicloud.ecs.EcsDiskArgs, "pulumi_alicloud.ecs.ecs_disk._EcsDiskState"),
        "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment": (
            pulumi_alicloud.ecs.EcsDiskAttachmentArgs,
            "pulumi_alicloud.ecs.ecs_disk_attachment._EcsDiskAttachmentState",
        ),
        "alicloud:ecs/ecsKeyPair:EcsKeyPair": (
            pulumi_alicloud.ecs.EcsKeyPairArgs,
            "pulumi_alicloud.ecs.ecs_key_pair._EcsKeyPairState",
        ),
        "alicloud:ecs/eipAddress:EipAddress": (
            pulumi_alicloud.ecs.EipAddressArgs,
            "pulumi_alicloud.ecs.eip_address._EipAddressState",
        ),
        "alicloud:ecs/eipAssociation:EipAssociation": (
            pulumi_alicloud.ecs.EipAssociationArgs,
            "pulumi_alicloud.ecs.eip_association._EipAssociationState",
        ),
        "alicloud:ecs/instance:Instance": (
            pulumi_alicloud.ecs.InstanceArgs,
            "pulumi_alicloud.ecs.instance._InstanceState",
        ),
        "alicloud:ecs/securityGroup:SecurityGroup": (
            pulumi_alicloud.ecs.SecurityGroupArgs,
            "pulumi_alicloud.ecs.security_group._SecurityGroupState",
        ),
        "alicloud:ecs/securityGroupRule:SecurityGroupRule": (
            pulumi_alicloud.ecs.SecurityGroupRuleArgs,
            "pulumi_alicloud.ecs.security_group_rule._SecurityGroupRuleState",
        ),
        "alicloud:vpc/network:Network": (pulumi_alicloud.vpc.NetworkArgs, "pulumi_alicloud.vpc.network._NetworkState"),
        "alicloud:vpc/switch:Switch": (pulumi_alicloud.vpc.SwitchArgs, "pulumi_alicloud.vpc.switch._SwitchState"),
    },
    "docker": {
        "docker:index/container:Container": (pulumi_docker.ContainerArgs, "pulumi_docker.container._ContainerState"),
        "docker:index/network:Network": (pulumi_docker.NetworkArgs, "pulumi_docker.network._NetworkState"),
        "docker:index/remoteImage:RemoteImage": (
            pulumi_docker.RemoteImageArgs,
            "pulumi_docker.remote_image._RemoteImageState",
        ),
        "docker:index/volume:Volume": (pulumi_docker.VolumeArgs, "pulumi_docker.volume._VolumeState"),
    },
    "tls": {
        "tls:index/certRequest:CertRequest": (pulumi_tls.CertRequestArgs, "pulumi_tls.cert_request._CertRequestState"),
        "tls:index/locallySignedCert:LocallySignedCert": (
            pulumi_tls.LocallySignedCertArgs,
            "pulumi_tls.locally_signed_cert._LocallySignedCertState",
        ),
        "tls:index/privateKey:PrivateKey": (pulumi_tls.PrivateKeyArgs, "pulumi_tls.private_key._PrivateKeyState"),
        "tls:index/selfSignedCert:SelfSignedCert": (
            pulumi_tls.SelfSignedCertArgs,
            "pulumi_tls.self_signed_cert._SelfSignedCertState",
        ),
    },
}
# SDK 5.6.2 follows an upstream release that no Go module proxy serves; the newest served one (4.2.1) lacks these
# write-only attributes. The published plugin has them, and no program here may use them.
ONLY_PUBLISHED = {
    "tls:index/certRequest:CertRequest": {"privateKeyPemWo", "privateKeyPemWoVersion"},
    "tls:index/locallySignedCert:LocallySignedCert": {"caPrivateKeyPemWo", "caPrivateKeyPemWoVersion"},
    "tls:index/selfSignedCert:SelfSignedCert": {"privateKeyPemWo", "privateKeyPemWoVersion"},
}
PROVIDERS = {
    "alicloud": pulumi_alicloud.ProviderArgs,
    "docker": pulumi_docker.ProviderArgs,
    "tls": pulumi_tls.ProviderArgs,
}
# Attributes that upstream keeps only to say that they are gone; the SDK leaves them out.
REMOVED_UPSTREAM = {
    "alicloud:ecs/ecsDisk:EcsDisk": {"dedicatedBlockStorageClusterId"},
    "alicloud:ecs/instance:Instance": {"ioOptimized", "subnetId"},
}
CASES = [(plugin, token) for plugin, tokens in RESOURCES.items() for token in tokens]


def names_in_sdk(kind: type) -> TypeNames:
    """Return the property names of an args or state class, as sent over the wire, with nested ones."""
    types = sdk_types.input_type_types(kind)
    return {
        name: _names_in_annotation(types.get(name)) for name in sdk_types.input_type_py_to_pulumi_names(kind).values()
    }


def _names_in_annotation(annotation: Any) -> TypeNames:  # noqa: ANN401 - an annotation can be anything
    if isinstance(annotation, type) and sdk_types.is_input_type(annotation):
        return names_in_sdk(annotation)
    found: TypeNames = {}
    for argument in get_args(annotation):
        found |= _names_in_annotation(argument)
    return found


def names_in_schema(schema: dict[str, Any], properties: dict[str, Any]) -> TypeNames:
    """Return the property names of an object in a package schema, with nested ones."""

    def of(kind: dict[str, Any]) -> TypeNames:
        if "$ref" in kind:
            token = kind["$ref"].removeprefix("#/types/")
            nested: TypeNames = names_in_schema(schema, schema["types"].get(token, {}).get("properties", {}))
            return nested
        inner = kind.get("items") or kind.get("additionalProperties")
        return of(inner) if isinstance(inner, dict) else {}

    return {name: of(kind) for name, kind in properties.items()}


@pytest.fixture(scope="module", params=["docker", "tls", "alicloud"])
def plugin_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def dump(name: str) -> dict[str, Any]:
    """Return config and resources of the installed plugin: from its schema if published, else from our flag."""
    with Plugin.start(name) as plugin:
        schema = plugin.schema()
    if schema.get("resources"):
        found = {
            token: names_in_schema(schema, resource.get("inputProperties", {}) | resource.get("properties", {}))
            for token, resource in schema["resources"].items()
        }
        config = names_in_schema(schema, schema.get("provider", {}).get("inputProperties", {}))
        return {"config": config, "resources": found, "published": True}
    answer = subprocess.run([plugin_program(name), "-property-names"], capture_output=True, check=True, timeout=60)
    names: dict[str, Any] = json.loads(answer.stdout)
    return names


@pytest.fixture(scope="module")
def dumps() -> dict[str, dict[str, Any]]:
    return {name: dump(name) for name in RESOURCES}


@pytest.mark.parametrize(("plugin", "token"), CASES, ids=[token for _, token in CASES])
def test_the_plugin_has_exactly_the_property_names_of_the_sdk(
    dumps: dict[str, dict[str, Any]], plugin: str, token: str
) -> None:
    args, state_path = RESOURCES[plugin][token]
    module, _, state_name = state_path.rpartition(".")
    state = getattr(importlib.import_module(module), state_name)
    expected = names_in_sdk(state) | names_in_sdk(args)
    actual = dict(dumps[plugin]["resources"][token])
    for gone in REMOVED_UPSTREAM.get(token, set()):
        actual.pop(gone, None)
    actual.pop("id", None)  # every resource has one; the SDK keeps it apart
    expected.pop("id", None)
    assert len(expected) > 1, f"the SDK's {token} has no properties: this test compares nothing"
    if not dumps[plugin].get("published"):
        expected = {name: nested for name, nested in expected.items() if name not in ONLY_PUBLISHED.get(token, set())}
    assert actual == expected


def test_the_provider_settings_have_the_names_of_the_sdk(dumps: dict[str, dict[str, Any]], plugin_name: str) -> None:
    expected = names_in_sdk(PROVIDERS[plugin_name])
    assert expected, "the SDK's provider has no settings: this test compares nothing"
    assert dumps[plugin_name]["config"] == expected


def test_the_plugin_has_the_version_that_its_sdk_demands(plugin_name: str) -> None:
    demanded = json.loads(resources.files(f"pulumi_{plugin_name}").joinpath("pulumi-plugin.json").read_text())
    pinned = next(plugin for plugin in plugins.ALL if plugin.name == plugin_name)
    with Plugin.start(plugin_name) as plugin:
        assert plugin.version() == demanded["version"] == pinned.version


URN = "urn:pulumi:test::matrix::docker:index/container:Container::web"


def test_a_replaced_container_is_deleted_before_its_successor_is_made() -> None:
    with Plugin.start("docker") as docker:
        docker.configure({"host": "unix:///nonexistent.sock"})
        before = docker.check(URN, {"name": "web", "image": "sha256:1", "command": ["a"]})
        state = docker.create_preview(URN, before) | {"id": "0123456789ab"}
        after = docker.check(URN, {"name": "web", "image": "sha256:2", "command": ["a"]}, before)
        answer = docker.diff(URN, "0123456789ab", state=state, news=after, old_inputs=before)
    assert "image" in answer.replaces
    assert answer.delete_before_replace


@pytest.mark.parametrize(
    ("environ", "settings", "used"),
    [
        ({"DOCKER_HOST": "unix:///nowhere/environment.sock"}, {}, "/nowhere/environment.sock"),
        (
            {"DOCKER_HOST": "unix:///nowhere/environment.sock"},
            {"host": "unix:///nowhere/setting.sock"},
            "/nowhere/setting.sock",
        ),
    ],
    ids=["environment", "setting-wins"],
)
def test_the_docker_host_comes_from_the_setting_and_else_from_the_environment(
    environ: dict[str, str], settings: dict[str, str], used: str
) -> None:
    urn = "urn:pulumi:test::matrix::docker:index/network:Network::net"
    with Plugin.start("docker", {"HOME": "/nowhere", **environ}) as docker:
        docker.configure(settings)
        inputs = docker.check(urn, {"name": "net"})
        with pytest.raises(PluginError, match=used):
            docker.create(urn, inputs)


def test_the_plugin_refuses_a_name_that_it_does_not_know() -> None:
    with Plugin.start("docker") as docker:
        docker.configure({"host": "unix:///nowhere.sock"})
        with pytest.raises(PluginError, match="networksAdvanceds"):
            docker.check(URN, {"name": "web", "image": "sha256:1", "networksAdvanceds": []})


def test_an_image_name_is_taken_as_it_is() -> None:
    urn = "urn:pulumi:test::matrix::docker:index/remoteImage:RemoteImage::redis"
    with Plugin.start("docker") as docker:
        docker.configure({"host": "unix:///nonexistent.sock"})
        assert docker.check(urn, {"name": "redis:7.2-alpine"})["name"] == "redis:7.2-alpine"
