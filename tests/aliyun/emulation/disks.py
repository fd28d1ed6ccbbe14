"""Disks: made, changed, attached, detached, removed."""

from __future__ import annotations

import functools

from tests.aliyun.emulation import catalogue
from tests.aliyun.emulation.actions import ECS, Reply, action, page
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import (
    ApiError,
    dry_run,
    missing,
    no_disk,
    no_instance,
    not_valid,
    wrong_disk_status,
    wrong_instance_status,
)
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import Disk, Instance
from tests.aliyun.emulation.tags import for_ecs

_LETTERS = "bcdefghijklmnopqrstuvwxyz"
_MOST_OF_AN_INSTANCE = 17  # with the system disk


@action(ECS, "CreateDisk")
def create_disk(cloud: Cloud, call: Parameters) -> Reply:
    if not call.text("ZoneId") and not call.text("InstanceId"):
        raise missing("ZoneId")
    cloud.check_zone(call.text("ZoneId"))
    category = call.text("DiskCategory", "cloud")
    level = call.text("PerformanceLevel", "PL1" if category == "cloud_essd" else "")
    size = call.integer("Size", 20)
    check_data_disk(category, level, size)
    if sum(disk.kind == "data" for disk in cloud.state.disks.values()) >= cloud.limits.disks:
        raise ApiError(403, "QuotaExceed.PostPaidDisk", "Living postPaid disks quota exceeded.")
    if call.flag("DryRun"):
        raise dry_run()
    disk = Disk(
        disk_id=cloud.new_id("d"),
        kind="data",
        name=call.text("DiskName"),
        description=call.text("Description"),
        category=category,
        performance_level=level,
        size=size,
        encrypted=call.flag("Encrypted"),
        kms_key_id=call.text("KMSKeyId"),
        zone=call.text("ZoneId"),
        created=cloud.time(),
        tags=call.tags(),
    )
    cloud.state.disks[disk.disk_id] = disk
    cloud.change(disk, through="Creating", to="Available")
    job = functools.partial(cloud.hypervisor.create_disk, disk.disk_id, size)
    cloud.run(disk, f"create {disk.disk_id}", job)
    return {"DiskId": disk.disk_id}


@action(ECS, "DescribeDisks")
def describe_disks(cloud: Cloud, call: Parameters) -> Reply:
    wanted = call.listed("DiskIds")
    kind = call.text("DiskType", "all")
    rows = [
        _described(cloud, disk)
        for disk in cloud.state.disks.values()
        if (not wanted or disk.disk_id in wanted)
        and kind in {"all", disk.kind}
        and call.text("InstanceId") in {"", disk.instance_id}
        and call.text("AutoSnapshotPolicyId") in {"", disk.policy_id}
    ]
    return {**page(rows, "Disks", "Disk"), "NextToken": ""}


@action(ECS, "ModifyDiskAttribute")
def modify_disk_attribute(cloud: Cloud, call: Parameters) -> Reply:
    for found in [call.text("DiskId"), *call.many("DiskIds")]:
        if found:
            disk = _find(cloud, found)
            disk.name = call.text("DiskName", disk.name)
            disk.description = call.text("Description", disk.description)
            disk.delete_with_instance = call.flag("DeleteWithInstance", default=disk.delete_with_instance)
            disk.delete_auto_snapshot = call.flag("DeleteAutoSnapshot", default=disk.delete_auto_snapshot)
            disk.enable_auto_snapshot = call.flag("EnableAutoSnapshot", default=disk.enable_auto_snapshot)
    return {}


@action(ECS, "ModifyDiskSpec")
def modify_disk_spec(cloud: Cloud, call: Parameters) -> Reply:
    disk = _find(cloud, call.text("DiskId"))
    category = call.text("DiskCategory", disk.category)
    level = call.text("PerformanceLevel", disk.performance_level)
    check_data_disk(category, level, disk.size)
    disk.category, disk.performance_level = category, level
    cloud.change(disk, through=cloud.shown(disk), to=disk.status)
    return {"TaskId": cloud.new_id("t"), "OrderId": ""}


