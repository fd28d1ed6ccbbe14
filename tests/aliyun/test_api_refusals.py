"""What a real account refuses: quotas, dependencies, combinations that are not sold, and what the notes call traps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.aliyun.account import PUBLIC_KEY, ZONE, Account
from tests.aliyun.console import Console, refusal
from tests.aliyun.emulation.emulation import Emulation


@pytest.mark.parametrize(
    ("limit", "make", "code"),
    [
        ("vpcs", lambda account: account.vpc, "QuotaExceeded.Vpc"),
        ("switches", lambda account: account.switch, "QuotaExceeded.VSwitch"),
        ("groups", lambda account: account.group, "QuotaExceed.SecurityGroup"),
        ("eips", lambda account: account.eip, "QuotaExceeded.Eip"),
        ("disks", lambda account: account.disk, "QuotaExceed.PostPaidDisk"),
        ("instances", lambda account: account.instance, "QuotaExceed.ElasticQuota"),
        ("key_pairs", lambda account: account.key_pair, "QuotaExceed.KeyPair"),
        ("policies", lambda account: account.policy, "AutoSnapshotPolicy.QuotaExceed"),
    ],
)
def test_a_quota_ends_it(
    emulation: Emulation, account: Account, limit: str, make: Callable[[Account], object], code: str
) -> None:
    setattr(emulation.cloud.limits, limit, 0)
    assert refusal(lambda: make(account)) == code
    setattr(emulation.cloud.limits, limit, 1)
    assert make(account)


def test_what_others_stand_on_is_not_deleted(account: Account) -> None:
    console = account.console
    assert account.instance
    assert refusal(lambda: console.vpc("DeleteVSwitch", VSwitchId=account.switch)) == "DependencyViolation"
    assert refusal(lambda: console.ecs("DeleteSecurityGroup", SecurityGroupId=account.group)) == "DependencyViolation"
    assert refusal(lambda: console.vpc("DeleteVpc", VpcId=account.vpc)) == "DependencyViolation.VSwitch"
    key = refusal(lambda: console.ecs("DeleteKeyPairs", KeyPairNames='["matrix"]'))
    assert key == "InvalidParameter.KeypairAlreadyAttachedInstance"
    console.ecs("DeleteInstance", InstanceId=account.instance, Force=True)
    console.vpc("DeleteVSwitch", VSwitchId=account.switch)
    assert refusal(lambda: console.vpc("DeleteVpc", VpcId=account.vpc)) == "DependencyViolation.SecurityGroup"
    console.ecs("DeleteSecurityGroup", SecurityGroupId=account.group)
    console.vpc("DeleteVpc", VpcId=account.vpc)
    console.ecs("DeleteKeyPairs", KeyPairNames='["matrix"]')


def test_a_protected_instance_stays(account: Account) -> None:
    instance = account.run(DeletionProtection=True)
    account.settle()
    delete = {"InstanceId": instance, "Force": True}
    assert refusal(lambda: account.console.ecs("DeleteInstance", **delete)) == "InvalidOperation.DeletionProtection"
    account.console.ecs("ModifyInstanceAttribute", InstanceId=instance, DeletionProtection=False)
    account.console.ecs("DeleteInstance", **delete)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"InstanceType": "ecs.nothing.large"}, "InvalidInstanceType.ValueNotSupported"),
        ({"ImageId": "debian_12_1_x64_20G_alibase_20230101.vhd"}, "InvalidImageId.NotFound"),
        (
            {"InstanceType": "ecs.t5-lc1m1.small", "SystemDisk__Category": "cloud_essd"},
            "InvalidDiskCategory.NotSupported",
        ),
        ({"InstanceType": "ecs.c7.large"}, "InvalidDiskCategory.NotSupported"),  # ESSD Entry is for e and u1 only
        ({"SystemDisk__Category": "cloud_efficiency"}, "InvalidDiskCategory.NotSupported"),  # not for family e
        ({"SystemDisk__Category": "floppy"}, "InvalidSystemDiskCategory.ValueNotSupported"),
        ({"SystemDisk__Size": 19}, "InvalidSystemDiskSize.ValueNotSupported"),
        ({"SecurityGroupIds": ["sg-none"]}, "InvalidSecurityGroupId.NotFound"),
        ({"KeyPairName": "none"}, "InvalidKeyPairName.NotFound"),
        ({"VSwitchId": "vsw-none"}, "InvalidVSwitchId.NotFound"),
        ({"ZoneId": "cn-hangzhou-h"}, "InvalidParameter.Mismatch"),
        ({"HostName": "-matrix"}, "InvalidHostName.Malformed"),
        ({"HttpTokens": "always"}, "InvalidHttpTokens.NotSupported"),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)
def test_an_instance_that_cannot_be_is_refused(
    emulation: Emulation, account: Account, changes: dict[str, Any], code: str
) -> None:
    assert refusal(lambda: account.run(**changes)) == code
    assert not emulation.cloud.state.instances


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"DiskCategory": "floppy"}, "InvalidDiskCategory.ValueNotSupported"),
        ({"DiskCategory": "cloud_essd", "PerformanceLevel": "PL2", "Size": 460}, "InvalidDiskSize.NotSupported"),
        ({"DiskCategory": "cloud_essd_entry", "Size": 9}, "InvalidDiskSize.NotSupported"),
        ({"DiskCategory": "cloud_auto", "PerformanceLevel": "PL0"}, "InvalidPerformanceLevel.Malformed"),
        ({"DiskCategory": "cloud_essd", "PerformanceLevel": "PL9"}, "InvalidPerformanceLevel.Malformed"),
        ({"ZoneId": "cn-hangzhou-z"}, "InvalidZoneId.NotFound"),
        ({"ZoneId": "cn-beijing-h"}, "InvalidZoneId.NotFound"),
    ],
)
def test_a_disk_that_is_not_sold_is_refused(console: Console, changes: dict[str, Any], code: str) -> None:
    usual = {"ZoneId": ZONE, "DiskCategory": "cloud_essd", "PerformanceLevel": "PL0", "Size": 40}
    if changes.get("DiskCategory") not in {None, "cloud_essd"} and "PerformanceLevel" not in changes:
        del usual["PerformanceLevel"]
    assert refusal(lambda: console.ecs("CreateDisk", **(usual | changes))) == code


def test_a_disk_goes_only_to_an_instance_in_its_zone_that_takes_its_category(account: Account) -> None:
    console = account.console
    elsewhere = console.ecs("CreateDisk", ZoneId="cn-hangzhou-h", DiskCategory="cloud_essd", PerformanceLevel="PL0")
    ultra = console.ecs("CreateDisk", ZoneId=ZONE, DiskCategory="cloud_efficiency")
    account.settle()
    for made, code in ((elsewhere, "ResourcesNotInSameZone"), (ultra, "InstanceDiskCategoryNotSupport")):
        pair = {"DiskId": made["DiskId"], "InstanceId": account.instance}
        assert refusal(lambda pair=pair: console.ecs("AttachDisk", **pair)) == code  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PortRange": "-1/-1"}, "InvalidIpPortRange.Malformed"),
        ({"PortRange": "443"}, "InvalidIpPortRange.Malformed"),
        ({"PortRange": "444/443"}, "InvalidIpPortRange.Malformed"),
        ({"IpProtocol": "icmp"}, "InvalidIpPortRange.Malformed"),
        ({"IpProtocol": "sctp"}, "InvalidIpProtocol.ValueNotSupported"),
        ({"Priority": "101"}, "InvalidPriority.ValueNotSupported"),
        ({"Policy": "maybe"}, "InvalidPolicy.Malformed"),
        ({"NicType": "internet"}, "InvalidNicType.ValueNotSupported"),
        ({"NicType": "<nil>"}, "InvalidNicType.ValueNotSupported"),
        ({"SourceCidrIp": "0.0.0.0/33"}, "InvalidSourceCidrIp.Malformed"),
        ({"SourceCidrIp": ""}, "MissingParameter.Source"),
        ({"SourceCidrIp": "", "SourceGroupId": "sg-none"}, "InvalidSourceGroupId.NotFound"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(account: Account, changes: dict[str, str], code: str) -> None:
    usual = {"IpProtocol": "tcp", "PortRange": "443/443", "SourceCidrIp": "0.0.0.0/0"}
    rule = {f"Permissions.1.{name}": value for name, value in (usual | changes).items()}
    asked = {"SecurityGroupId": account.group, **rule}
    assert refusal(lambda: account.console.ecs("AuthorizeSecurityGroup", **asked)) == code


def test_a_rule_without_nic_type_cannot_be_read_back(account: Account) -> None:
    """The plugin then asks with the text ``<nil>``: the reason why every rule of the program states it."""
    asked = {"SecurityGroupId": account.group, "Direction": "ingress", "NicType": "<nil>"}
    refused = refusal(lambda: account.console.ecs("DescribeSecurityGroupAttribute", **asked))
    assert refused == "InvalidNicType.ValueNotSupported"


def test_rules_are_told_apart_by_what_they_say(account: Account) -> None:
    console = account.console
    rule = {"SecurityGroupId": account.group, "IpProtocol": "tcp", "PortRange": "443/443", "SourceCidrIp": "0.0.0.0/0"}

    def rules() -> list[dict[str, str]]:
        found = console.ecs("DescribeSecurityGroupAttribute", SecurityGroupId=account.group, Direction="ingress")
        permissions: list[dict[str, str]] = found["Permissions"]["Permission"]
        return permissions

    for _ in range(2):  # the same twice is one
        console.ecs("AuthorizeSecurityGroup", Description="https", **rule)
    assert [(one["IpProtocol"], one["Policy"], one["Priority"]) for one in rules()] == [("TCP", "Accept", "1")]
    console.ecs("ModifySecurityGroupRule", Description="web", **rule)
    assert [one["Description"] for one in rules()] == ["web"]
    other = rule | {"PortRange": "80/80"}
    assert refusal(lambda: console.ecs("ModifySecurityGroupRule", **other)) == "SecurityGroupRule.NotFound"
    console.ecs("RevokeSecurityGroup", **other)
    assert len(rules()) == 1
    console.ecs("RevokeSecurityGroup", **rule)
    assert rules() == []


def test_key_pairs_have_one_name_and_a_true_key(console: Console) -> None:
    console.ecs("ImportKeyPair", KeyPairName="matrix", PublicKeyBody=PUBLIC_KEY)
    again = refusal(lambda: console.ecs("ImportKeyPair", KeyPairName="matrix", PublicKeyBody=PUBLIC_KEY))
    assert again == "KeyPair.AlreadyExist"
    for body in ("ssh-ed25519 AAAA", "ssh-dss " + PUBLIC_KEY.split(" ")[1], "no key"):
        wrong = refusal(lambda body=body: console.ecs("ImportKeyPair", KeyPairName="other", PublicKeyBody=body))  # type: ignore[misc]
        assert wrong == "InvalidPublicKeyBody.Malformed"
    short = refusal(lambda: console.ecs("ImportKeyPair", KeyPairName="m", PublicKeyBody=PUBLIC_KEY))
    assert short == "InvalidKeyPairName.Malformed"


@pytest.mark.parametrize(("bandwidth", "charge"), [(0, "PayByTraffic"), (201, "PayByTraffic"), (501, "PayByBandwidth")])
def test_an_address_has_a_bandwidth_that_is_sold(console: Console, bandwidth: int, charge: str) -> None:
    asked = {"Bandwidth": bandwidth, "InternetChargeType": charge}
    assert refusal(lambda: console.vpc("AllocateEipAddress", **asked)) == "InvalidParameter"


@pytest.mark.parametrize("block", ["8.8.0.0/16", "10.0.0.0/7", "10.0.0.0/29", "10.1.2.3/16", "ten"])
def test_a_vpc_has_a_private_block(console: Console, block: str) -> None:
    assert refusal(lambda: console.vpc("CreateVpc", CidrBlock=block)) == "InvalidCidrBlock.Malformed"


@pytest.mark.parametrize(
    "changes", [{"timePoints": '["24"]'}, {"timePoints": "[]"}, {"repeatWeekdays": '["0"]'}, {"retentionDays": 0}]
)
def test_a_snapshot_policy_that_cannot_be_is_refused(console: Console, changes: dict[str, Any]) -> None:
    usual = {"regionId": "cn-hangzhou", "timePoints": '["3"]', "repeatWeekdays": '["1"]', "retentionDays": 7}
    assert refusal(lambda: console.ecs("CreateAutoSnapshotPolicy", **(usual | changes))) == "ParameterInvalid"


def test_tags_are_set_read_and_taken_away(account: Account) -> None:
    console = account.console
    tags = {"Tag.1.Key": "app", "Tag.1.Value": "matrix"}
    console.vpc("TagResources", ResourceType="VPC", ResourceId=[account.vpc], **tags)
    described = console.vpc("DescribeVpcAttribute", VpcId=account.vpc)
    assert described["Tags"]["Tag"] == [{"Key": "app", "Value": "matrix"}]
    console.ecs("TagResources", ResourceType="disk", ResourceId=[account.disk], **tags)
    assert account.described_disk(account.disk)["Tags"]["Tag"] == [{"TagKey": "app", "TagValue": "matrix"}]  # type: ignore[index]
    console.vpc("UnTagResources", ResourceType="VPC", ResourceId=[account.vpc], TagKey=["app"])
    assert console.vpc("DescribeVpcAttribute", VpcId=account.vpc)["Tags"]["Tag"] == []
    unknown = refusal(lambda: console.ecs("TagResources", ResourceType="disk", ResourceId=["d-none"], **tags))
    assert unknown == "InvalidResourceId.NotFound"
    many = {f"Tag.{n}.{part}": f"{n}" for n in range(1, 22) for part in ("Key", "Value")}
    full = refusal(lambda: console.ecs("TagResources", ResourceType="disk", ResourceId=[account.disk], **many))
    assert full == "QuotaExceed.Tags"
