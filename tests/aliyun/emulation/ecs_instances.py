"""Instances: how they come into being, and what is told of them."""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import IPv4Address

from tests.aliyun.emulation import catalogue
from tests.aliyun.emulation.actions import ECS, Reply, action, page
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import (
    ApiError,
    dry_run,
    missing,
    no_instance,
    no_switch,
    not_valid,
)
from tests.aliyun.emulation.hypervisor import Guest
from tests.aliyun.emulation.packet_filter import apply_to_group, filtering
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import Disk, Instance, VSwitch
from tests.aliyun.emulation.tags import for_ecs
from tests.aliyun.emulation.vpc import next_address

USER_DATA = 32 * 1024
"""Bytes of user data, before base64."""

_SEGMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")


@action(ECS, "RunInstances")
def run_instances(cloud: Cloud, call: Parameters) -> Reply:
    for name in ("ImageId", "InstanceType", "VSwitchId"):
        if name not in call:
            raise missing(name)
    kind = catalogue.instance_type(call.text("InstanceType"))
    switch = _switch(cloud, call)
    groups = _groups(cloud, call, switch)
    instance = _instance(cloud, call, kind, switch, groups)
    system_disk = _system_disk(cloud, call, instance, kind)
    check_user_data(call.text("UserData"))
    check_host_name(instance.host_name)
    if call.text("KeyPairName") and call.text("KeyPairName") not in cloud.state.key_pairs:
        raise ApiError(404, "InvalidKeyPairName.NotFound", "The specified KeyPairName does not exist.")
    if len(cloud.state.instances) >= cloud.limits.instances:
        raise ApiError(
            403, "QuotaExceed.ElasticQuota", "No additional quota is available for the specified ECS instance type."
        )
    if call.objects("DataDisk"):  # a disk of its own outlives the instance; nothing here uses these
        raise not_valid("DataDisk.1.Size")
    if call.flag("DryRun"):
        raise dry_run()
    cloud.state.instances[instance.instance_id] = instance
    cloud.state.disks[system_disk.disk_id] = system_disk
    cloud.change(instance, through="Pending", to="Running")
    boot(cloud, instance)
    for group_id in groups:
        apply_to_group(cloud, group_id)
    return {"InstanceIdSets": {"InstanceIdSet": [instance.instance_id]}, "OrderId": "", "TradePrice": 0}


def boot(cloud: Cloud, instance: Instance) -> None:
    """Have the hypervisor make and start an instance's machine."""
    machine = guest(cloud, instance)
    protect = filtering(cloud, instance)

    def job() -> None:
        cloud.hypervisor.create(machine)
        protect()  # before it runs: a guest is never open, not even for a moment
        cloud.hypervisor.start(machine.instance_id)

    cloud.run(instance, f"boot {instance.instance_id}", job, failed="Stopped")


def guest(cloud: Cloud, instance: Instance) -> Guest:
    """Return an instance as its machine is to be."""
    pair = cloud.state.key_pairs.get(instance.key_pair)
    return Guest(
        instance_id=instance.instance_id,
        host_name=instance.host_name,
        private_address=IPv4Address(instance.private_address),
        user_data=base64.b64decode(instance.user_data),
        authorized_keys=[pair.public_key] if pair else [],
        cpus=instance.cpus,
        memory=instance.memory,
    )


def find(cloud: Cloud, instance_id: str) -> Instance:
    """Return an instance; raises :class:`ApiError`."""
    if instance_id not in cloud.state.instances:
        raise no_instance()
    return cloud.state.instances[instance_id]