@action(ECS, "ResizeDisk")
def resize_disk(cloud: Cloud, call: Parameters) -> Reply:
    disk = _find(cloud, call.text("DiskId"))
    size = call.integer("NewSize")
    if size <= disk.size:  # a disk never shrinks
        text = "Specified new disk size is less than the original disk size."
        raise ApiError(403, "InvalidDiskSize.TooSmall", text)
    if size > catalogue.sizes(disk.category, disk.performance_level)[1]:
        raise ApiError(403, "InvalidDiskSize.TooLarge", "Specified new disk size is beyond the permitted range.")
    if cloud.shown(disk) not in {"Available", "In_use"}:
        raise wrong_disk_status()
    disk.size = size
    if disk.kind == "data":
        job = functools.partial(cloud.hypervisor.resize_disk, disk.disk_id, size)
        cloud.run(disk, f"resize {disk.disk_id}", job)
    return {"OrderId": ""}


@action(ECS, "AttachDisk")
def attach_disk(cloud: Cloud, call: Parameters) -> Reply:
    disk = _find(cloud, call.text("DiskId"))
    instance = cloud.state.instances.get(call.text("InstanceId"))
    if instance is None:
        raise no_instance()
    if disk.instance_id:
        raise ApiError(404, "InvalidDisk.InUse", "The specified disk has been occupied.")
    if cloud.shown(disk) != "Available":
        raise wrong_disk_status()
    if cloud.shown(instance) not in {"Running", "Stopped"}:
        raise wrong_instance_status()
    _check_fits(cloud, disk, instance)
    disk.instance_id = instance.instance_id
    disk.device = _free_device(cloud, instance)
    disk.delete_with_instance = call.flag("DeleteWithInstance")
    cloud.change(disk, through="Attaching", to="In_use")
    job = functools.partial(cloud.hypervisor.attach_disk, instance.instance_id, disk.disk_id)
    cloud.run(disk, f"attach {disk.disk_id} to {instance.instance_id}", job)
    return {}


@action(ECS, "DetachDisk")
def detach_disk(cloud: Cloud, call: Parameters) -> Reply:
    disk = _find(cloud, call.text("DiskId"))
    if call.text("InstanceId") not in cloud.state.instances:
        raise no_instance()
    if not disk.instance_id:
        text = "The disk has been detached."
        raise ApiError(400, "InvalidDisk.AlreadyDetached", text)
    if disk.instance_id != call.text("InstanceId"):
        raise ApiError(400, "InvalidParameter.Conflict", "The disk is not attached to the specified instance.")
    if disk.kind == "system":
        text = "The specified disk is a system disk and does not support the operation."
        raise ApiError(403, "InvalidDiskId.OperationNotSupported", text)
    if cloud.shown(disk) != "In_use":
        raise wrong_disk_status()
    unplug(cloud, disk)
    return {}


@action(ECS, "DeleteDisk")
def delete_disk(cloud: Cloud, call: Parameters) -> Reply:
    disk = _find(cloud, call.text("DiskId"))
    if cloud.shown(disk) == "Creating":
        text = "The current disk status does not support this operation."
        raise ApiError(403, "IncorrectDiskStatus.Initializing", text)
    if cloud.shown(disk) != "Available":
        raise wrong_disk_status()
    remove(cloud, disk)
    return {}


def unplug(cloud: Cloud, disk: Disk) -> None:
    """Take a data disk out of its instance."""
    found = disk.instance_id
    disk.instance_id, disk.device = "", ""
    cloud.change(disk, through="Detaching", to="Available")
    job = functools.partial(cloud.hypervisor.detach_disk, found, disk.disk_id)
    cloud.run(disk, f"detach {disk.disk_id} from {found}", job)


