"""What a stack declares on Aliyun. Most of it is a trap of the provider or of the API that somebody fell into."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from tests.recording import PUBLIC_ADDRESS, ROOT, Recording, Registration, is_sealed, record, unseal
from tests.samples import ALIYUN, LOCAL, SECRETS

INSTANCE = "alicloud:ecs/instance:Instance"
RULE = "alicloud:ecs/securityGroupRule:SecurityGroupRule"
GROUP = "alicloud:ecs/securityGroup:SecurityGroup"
KEY_PAIR = "alicloud:ecs/ecsKeyPair:EcsKeyPair"
EIP = "alicloud:ecs/eipAddress:EipAddress"
EIP_ASSOCIATION = "alicloud:ecs/eipAssociation:EipAssociation"
DISK = "alicloud:ecs/ecsDisk:EcsDisk"
DISK_ATTACHMENT = "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment"
POLICY = "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy"
POLICY_ATTACHMENT = "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment"
RECORD = "alicloud:dns/alidnsRecord:AlidnsRecord"

NAME_OF: Mapping[str, str] = {
    "alicloud:vpc/network:Network": "vpcName",
    "alicloud:vpc/switch:Switch": "vswitchName",
    GROUP: "securityGroupName",
    KEY_PAIR: "keyPairName",
    INSTANCE: "instanceName",
    EIP: "addressName",
    DISK: "diskName",
    POLICY: "autoSnapshotPolicyName",
}
NAMELESS = {RULE, EIP_ASSOCIATION, DISK_ATTACHMENT, POLICY_ATTACHMENT, RECORD}

STACKS: Mapping[str, Mapping[str, str]] = {
    "usual": {},
    "unprotected": {"deleteProtection": "false", "tier": "1C1G"},
    "old-disks": {"instanceType": "ecs.t5-c1m2.large", "diskCategory": "cloud_ssd", "metadataTokens": "required"},
    "closed": {"federation": "false", "dnsDomain": "", "homeserver": "synapse", "imageSource": "packages"},
}


@cache
def recorded(stack: str = "usual", *, preview: bool = False, **keys: str) -> Recording:
    return record({**ALIYUN, **STACKS[stack], **keys}, SECRETS, stack="cloud", preview=preview)


@pytest.fixture(params=sorted(STACKS), scope="module")
def recording(request: pytest.FixtureRequest) -> Recording:
    return recorded(request.param)


def protected(recording: Recording) -> bool:
    return bool(recording.of_type(INSTANCE)[0].inputs["deletionProtection"])


def clouds(recording: Recording) -> list[Registration]:
    return [each for each in recording.registrations.values() if each.type.startswith("alicloud:")]


def only(recording: Recording, type_: str) -> Registration:
    (found,) = recording.of_type(type_)
    return found


def inputs(recording: Recording, type_: str) -> Mapping[str, Any]:
    return only(recording, type_).inputs


def test_nothing_in_the_cloud_is_left_to_be_named_by_chance(recording: Recording) -> None:
    for each in clouds(recording):
        # Pulumi names a property called `name` only; it is deprecated on these resources, so they would have none.
        assert "name" not in each.inputs, each.urn
        if each.type not in NAMELESS:
            assert str(each.inputs[NAME_OF[each.type]]).startswith("matrix-cloud-"), each.urn


def test_everything_that_can_have_tags_says_whose_it_is(recording: Recording) -> None:
    for each in clouds(recording):
        if each.type not in NAMELESS:
            assert each.inputs["tags"] == {"project": "matrix", "stack": "cloud"}, each.urn


def test_everything_goes_through_the_declared_provider(recording: Recording) -> None:
    (provider,) = recording.of_type("pulumi:providers:alicloud")
    assert provider.inputs["region"] == "cn-hangzhou"
    assert all(each.provider.startswith(provider.urn) for each in clouds(recording))


def test_the_plugin_is_told_the_kind_of_account() -> None:
    # Else it asks the billing service when it starts: in a preview too, and without a network for half a minute.
    (provider,) = recorded(accountType="International").of_type("pulumi:providers:alicloud")
    assert provider.inputs["accountType"] == "International"


def test_no_deprecated_argument_is_used(recording: Recording) -> None:
    deprecated = {
        INSTANCE: {"allocatePublicIp", "internetMaxBandwidthIn", "roleName"},
        EIP: {"instanceChargeType"},
        DISK: {"availabilityZone"},
        GROUP: {"innerAccess"},
        KEY_PAIR: {"keyName"},
        "alicloud:vpc/switch:Switch": {"availabilityZone"},
        "alicloud:vpc/network:Network": {"secondaryCidrBlocks", "ipv6CidrBlock", "routerTableId"},
    }
    for type_, names in deprecated.items():
        assert not names & set(inputs(recording, type_)), type_


# Security group


def ingress(recording: Recording) -> dict[tuple[str, str], Registration]:
    rules = [each for each in recording.of_type(RULE) if each.inputs["type"] == "ingress"]
    return {(each.inputs["portRange"], each.inputs["cidrIp"]): each for each in rules}


def test_everybody_reaches_the_published_ports_and_nothing_else() -> None:
    everybody = "0.0.0.0/0"
    admins = {("22/22", "203.0.113.7/32"), ("22/22", "192.0.2.0/24")}
    assert set(ingress(recorded())) == {(f"{port}/{port}", everybody) for port in (80, 443, 8448)} | admins
    closed = recorded("closed")
    assert set(ingress(closed)) == {(f"{port}/{port}", everybody) for port in (80, 443)} | admins
    moved = recorded(httpPort="8080", httpsPort="8443", federationPort="18448")
    assert set(ingress(moved)) == {(f"{port}/{port}", everybody) for port in (8080, 8443, 18448)} | admins


def test_calls_open_their_ports_and_only_where_there_are_some() -> None:
    calling = recorded(turn="true", turnPort="3480", turnPorts="50000-50009")
    rules = [each.inputs for each in calling.of_type(RULE) if each.inputs["description"] == "calls"]
    assert {(each["ipProtocol"], each["portRange"], each["cidrIp"]) for each in rules} == {
        ("tcp", "3480/3480", "0.0.0.0/0"),
        ("udp", "3480/3480", "0.0.0.0/0"),
        ("udp", "50000/50009", "0.0.0.0/0"),
    }
    assert not [each for each in recorded().of_type(RULE) if each.inputs["ipProtocol"] == "udp"]


def test_ssh_is_open_to_nobody_but_those_who_administrate(recording: Recording) -> None:
    for (ports, source), each in ingress(recording).items():
        if ports == "22/22":
            assert source != "0.0.0.0/0", each.urn


def test_every_rule_says_what_the_provider_would_get_wrong(recording: Recording) -> None:
    for each in recording.of_type(RULE):
        # Unset, the text "<nil>" gets into the rule's id and into the call that reads it.
        assert each.inputs["nicType"] == "intranet", each.urn
        assert each.inputs["policy"] == "accept", each.urn
        assert each.inputs["priority"] == 1, each.urn
        assert each.inputs["description"], each.urn
        # tcp needs ports, and "all" refuses them.
        assert (each.inputs["ipProtocol"], each.inputs["portRange"] == "-1/-1") in {("tcp", False), ("all", True)}


def test_the_way_out_is_stated(recording: Recording) -> None:
    (egress,) = [each for each in recording.of_type(RULE) if each.inputs["type"] == "egress"]
    assert egress.inputs["cidrIp"] == "0.0.0.0/0"


def test_members_of_the_group_do_not_trust_each_other(recording: Recording) -> None:
    assert inputs(recording, GROUP)["innerAccessPolicy"] == "Drop"
    assert inputs(recording, GROUP)["securityGroupType"] == "normal"


# Keys


def test_another_key_is_another_key_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    # The provider takes a changed public key for no change. The name forces a replacement, and being another one it
    # can be made before the old pair goes, which ECS refuses to delete while an instance has it.
    before = inputs(recorded(), KEY_PAIR)
    monkeypatch.setattr("tests.recording.PUBLIC_KEY", "another ssh-key")
    after = inputs(record(ALIYUN, SECRETS, stack="cloud"), KEY_PAIR)
    assert before["publicKey"] != after["publicKey"]
    assert before["keyPairName"] != after["keyPairName"]
    assert only(recorded(), KEY_PAIR).delete_before_replace is None


def test_the_key_is_made_here_and_never_written_to_a_file(recording: Recording) -> None:
    assert "keyFile" not in inputs(recording, KEY_PAIR)
    assert inputs(recording, KEY_PAIR)["publicKey"] == inputs(recording, KEY_PAIR)["publicKey"].strip() != ""
    keys = {each.name: each.inputs for each in recording.of_type("tls:index/privateKey:PrivateKey")}
    assert keys["admin-key"]["algorithm"] == "RSA"
    assert keys["admin-key"]["rsaBits"] == 4096
    assert keys["host-key"]["algorithm"] == "ED25519"


# Instance


def test_the_instance_has_no_password_and_no_address_of_its_own(recording: Recording) -> None:
    found = inputs(recording, INSTANCE)
    for name in ("password", "kmsEncryptedPassword", "passwordInherit"):
        assert name not in found
    assert found["keyName"] == inputs(recording, KEY_PAIR)["keyPairName"]
    # Anything above 0 allocates an address that is lost with a stop, and keeps the EIP from being associated.
    assert not found.get("internetMaxBandwidthOut")
    assert "internetChargeType" not in found


def test_no_later_image_or_user_data_touches_the_host(recording: Recording) -> None:
    instance = only(recording, INSTANCE)
    assert set(instance.ignore_changes) == {"imageId", "userData"}
    assert instance.inputs["imageId"] == ALIYUN["imageId"]


def test_user_data_is_sealed_and_always_base64(recording: Recording) -> None:
    user_data = inputs(recording, INSTANCE)["userData"]
    assert is_sealed(user_data)
    text = base64.b64decode(unseal(user_data), validate=True).decode()
    assert text.startswith("#cloud-config")
    assert "OPENSSH PRIVATE KEY of host-key" in text
    assert "PRIVATE KEY of admin-key" not in text


def test_the_instance_is_replaced_before_the_next_one_is_made(recording: Recording) -> None:
    # There is one address and one data disk: a second instance could have neither.
    assert only(recording, INSTANCE).delete_before_replace is True


def test_another_zone_means_another_instance(recording: Recording) -> None:
    found = inputs(recording, INSTANCE)
    assert found["availabilityZone"] == inputs(recording, "alicloud:vpc/switch:Switch")["zoneId"] == ALIYUN["zone"]


def test_the_metadata_service_is_stated(recording: Recording) -> None:
    found = inputs(recording, INSTANCE)
    assert found["httpEndpoint"] == "enabled"
    assert found["httpTokens"] in {"optional", "required"}
    # Changing it would replace the instance, and the API does not offer it yet.
    assert "httpPutResponseHopLimit" not in found
    assert inputs(recorded(metadataTokens="required"), INSTANCE)["httpTokens"] == "required"


def test_the_system_disk_is_of_the_chosen_kind_and_encrypted_where_that_can_be() -> None:
    found = inputs(recorded(), INSTANCE)
    assert found["systemDiskCategory"] == "cloud_essd"
    assert found["systemDiskPerformanceLevel"] == "PL0"
    assert found["systemDiskEncrypted"] is True
    old = inputs(recorded("old-disks"), INSTANCE)
    assert old["systemDiskEncrypted"] is False
    # Only cloud_essd has levels.
    assert "systemDiskPerformanceLevel" not in old


def test_the_instance_costs_by_the_hour_and_can_be_destroyed(recording: Recording) -> None:
    found = inputs(recording, INSTANCE)
    assert found["instanceChargeType"] == "PostPaid"
    assert not any(name.startswith("spot") for name in found)


# Disks


def test_the_data_disk_is_no_part_of_the_instance(recording: Recording) -> None:
    assert "dataDisks" not in inputs(recording, INSTANCE)
    disk = inputs(recording, DISK)
    # Unset, it is cloud_efficiency.
    assert disk["category"] == inputs(recording, INSTANCE)["systemDiskCategory"]
    assert disk["encrypted"] is True
    assert disk["deleteWithInstance"] is False
    assert disk["deleteAutoSnapshot"] is False
    # Growing it offline would stop the host.
    assert disk["type"] == "online"
    assert "instanceId" not in disk
    assert disk["zoneId"] == ALIYUN["zone"]
    assert inputs(recording, DISK_ATTACHMENT)["deleteWithInstance"] is False


def test_what_must_not_be_lost_is_kept_unless_said_otherwise(recording: Recording) -> None:
    kept = protected(recording)
    assert {each.name for each in clouds(recording) if each.protect} == (
        {"host", "data", "public-address"} if kept else set()
    )
    assert only(recording, DISK).retain_on_delete is kept
    assert inputs(recording, EIP)["deletionProtection"] is kept
    keys = [each for each in recording.of_type("tls:index/privateKey:PrivateKey") if each.name.endswith("-key")]
    assert all(each.protect is kept for each in keys)


def test_both_disks_are_snapshot_at_three_in_the_morning(recording: Recording) -> None:
    policy = only(recording, POLICY)
    assert policy.inputs["timePoints"] == ["3"]
    assert policy.inputs["repeatWeekdays"] == [str(day) for day in range(1, 8)]
    assert policy.inputs["retentionDays"] == 7
    # Not computed by the provider: what the API says for an unset one would be a change at every refresh.
    assert policy.ignore_changes == ("resourceGroupId",)
    assert inputs(recording, INSTANCE)["systemDiskAutoSnapshotPolicyId"] == f"{policy.name}-id"
    attachment = inputs(recording, POLICY_ATTACHMENT)
    assert attachment["autoSnapshotPolicyId"] == f"{policy.name}-id"
    assert attachment["diskId"] == "d-data"


# Public address


def test_the_address_is_paid_by_traffic_and_released_when_it_is_destroyed(recording: Recording) -> None:
    found = inputs(recording, EIP)
    # A subscription is not released; international accounts take no other combination.
    assert found["paymentType"] == "PayAsYouGo"
    assert found["internetChargeType"] == "PayByTraffic"
    assert found["bandwidth"] == "10"


def test_what_is_attached_goes_with_the_instance(recording: Recording) -> None:
    instance = only(recording, INSTANCE)
    for type_ in (EIP_ASSOCIATION, DISK_ATTACHMENT):
        assert only(recording, type_).deleted_with == instance.urn
        assert inputs(recording, type_)["instanceId"] == "host-id"


# DNS


def test_records_are_made_in_a_domain_that_is_never_declared(recording: Recording) -> None:
    assert not [each for each in clouds(recording) if "omain:" in each.type]
    for each in recording.of_type(RECORD):
        assert each.inputs["domainName"] == "example.com"
        assert each.inputs["ttl"] == 600
        # For MX only; on others it is ignored.
        assert "priority" not in each.inputs


def test_the_records_lead_here() -> None:
    found = {(each.inputs["type"], each.inputs["rr"]): each.inputs["value"] for each in recorded().of_type(RECORD)}
    assert found == {
        ("A", "matrix"): PUBLIC_ADDRESS,
        ("CAA", "matrix"): '0 issue "letsencrypt.org"',
        ("SRV", "_matrix-fed._tcp"): "10 5 8448 matrix.example.com",
        ("SRV", "_matrix._tcp"): "10 5 8448 matrix.example.com",
    }


def test_values_of_services_are_four_fields_without_a_dot_at_the_end(recording: Recording) -> None:
    for each in recording.of_type(RECORD):
        if each.inputs["type"] == "SRV":
            assert len(each.inputs["value"].split()) == 4
            # It would be stored as written, and the name would be looked for as it stands.
            assert not each.inputs["value"].endswith(".")


def test_without_a_domain_no_record_is_made_and_all_are_told() -> None:
    found = recorded("closed")
    assert not found.of_type(RECORD)
    records = unseal(found.stack_outputs["dnsRecords"])
    assert {each["type"] for each in records} == {"A", "CAA"}
    assert not any(each["managed"] for each in records)


# The Docker engine on the host


def test_containers_are_declared_on_the_host_and_go_with_it(recording: Recording) -> None:
    instance = only(recording, INSTANCE)
    (engine,) = recording.of_type("pulumi:providers:docker")
    assert unseal(engine.inputs["host"]) == f"ssh://matrix@{PUBLIC_ADDRESS}:22"
    dockers = [each for each in recording.registrations.values() if each.type.startswith("docker:")]
    assert len(dockers) > 10
    for each in dockers:
        assert each.provider.startswith(engine.urn), each.urn
        # Else destroying the host would first ask it forty times, over ssh, to delete what is gone with it.
        assert each.deleted_with == instance.urn, each.urn


def test_the_docker_engine_is_asked_only_when_address_rules_and_data_disk_are_there(recording: Recording) -> None:
    (engine,) = recording.of_type("pulumi:providers:docker")
    needed = {only(recording, EIP_ASSOCIATION).urn, only(recording, DISK_ATTACHMENT).urn}
    # Where volumes are protected, `make down` keeps what their provider depends on: with the rules gone, the next
    # `make up` could not get in.
    needed |= {each.urn for each in recording.of_type(RULE)}
    assert needed <= engine.dependencies
    # Not through the address: a host that is replaced would replace the provider, and with it every container.
    assert not needed & {urn for urns in engine.property_dependencies.values() for urn in urns}


def test_a_local_container_is_tied_to_no_machine() -> None:
    assert not [each for each in record(LOCAL, SECRETS).registrations.values() if each.deleted_with]


# The whole


def test_a_local_stack_does_not_import_the_sdk_of_aliyun() -> None:
    # An installed Pulumi SDK that is imported demands its plugin, which takes eleven minutes to build.
    script = (
        "import sys; from tests.recording import record; from tests.samples import LOCAL, SECRETS;"
        "record(LOCAL, SECRETS);"
        "print([name for name in sys.modules if 'alicloud' in name or 'components.aliyun' in name])"
    )
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_no_data_source_is_called() -> None:
    # The recording fails on any call; a data source would need the network in a preview.
    assert recorded(preview=True).registrations


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_a_preview_without_a_host_shows_every_resource(stack: str) -> None:
    assert set(recorded(stack, preview=True).registrations) == set(recorded(stack).registrations)


def test_private_keys_are_sealed_wherever_they_go(recording: Recording) -> None:
    def clear(value: Any) -> list[str]:  # noqa: ANN401 (JSON)
        if is_sealed(value):
            return []
        if isinstance(value, dict):
            return [text for each in value.values() for text in clear(each)]
        return [text for each in value for text in clear(each)] if isinstance(value, list) else [str(value)]

    texts = [text for each in recording.registrations.values() for text in clear(dict(each.inputs))]
    texts += clear(dict(recording.stack_outputs))
    assert not [text for text in texts if "PRIVATE KEY" in text]
    assert not [text for text in texts if base64.b64encode(b"#cloud-config").decode()[:12] in text]


def test_the_outputs_say_how_to_reach_the_host(recording: Recording) -> None:
    outputs = recording.stack_outputs
    assert unseal(outputs["publicIp"]) == PUBLIC_ADDRESS
    assert unseal(outputs["dockerHost"]) == f"ssh://matrix@{PUBLIC_ADDRESS}:22"
    assert unseal(outputs["ssh"]) == {
        "address": PUBLIC_ADDRESS,
        "port": 22,
        "user": "matrix",
        "hostKey": "ssh-key of host-key",
    }
