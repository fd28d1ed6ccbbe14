"""What exists changes in time, and refuses what does not fit its state."""

from __future__ import annotations

import json

import pytest

from tests.aliyun.account import NEWER_IMAGE, ZONE, Account, Clock
from tests.aliyun.console import Console, refusal


def vpc_status(console: Console, vpc: str) -> str:
    return str(console.vpc("DescribeVpcAttribute", VpcId=vpc)["Status"])


def test_a_vpc_takes_its_time(console: Console, clock: Clock) -> None:
    vpc = console.vpc("CreateVpc", CidrBlock="10.42.0.0/16")["VpcId"]
    assert vpc_status(console, vpc) == "Pending"
    early = {"VpcId": vpc, "ZoneId": ZONE, "CidrBlock": "10.42.1.0/24"}
    assert refusal(lambda: console.vpc("CreateVSwitch", **early)) == "IncorrectVpcStatus"
    assert refusal(lambda: console.ecs("CreateSecurityGroup", VpcId=vpc)) == "IncorrectVpcStatus"
    assert refusal(lambda: console.vpc("DeleteVpc", VpcId=vpc)) == "IncorrectVpcStatus"
    clock.pass_by(10)
    assert vpc_status(console, vpc) == "Available"
    console.vpc("DeleteVpc", VpcId=vpc)
    assert refusal(lambda: vpc_status(console, vpc)) == "InvalidVpcId.NotFound"


def test_a_switch_takes_its_time_and_its_block_fits(account: Account) -> None:
    console = account.console
    asked = {"VpcId": account.vpc, "ZoneId": ZONE}
    outside = refusal(lambda: console.vpc("CreateVSwitch", CidrBlock="10.43.0.0/24", **asked))
    assert outside == "InvalidCidrBlock.Malformed"
    switch = console.vpc("CreateVSwitch", CidrBlock="10.42.1.0/24", **asked)["VSwitchId"]
    described = console.vpc("DescribeVSwitchAttributes", VSwitchId=switch)
    assert (described["Status"], described["Ipv6CidrBlock"]) == ("Pending", "")
    busy = refusal(lambda: console.vpc("CreateVSwitch", CidrBlock="10.42.2.0/24", **asked))
    assert busy == "IncorrectVSwitchStatus"
    account.settle()
    assert console.vpc("DescribeVSwitchAttributes", VSwitchId=switch)["Status"] == "Available"
    overlapping = refusal(lambda: console.vpc("CreateVSwitch", CidrBlock="10.42.1.128/25", **asked))
    assert overlapping == "InvalidCidrBlock.Overlapped"
    console.vpc("DeleteVSwitch", VSwitchId=switch)
    assert console.vpc("DescribeVSwitchAttributes", VSwitchId=switch)["VSwitchId"] == ""


def test_an_instance_starts_stops_and_reboots(account: Account) -> None:
    console = account.console
    instance = account.run()
    assert account.status(instance) == "Pending"
    early = refusal(lambda: console.ecs("DeleteInstance", InstanceId=instance, Force=True))
    assert early == "IncorrectInstanceStatus.Initializing"
    account.settle()
    assert account.status(instance) == "Running"
    assert refusal(lambda: console.ecs("StartInstance", InstanceId=instance)) == "IncorrectInstanceStatus"
    console.ecs("StopInstance", InstanceId=instance)
    assert account.status(instance) == "Stopping"
    assert refusal(lambda: console.ecs("StartInstance", InstanceId=instance)) == "IncorrectInstanceStatus"
    account.settle()
    assert account.status(instance) == "Stopped"
    console.ecs("StartInstance", InstanceId=instance)
    assert account.status(instance) == "Starting"
    account.settle()
    console.ecs("RebootInstance", InstanceId=instance)
    assert account.status(instance) == "Starting"
    account.settle()
    assert account.status(instance) == "Running"
    assert refusal(lambda: console.ecs("DeleteInstance", InstanceId=instance)) == "IncorrectInstanceStatus"
    console.ecs("DeleteInstance", InstanceId=instance, Force=True)
    assert account.status(instance) == ""


