"""Start, stop, reboot, resize, reinstall and release instances."""

from __future__ import annotations

import functools

from tests.aliyun.emulation import catalogue, disks
from tests.aliyun.emulation.actions import ECS, Reply, action
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.ecs_instances import find, guest, new_system_disk
from tests.aliyun.emulation.errors import ApiError, wrong_instance_status
from tests.aliyun.emulation.packet_filter import apply_to_group, filtering
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import Disk, Instance


@action(ECS, "StartInstance")
def start_instance(cloud: Cloud, call: Parameters) -> Reply:
    instance = _in(cloud, call, "Stopped")
    instance.started, instance.stopped_mode = cloud.minute(), "Not-applicable"
    cloud.change(instance, through="Starting", to="Running")
    switch_on(cloud, instance)
    return {}


def switch_on(cloud: Cloud, instance: Instance) -> None:
    """Have the hypervisor start an instance's machine, made anew if its system disk was replaced."""
    machine = guest(cloud, instance) if instance.reinstall else None
    protect = filtering(cloud, instance)

    def job() -> None:
        if machine is not None:
            cloud.hypervisor.reinstall(machine)
        protect()
        cloud.hypervisor.start(instance.instance_id)

    instance.reinstall = False
    cloud.run(instance, f"start {instance.instance_id}", job, failed="Stopped")


@action(ECS, "StopInstance")
def stop_instance(cloud: Cloud, call: Parameters) -> Reply:
    instance = _in(cloud, call, "Running")
    instance.stopped_mode = call.text("StoppedMode", "KeepCharging")
    cloud.change(instance, through="Stopping", to="Stopped")
    force = call.flag("ForceStop")
    job = functools.partial(cloud.hypervisor.stop, instance.instance_id, force=force)
    cloud.run(instance, f"stop {instance.instance_id}", job, failed="Running")
    return {}


@action(ECS, "RebootInstance")
def reboot_instance(cloud: Cloud, call: Parameters) -> Reply:
    instance = _in(cloud, call, "Running")
    instance.started = cloud.minute()
    cloud.change(instance, through="Starting", to="Running")
    force = call.flag("ForceStop")
    job = functools.partial(cloud.hypervisor.reboot, instance.instance_id, force=force)
    cloud.run(instance, f"reboot {instance.instance_id}", job, failed="Stopped")
    return {}


@action(ECS, "ModifyInstanceSpec")
def modify_instance_spec(cloud: Cloud, call: Parameters) -> Reply:
    instance = _in(cloud, call, "Stopped")
    kind = catalogue.instance_type(call.text("InstanceType", instance.instance_type))
    allowed = catalogue.categories(kind.family)
    if any(disk.category not in allowed for disk in _disks(cloud, instance)):
        text = "The specified instance does not support this operation because of its disk category."
        raise ApiError(403, "CategoryViolation", text)
    instance.instance_type, instance.cpus, instance.memory = kind.name, kind.cpus, kind.memory
    found, cpus, memory = instance.instance_id, kind.cpus, kind.memory
    job = functools.partial(cloud.hypervisor.resize, found, cpus=cpus, memory=memory)
    cloud.run(instance, f"resize {found}", job)
    return {"OrderId": ""}


@action(ECS, "ReplaceSystemDisk")
def replace_system_disk(cloud: Cloud, call: Parameters) -> Reply:
    """Put a fresh system disk in: what was on the old one is gone, the data disks stay."""
    instance = _in(cloud, call, "Stopped")
    old = next(disk for disk in _disks(cloud, instance) if disk.kind == "system")
    image_id = call.text("ImageId", instance.image_id)
    size = call.nested("SystemDisk").integer("Size", old.size)
    catalogue.check_system_disk(size, image_id)
    if size < old.size:
        text = "The specified parameter SystemDisk.Size is invalid."
        raise ApiError(400, "InvalidSystemDiskSize.ValueNotSupported", text)
    instance.image_id = image_id
    instance.key_pair = call.text("KeyPairName")  # lost if not named again
    fresh = new_system_disk(cloud, instance, old)
    fresh.size = size
    del cloud.state.disks[old.disk_id]
    cloud.state.disks[fresh.disk_id] = fresh
    instance.reinstall = True  # at the next start: only then it is known which key pair was attached again
    return {"DiskId": fresh.disk_id}


@action(ECS, "DeleteInstance")
def delete_instance(cloud: Cloud, call: Parameters) -> Reply:
    instance = find(cloud, call.text("InstanceId"))
    if instance.deletion_protection:
        text = "The operation is not allowed due to deletion protection."
        raise ApiError(403, "InvalidOperation.DeletionProtection", text)
    if instance.charge_type == "PrePaid":
        text = "The operation is not permitted due to charge type of the instance."
        raise ApiError(403, "ChargeTypeViolation", text)
    status = cloud.shown(instance)
    if status == "Pending":
        text = "The specified instance status does not support this operation."
        raise ApiError(403, "IncorrectInstanceStatus.Initializing", text)
    if status != "Stopped" and not (status == "Running" and call.flag("Force")):
        raise wrong_instance_status()
    cloud.change(instance, through="Stopping", to="Stopping")
    release(cloud, instance, running=status == "Running")
    return {}


def release(cloud: Cloud, instance: Instance, *, running: bool) -> None:
    """Have the hypervisor remove an instance's machine; the instance is there until that is done."""
    job = functools.partial(_tear_down, cloud, instance.instance_id, running=running)
    cloud.run(instance, f"release {instance.instance_id}", job, after=functools.partial(_forget, cloud, instance))


def _tear_down(cloud: Cloud, instance_id: str, *, running: bool) -> None:
    if running:
        cloud.hypervisor.stop(instance_id, force=True)
    cloud.hypervisor.delete(instance_id)


def _forget(cloud: Cloud, instance: Instance) -> None:
    """Drop a released instance: its system disk goes with it, other disks and its address become free."""
    for disk in _disks(cloud, instance):
        if disk.kind == "system" or disk.delete_with_instance:
            disks.remove(cloud, disk)
        else:
            disk.instance_id, disk.device, disk.status, disk.passing = "", "", "Available", ""
    for address in cloud.state.eips.values():
        if address.instance_id == instance.instance_id:
            address.instance_id, address.instance_type, address.status, address.passing = "", "", "Available", ""
    del cloud.state.instances[instance.instance_id]
    for group_id in instance.group_ids:
        apply_to_group(cloud, group_id)


def _disks(cloud: Cloud, instance: Instance) -> list[Disk]:
    return [disk for disk in cloud.state.disks.values() if disk.instance_id == instance.instance_id]


def _in(cloud: Cloud, call: Parameters, status: str) -> Instance:
    """Return the instance that a call names if it is in this status; raises :class:`ApiError`."""
    instance = find(cloud, call.text("InstanceId"))
    if cloud.shown(instance) != status or instance.busy:
        raise wrong_instance_status()
    return instance
