"""Takes up what the hypervisor had not finished when the emulation was stopped."""

from __future__ import annotations

import functools
from ipaddress import IPv4Address

from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.ecs_instances import boot
from tests.aliyun.emulation.instance_lifecycle import release, switch_on
from tests.aliyun.emulation.state import Disk, Eip, Instance


def resume(cloud: Cloud) -> None:
    """Ask again for everything that was left busy. Hypervisors take a request for what is done already."""
    with cloud.lock:
        for disk in list(cloud.state.disks.values()):
            if disk.busy:
                _disk(cloud, disk)
        for instance in list(cloud.state.instances.values()):
            if instance.busy:
                _instance(cloud, instance)
        for eip in list(cloud.state.eips.values()):
            if eip.busy:
                _address(cloud, eip)


def _disk(cloud: Cloud, disk: Disk) -> None:
    if disk.passing == "Creating":
        job = functools.partial(cloud.hypervisor.create_disk, disk.disk_id, disk.size)
    elif disk.passing == "Attaching":
        job = functools.partial(cloud.hypervisor.attach_disk, disk.instance_id, disk.disk_id)
    else:
        job = functools.partial(cloud.hypervisor.resize_disk, disk.disk_id, disk.size)
    cloud.run(disk, f"take up {disk.disk_id}", job)


def _instance(cloud: Cloud, instance: Instance) -> None:
    if instance.passing == "Pending":
        boot(cloud, instance)
    elif instance.passing == "Starting":
        switch_on(cloud, instance)
    elif instance.status == "Stopped":
        job = functools.partial(cloud.hypervisor.stop, instance.instance_id, force=True)
        cloud.run(instance, f"stop {instance.instance_id}", job)
    else:
        release(cloud, instance, running=True)


def _address(cloud: Cloud, eip: Eip) -> None:
    if eip.instance_id:
        job = functools.partial(cloud.hypervisor.associate_address, eip.instance_id, IPv4Address(eip.address))
        cloud.run(eip, f"bind {eip.address}", job)
    else:
        eip.busy = False