def test_a_type_changes_only_while_it_is_stopped(account: Account) -> None:
    console = account.console
    change = {"InstanceId": account.instance, "InstanceType": "ecs.e-c1m2.xlarge"}
    assert refusal(lambda: console.ecs("ModifyInstanceSpec", **change)) == "IncorrectInstanceStatus"
    console.ecs("StopInstance", InstanceId=account.instance)
    account.settle()
    wrong_disk = {"InstanceId": account.instance, "InstanceType": "ecs.t5-c1m2.large"}
    assert refusal(lambda: console.ecs("ModifyInstanceSpec", **wrong_disk)) == "CategoryViolation"
    console.ecs("ModifyInstanceSpec", **change)
    described = account.described(account.instance)
    assert described is not None
    assert (described["Cpu"], described["Memory"]) == (4, 8192)


def test_a_replaced_system_disk_is_another_one_and_loses_policy_and_key(account: Account) -> None:
    """As on Aliyun: the instance and its data disks stay, what was set on the old system disk does not."""
    console = account.console
    console.ecs("AttachDisk", DiskId=account.disk, InstanceId=account.instance)
    account.settle()
    old = console.ecs("DescribeDisks", InstanceId=account.instance, DiskType="system")["Disks"]["Disk"][0]["DiskId"]
    console.ecs(
        "ApplyAutoSnapshotPolicy",
        regionId="cn-hangzhou",
        autoSnapshotPolicyId=account.policy,
        diskIds=json.dumps([old]),
    )
    asked = {"InstanceId": account.instance, "ImageId": NEWER_IMAGE}
    assert refusal(lambda: console.ecs("ReplaceSystemDisk", **asked)) == "IncorrectInstanceStatus"
    console.ecs("StopInstance", InstanceId=account.instance)
    account.settle()
    new = console.ecs("ReplaceSystemDisk", **asked)["DiskId"]
    assert new != old
    assert account.disk_status(old) == ""
    fresh = account.described_disk(new)
    assert fresh is not None
    assert (fresh["AutoSnapshotPolicyId"], fresh["InstanceId"]) == ("", account.instance)
    described = account.described(account.instance)
    assert described is not None
    assert (described["ImageId"], described["KeyPairName"]) == (NEWER_IMAGE, "")
    assert account.disk_status(account.disk) == "In_use"


def test_a_disk_is_made_attached_detached_and_removed(account: Account) -> None:
    console, instance = account.console, account.instance
    made = console.ecs("CreateDisk", ZoneId=ZONE, DiskCategory="cloud_essd", PerformanceLevel="PL0", Size=40)
    disk, pair = made["DiskId"], {"DiskId": made["DiskId"], "InstanceId": instance}
    assert account.disk_status(disk) == "Creating"
    assert refusal(lambda: console.ecs("DeleteDisk", DiskId=disk)) == "IncorrectDiskStatus.Initializing"
    assert refusal(lambda: console.ecs("AttachDisk", **pair)) == "IncorrectDiskStatus"
    account.settle()
    console.ecs("AttachDisk", **pair)
    assert account.disk_status(disk) == "Attaching"
    account.settle()
    described = account.described_disk(disk)
    assert described is not None
    assert (described["Status"], described["Device"]) == ("In_use", "/dev/xvdb")
    assert described["DeleteAutoSnapshot"] is False
    assert refusal(lambda: console.ecs("DeleteDisk", DiskId=disk)) == "IncorrectDiskStatus"
    assert refusal(lambda: console.ecs("AttachDisk", **pair)) == "InvalidDisk.InUse"
    console.ecs("DetachDisk", **pair)
    assert account.disk_status(disk) == "Detaching"
    account.settle()
    assert refusal(lambda: console.ecs("DetachDisk", **pair)) == "InvalidDisk.AlreadyDetached"
    console.ecs("DeleteDisk", DiskId=disk)
    assert refusal(lambda: console.ecs("DeleteDisk", DiskId=disk)) == "InvalidDiskId.NotFound"


def test_a_disk_grows_and_never_shrinks(account: Account) -> None:
    console = account.console
    console.ecs("ResizeDisk", DiskId=account.disk, NewSize=50, Type="online")
    assert account.described_disk(account.disk)["Size"] == 50  # type: ignore[index]
    for size in (50, 20):
        smaller = refusal(lambda size=size: console.ecs("ResizeDisk", DiskId=account.disk, NewSize=size))  # type: ignore[misc]
        assert smaller == "InvalidDiskSize.TooSmall"