def remove(cloud: Cloud, disk: Disk) -> None:
    """Destroy a disk and what is on it."""
    del cloud.state.disks[disk.disk_id]
    if disk.kind == "data":
        job = functools.partial(cloud.hypervisor.delete_disk, disk.disk_id)
        cloud.work.do(f"delete {disk.disk_id}", job, lambda _error: None)


def check_data_disk(category: str, level: str, size: int) -> None:
    """Raise :class:`ApiError` unless such a disk is sold."""
    if not catalogue.is_category(category):
        text = 'The specified parameter "DiskCategory" is not valid.'
        raise ApiError(400, "InvalidDiskCategory.ValueNotSupported", text)
    if (category == "cloud_essd") != (level in catalogue.LEVELS) or (level and level not in catalogue.LEVELS):
        text = "The specified parameter PerformanceLevel is not valid."
        raise ApiError(400, "InvalidPerformanceLevel.Malformed", text)
    smallest, largest = catalogue.sizes(category, level)
    if not smallest <= size <= largest:
        raise ApiError(400, "InvalidDiskSize.NotSupported", "The specified parameter size is not valid.")


def _check_fits(cloud: Cloud, disk: Disk, instance: Instance) -> None:
    if disk.zone != instance.zone:
        text = "The specified instance and disk are not in the same zone."
        raise ApiError(403, "ResourcesNotInSameZone", text)
    family = catalogue.INSTANCE_TYPES[instance.instance_type].family
    if disk.category not in catalogue.categories(family):
        text = "The specified instance type does not support this disk category."
        raise ApiError(403, "InstanceDiskCategoryNotSupport", text)
    attached = sum(other.instance_id == instance.instance_id for other in cloud.state.disks.values())
    if attached >= _MOST_OF_AN_INSTANCE:
        text = "The amount of the disk on instance in question reach its limits."
        raise ApiError(403, "InstanceDiskLimitExceeded", text)


def _free_device(cloud: Cloud, instance: Instance) -> str:
    used = {disk.device for disk in cloud.state.disks.values() if disk.instance_id == instance.instance_id}
    return next(f"/dev/xvd{letter}" for letter in _LETTERS if f"/dev/xvd{letter}" not in used)


def _find(cloud: Cloud, disk_id: str) -> Disk:
    if not disk_id:
        raise not_valid("DiskId")
    if disk_id not in cloud.state.disks:
        raise no_disk()
    return cloud.state.disks[disk_id]


def _described(cloud: Cloud, disk: Disk) -> Reply:
    return {
        "DiskId": disk.disk_id,
        "DiskName": disk.name,
        "Description": disk.description,
        "Type": disk.kind,
        "Category": disk.category,
        "PerformanceLevel": disk.performance_level,
        "Size": disk.size,
        "Status": cloud.shown(disk),
        "InstanceId": disk.instance_id,
        "Device": disk.device,
        "ZoneId": disk.zone,
        "RegionId": cloud.region,
        "CreationTime": disk.created,
        "ImageId": disk.image_id,
        "ResourceGroupId": "rg-default",
        # The plugin needs true booleans here: an assertion of the type ends it otherwise.
        "Encrypted": disk.encrypted,
        "DeleteWithInstance": disk.delete_with_instance,
        "DeleteAutoSnapshot": disk.delete_auto_snapshot,
        "EnableAutoSnapshot": disk.enable_auto_snapshot,
        "EnableAutomatedSnapshotPolicy": bool(disk.policy_id),
        "Portable": disk.kind == "data",
        "BurstingEnabled": False,
        "AutoSnapshotPolicyId": disk.policy_id,
        "KMSKeyId": disk.kms_key_id,
        "DiskChargeType": "PostPaid",
        "MultiAttach": "Disabled",
        "SourceSnapshotId": "",
        "StorageSetId": "",
        "StorageClusterId": "",
        "ProvisionedIops": 0,
        "Tags": for_ecs(disk.tags),
    }
