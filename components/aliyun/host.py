"""The ECS instance that hosts the stack's Docker engine."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import pulumi
from pulumi_alicloud import ecs

from components.aliyun.access import Access
from components.aliyun.cloud_init import CloudInitArgs, render_user_data
from components.aliyun.data_disk import DataDisk
from components.aliyun.ownership import Ownership
from config.settings import Settings


@final
@dataclass(frozen=True, kw_only=True)
class HostArgs:
    """Inputs of :class:`Host`."""

    owner: Ownership
    settings: Settings
    vswitch_id: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    public_address_id: pulumi.Input[str]
    snapshot_policy_id: pulumi.Input[str]
    access: Access
    data_disk: DataDisk


@final
class Host(pulumi.ComponentResource):
    """The instance, with its public address and the data disk attached.

    It can be replaced: what must not be lost is on the data disk, and the public address stays. The old one goes
    first, since there is one address and one disk.
    """

    instance: ecs.Instance
    attachments: Sequence[pulumi.Resource]
    """Without the address nothing reaches the host, and without the data disk its Docker engine does not start."""

    def __init__(self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:aliyun:Host", name, {}, opts)
        cloud = args.settings.cloud
        if cloud is None:
            raise ValueError("a local stack has no host")
        protect = args.settings.delete_protection
        self.instance = ecs.Instance(
            "host",
            instance_name=args.owner.name("host"),
            host_name=args.owner.name("host"),
            instance_type=cloud.instance_type,
            instance_charge_type="PostPaid",
            image_id=cloud.image_id,
            # The vSwitch says it already; named here, another zone means another instance instead of a failed move.
            availability_zone=cloud.zone,
            vswitch_id=args.vswitch_id,
            security_groups=[args.security_group_id],
            key_name=args.access.key_pair_name,
            system_disk_name=args.owner.name("system"),
            system_disk_category=cloud.disk_category,
            system_disk_performance_level=cloud.performance_level,
            system_disk_size=cloud.system_disk_size,
            system_disk_encrypted=cloud.system_disk_encrypted,
            system_disk_auto_snapshot_policy_id=args.snapshot_policy_id,
            http_endpoint="enabled",
            http_tokens=cloud.metadata_tokens,
            # Unset, the plugin takes what it has read for what is wanted: once a refresh had seen a host that somebody
            # stopped, it would leave it stopped after a change of its size as well.
            status="Running",
            deletion_protection=protect,
            user_data=_user_data(args),
            tags=args.owner.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=protect,
                delete_before_replace=True,
                # Another image would wipe the system disk in place, without a word in the preview; other user data
                # would restart the host, and cloud-init would not read it again.
                ignore_changes=["imageId", "userData"],
            ),
        )
        # Deleted with the instance: taking the disk from a running host would tear it out of a mounted file system.
        attached = pulumi.ResourceOptions(parent=self, deleted_with=self.instance)
        self.attachments = (
            ecs.EipAssociation(
                "public-address-of-host",
                allocation_id=args.public_address_id,
                instance_id=self.instance.id,
                instance_type="EcsInstance",
                opts=attached,
            ),
            ecs.EcsDiskAttachment(
                "data-disk-of-host",
                disk_id=args.data_disk.disk.id,
                instance_id=self.instance.id,
                delete_with_instance=False,
                opts=attached,
            ),
        )
        self.register_outputs({"instanceId": self.instance.id})


def _user_data(args: HostArgs) -> pulumi.Output[str]:
    """Return the user data, sealed: it holds the host's private key."""
    settings = args.settings
    keys = args.access

    def encoded(values: Sequence[str]) -> str:
        host_key_private, host_key_public, admin_key_public, serial = values
        text = render_user_data(
            CloudInitArgs(
                host_name=args.owner.name("host"),
                host_key_private=host_key_private,
                host_key_public=host_key_public.strip(),
                admin_key_public=admin_key_public.strip(),
                data_disk_serial=serial,
                registry_mirrors=settings.registry_mirrors,
                container_subnet=settings.subnet,
            )
        )
        # Always encoded: the provider sends what happens to be base64 as it is, and encodes the rest.
        return base64.b64encode(text.encode()).decode()

    return pulumi.Output.secret(
        pulumi.Output.all(
            keys.host_key.private_key_openssh,
            keys.host_key.public_key_openssh,
            keys.admin_key.public_key_openssh,
            args.data_disk.serial,
        ).apply(encoded)
    )