@pytest.mark.parametrize("delete_with_instance", [False, True])
def test_a_released_instance_frees_its_disk_and_address(account: Account, *, delete_with_instance: bool) -> None:
    console = account.console
    console.ecs("AttachDisk", DiskId=account.disk, InstanceId=account.instance, DeleteWithInstance=delete_with_instance)
    console.vpc("AssociateEipAddress", AllocationId=account.eip, InstanceId=account.instance)
    account.settle()
    console.ecs("DeleteInstance", InstanceId=account.instance, Force=True)
    account.settle()
    assert account.disk_status(account.disk) == ("" if delete_with_instance else "Available")
    assert account.eip_status(account.eip) == "Available"
    assert console.ecs("DescribeDisks", DiskType="system")["TotalCount"] == 0


def test_an_address_is_bound_and_freed(account: Account) -> None:
    console = account.console
    pair = {"AllocationId": account.eip, "InstanceId": account.instance}
    console.vpc("AssociateEipAddress", InstanceType="EcsInstance", **pair)
    row = console.vpc("DescribeEipAddresses", AllocationId=account.eip)["EipAddresses"]["EipAddress"][0]
    assert (row["Status"], row["InstanceId"]) == ("Associating", account.instance)
    account.settle()
    assert account.eip_status(account.eip) == "InUse"
    assert refusal(lambda: console.vpc("AssociateEipAddress", **pair)) == "IncorrectEipStatus"
    assert refusal(lambda: console.vpc("ReleaseEipAddress", AllocationId=account.eip)) == "IncorrectEipStatus"
    second = console.vpc("AllocateEipAddress", InternetChargeType="PayByTraffic")["AllocationId"]
    taken = refusal(lambda: console.vpc("AssociateEipAddress", AllocationId=second, InstanceId=account.instance))
    assert taken == "InvalidAssociation.Duplicated"
    described = account.described(account.instance)
    assert described is not None
    assert described["EipAddress"]["IpAddress"] == row["IpAddress"]
    console.vpc("UnassociateEipAddress", **pair)
    assert account.eip_status(account.eip) == "Unassociating"
    assert refusal(lambda: console.vpc("ReleaseEipAddress", AllocationId=account.eip)) == "IncorrectEipStatus"
    account.settle()
    console.vpc("ReleaseEipAddress", AllocationId=account.eip)
    assert account.eip_status(account.eip) == ""


def test_an_address_is_not_bound_to_an_instance_that_comes_or_goes(account: Account) -> None:
    console = account.console
    instance = account.run()
    pair = {"AllocationId": account.eip, "InstanceId": instance}
    assert refusal(lambda: console.vpc("AssociateEipAddress", **pair)) == "IncorrectInstanceStatus"
    account.settle()
    console.ecs("StopInstance", InstanceId=instance)
    assert refusal(lambda: console.vpc("AssociateEipAddress", **pair)) == "IncorrectInstanceStatus"


def test_an_instance_with_a_public_address_takes_no_eip(account: Account) -> None:
    instance = account.run(InternetMaxBandwidthOut=5)
    account.settle()
    pair = {"AllocationId": account.eip, "InstanceId": instance}
    assert refusal(lambda: account.console.vpc("AssociateEipAddress", **pair)) == "InvalidStatus.InstanceHasBandWidth"


def test_a_snapshot_policy_comes_back_as_it_was_given(account: Account) -> None:
    console = account.console
    console.ecs(
        "ApplyAutoSnapshotPolicy",
        regionId="cn-hangzhou",
        autoSnapshotPolicyId=account.policy,
        diskIds=json.dumps([account.disk]),
    )
    found = console.ecs("DescribeAutoSnapshotPolicyEx", AutoSnapshotPolicyId=account.policy)
    row = found["AutoSnapshotPolicies"]["AutoSnapshotPolicy"][0]
    assert (row["TimePoints"], row["RepeatWeekdays"], row["RetentionDays"]) == ('["3"]', '["1","7"]', 7)
    assert (row["ResourceGroupId"], row["DiskNums"]) == ("", 1)
    listed = console.ecs("DescribeDisks", AutoSnapshotPolicyId=account.policy)
    assert [disk["DiskId"] for disk in listed["Disks"]["Disk"]] == [account.disk]
    console.ecs("CancelAutoSnapshotPolicy", regionId="cn-hangzhou", diskIds=json.dumps([account.disk]))
    assert console.ecs("DescribeDisks", AutoSnapshotPolicyId=account.policy)["TotalCount"] == 0
    console.ecs("DeleteAutoSnapshotPolicy", regionId="cn-hangzhou", autoSnapshotPolicyId=account.policy)
    gone = refusal(
        lambda: console.ecs("DeleteAutoSnapshotPolicy", regionId="cn-hangzhou", autoSnapshotPolicyId=account.policy)
    )
    assert gone == "ParameterInvalid"
