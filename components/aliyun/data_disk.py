"""The disk that holds everything that must not be lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import pulumi
from pulumi_alicloud import ecs

from components.aliyun.ownership import Ownership
from config.instance_types import DiskCategory


@final
@dataclass(frozen=True, kw_only=True)
class DataDiskArgs:
    """Inputs of :class:`DataDisk`."""

    owner: Ownership
    zone: str
    category: DiskCategory
    performance_level: str | None
    size: int
    """GiB."""
    protect: bool


@final
class DataDisk(pulumi.ComponentResource):
    """An encrypted disk of its own for the Docker engine: images, containers and volumes.

    As a block of the instance it would be replaced with the instance, and its data with it.
    """

    disk: ecs.EcsDisk
    serial: pulumi.Output[str]
    """How the guest knows the disk: ``/dev/disk/by-id/virtio-<serial>``."""

    def __init__(self, name: str, args: DataDiskArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:aliyun:DataDisk", name, {}, opts)
        self.disk = ecs.EcsDisk(
            "data",
            disk_name=args.owner.name("data"),
            description="Docker's data root: images, containers, volumes",
            zone_id=args.zone,
            # Unset, it would be one of the old kind, and never another.
            category=args.category,
            performance_level=args.performance_level,
            size=args.size,
            # Growing it while the host runs; the host's file system follows at the next start.
            type="online",
            encrypted=True,
            delete_with_instance=False,
            # Snapshots outlive the disk.
            delete_auto_snapshot=False,
            payment_type="PayAsYouGo",
            tags=args.owner.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=args.protect),
        )
        self.serial = self.disk.id.apply(lambda disk_id: disk_id.removeprefix("d-"))
        self.register_outputs({"diskId": self.disk.id})