def check_user_data(text: str) -> None:
    """Raise :class:`ApiError` unless it is base64 and not too large."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise not_valid("UserData") from error
    if len(raw) > USER_DATA:
        text = 'The specified parameter "UserData" exceeds the size.'
        raise ApiError(400, "InvalidUserData.SizeExceeded", text)


def check_host_name(name: str) -> None:
    """Raise :class:`ApiError` unless Linux could have that name."""
    if not 2 <= len(name) <= 64 or not all(_SEGMENT.fullmatch(segment) for segment in name.split(".")) or "--" in name:
        raise ApiError(400, "InvalidHostName.Malformed", 'The specified parameter "HostName" is not valid.')


def new_system_disk(cloud: Cloud, instance: Instance, like: Disk) -> Disk:
    """Return a fresh system disk of the same kind: another id, nothing on it but the image."""
    fresh = Disk(
        **{name: value for name, value in vars(like).items() if name not in {"disk_id", "created", "policy_id"}},
        disk_id=cloud.new_id("d"),
        created=cloud.time(),
    )
    fresh.image_id = instance.image_id
    return fresh


def _switch(cloud: Cloud, call: Parameters) -> VSwitch:
    switch = cloud.state.switches.get(call.text("VSwitchId"))
    if switch is None:
        raise no_switch()
    if cloud.shown(switch) != "Available":
        text = "The current status of virtual switch does not support this operation."
        raise ApiError(400, "IncorrectVSwitchStatus", text)
    if call.text("ZoneId", switch.zone) != switch.zone:
        raise ApiError(400, "InvalidParameter.Mismatch", "Specified virtual switch is not in the specified zone.")
    return switch


def _groups(cloud: Cloud, call: Parameters, switch: VSwitch) -> list[str]:
    groups = call.many("SecurityGroupIds") or [found for found in [call.text("SecurityGroupId")] if found]
    if not groups:
        raise missing("SecurityGroupId")
    for found in groups:
        if found not in cloud.state.groups:
            text = "The SecurityGroupId provided does not exist in our records."
            raise ApiError(400, "InvalidSecurityGroupId.NotFound", text)
        if cloud.state.groups[found].vpc_id != switch.vpc_id:
            text = "The specified security group and virtual switch are not in the same VPC."
            raise ApiError(403, "InvalidParameter.NotMatch", text)
    return groups


def _instance(
    cloud: Cloud, call: Parameters, kind: catalogue.InstanceType, switch: VSwitch, groups: list[str]
) -> Instance:
    instance_id = cloud.new_id("i")
    tokens, endpoint = call.text("HttpTokens", "optional"), call.text("HttpEndpoint", "enabled")
    check_metadata_options(tokens, endpoint)
    return Instance(
        instance_id=instance_id,
        name=call.text("InstanceName", instance_id),
        description=call.text("Description"),
        host_name=call.text("HostName", f"iZ{instance_id.removeprefix('i-')}Z"),
        image_id=call.text("ImageId"),
        instance_type=kind.name,
        cpus=kind.cpus,
        memory=kind.memory,
        zone=switch.zone,
        vpc_id=switch.vpc_id,
        switch_id=switch.switch_id,
        private_address=call.text("PrivateIpAddress") or next_address(cloud, switch),
        network_interface_id=cloud.new_id("eni"),
        group_ids=groups,
        key_pair=call.text("KeyPairName"),
        user_data=call.text("UserData"),
        charge_type=call.text("InstanceChargeType", "PostPaid"),
        bandwidth_out=call.integer("InternetMaxBandwidthOut"),
        internet_charge_type=call.text("InternetChargeType", "PayByTraffic"),
        http_tokens=tokens,
        http_endpoint=endpoint,
        deletion_protection=call.flag("DeletionProtection"),
        stopped_mode="Not-applicable",
        credit_specification=call.text("CreditSpecification"),
        security_enhancement=call.text("SecurityEnhancementStrategy"),
        ram_role=call.text("RamRoleName"),
        created=cloud.minute(),
        started=cloud.minute(),
        tags=call.tags(),
    )


def check_metadata_options(tokens: str, endpoint: str) -> None:
    """Raise :class:`ApiError` for what the metadata service cannot be set to."""
    if tokens not in {"optional", "required"}:
        text = "The specified HttpTokens not supported, you can use optional(default) or required."
        raise ApiError(400, "InvalidHttpTokens.NotSupported", text)
    if endpoint not in {"enabled", "disabled"}:
        text = "The specified HttpEndpoint not supported, you can use enabled(default) or disabled."
        raise ApiError(400, "InvalidHttpEndpoint.NotSupported", text)


def _system_disk(cloud: Cloud, call: Parameters, instance: Instance, kind: catalogue.InstanceType) -> Disk:
    asked = call.nested("SystemDisk")
    category = asked.text("Category", "cloud_efficiency")
    if not catalogue.is_category(category):
        text = 'The specified parameter "SystemDisk.Category" is not valid.'
        raise ApiError(400, "InvalidSystemDiskCategory.ValueNotSupported", text)
    if category not in catalogue.categories(kind.family):
        text = "The specified disk category is not support the specified instance type."
        raise ApiError(403, "InvalidDiskCategory.NotSupported", text)
    level = asked.text("PerformanceLevel", "PL1") if category == "cloud_essd" else ""
    if level and level not in catalogue.LEVELS:
        text = "The specified parameter PerformanceLevel is not valid."
        raise ApiError(400, "InvalidPerformanceLevel.Malformed", text)
    size = asked.integer("Size", max(40, catalogue.image_size(instance.image_id)))
    catalogue.check_system_disk(size, instance.image_id)
    policy = asked.text("AutoSnapshotPolicyId")
    if policy and policy not in cloud.state.policies:
        text = "The specified automatic snapshot policy does not exist."
        raise ApiError(404, "InvalidAutoSnapshotPolicyId.NotFound", text)
    return Disk(
        disk_id=cloud.new_id("d"),
        kind="system",
        name=asked.text("DiskName"),
        description=asked.text("Description"),
        category=category,
        performance_level=level,
        size=size,
        encrypted=asked.flag("Encrypted"),
        kms_key_id=asked.text("KMSKeyId"),
        zone=instance.zone,
        created=cloud.time(),
        tags={},
        status="In_use",
        instance_id=instance.instance_id,
        device="/dev/xvda",
        delete_with_instance=True,
        policy_id=policy,
        image_id=instance.image_id,
    )


@action(ECS, "DescribeInstances")
def describe_instances(cloud: Cloud, call: Parameters) -> Reply:
    wanted = call.listed("InstanceIds")
    rows = [
        _described(cloud, instance)
        for instance in cloud.state.instances.values()
        if (not wanted or instance.instance_id in wanted)
        and call.text("VSwitchId") in {"", instance.switch_id}
        and call.text("SecurityGroupId") in {"", *instance.group_ids}
    ]
    return {**page(rows, "Instances", "Instance"), "NextToken": ""}


def _described(cloud: Cloud, instance: Instance) -> Reply:
    eip = next((found for found in cloud.state.eips.values() if found.instance_id == instance.instance_id), None)
    interface = {
        "NetworkInterfaceId": instance.network_interface_id,
        "Type": "Primary",
        "PrimaryIpAddress": instance.private_address,
        "MacAddress": "00:16:3e:00:00:01",
        "PrivateIpSets": {"PrivateIpSet": [{"PrivateIpAddress": instance.private_address, "Primary": True}]},
    }
    return {
        "InstanceId": instance.instance_id,
        "InstanceName": instance.name,
        "Description": instance.description,
        "HostName": instance.host_name,
        "Status": cloud.shown(instance),
        "RegionId": cloud.region,
        "ZoneId": instance.zone,
        "ImageId": instance.image_id,
        "InstanceType": instance.instance_type,
        "Cpu": instance.cpus,
        "Memory": instance.memory,
        "OSName": instance.image_id.split("_x64")[0],
        "OSType": "linux",
        "InstanceNetworkType": "vpc",
        "IoOptimized": True,
        "InstanceChargeType": instance.charge_type,
        "InternetChargeType": instance.internet_charge_type,
        "InternetMaxBandwidthOut": instance.bandwidth_out,
        "InternetMaxBandwidthIn": 0,
        "KeyPairName": instance.key_pair,
        "ResourceGroupId": "rg-default",
        "DeletionProtection": instance.deletion_protection,
        "CreditSpecification": instance.credit_specification,
        "StoppedMode": instance.stopped_mode,
        "CreationTime": instance.created,
        "StartTime": instance.started,
        "ExpiredTime": "2099-12-31T15:59Z",
        "AutoReleaseTime": "",
        "SpotStrategy": "NoSpot",
        "SpotPriceLimit": 0.0,
        "SpotDuration": 0,
        "SpotInterruptionBehavior": "Terminate",
        "DeploymentSetId": "",
        "HpcClusterId": "",
        "MetadataOptions": {
            "HttpTokens": instance.http_tokens,
            "HttpEndpoint": instance.http_endpoint,
            "HttpPutResponseHopLimit": 1,
        },
        "CpuOptions": {
            "CoreCount": max(1, instance.cpus // 2),
            "ThreadsPerCore": 2,
            "Numa": "",
            "TopologyType": "ContinuousCoreToHTMapping",
        },
        "ImageOptions": {"LoginAsNonRoot": False},
        "AdditionalInfo": {"EnableHighDensityMode": False},
        "DedicatedHostAttribute": {"DedicatedHostId": "", "DedicatedHostName": ""},
        "OperationLocks": {"LockReason": []},
        "SecurityGroupIds": {"SecurityGroupId": instance.group_ids},
        "VpcAttributes": {
            "VpcId": instance.vpc_id,
            "VSwitchId": instance.switch_id,
            "PrivateIpAddress": {"IpAddress": [instance.private_address]},
            "NatIpAddress": "",
        },
        "PublicIpAddress": {"IpAddress": []},
        "InnerIpAddress": {"IpAddress": []},
        "EipAddress": {
            "AllocationId": eip.allocation_id if eip else "",
            "IpAddress": eip.address if eip else "",
            "InternetChargeType": eip.internet_charge_type if eip else "",
            "Bandwidth": int(eip.bandwidth) if eip else 0,
            "IsSupportUnassociate": bool(eip),
        },
        "NetworkInterfaces": {"NetworkInterface": [interface]},
        "Tags": for_ecs(instance.tags),
    }
