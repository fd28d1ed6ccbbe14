"""Everything that a stack has on Aliyun, as one component."""

from __future__ import annotations

from typing import final

import pulumi
import pulumi_alicloud as alicloud

from components.aliyun.access import Access, AccessArgs
from components.aliyun.cloud_init import ADMIN_USER
from components.aliyun.data_disk import DataDisk, DataDiskArgs
from components.aliyun.dns import Dns, DnsArgs
from components.aliyun.firewall import Firewall, FirewallArgs
from components.aliyun.host import Host, HostArgs
from components.aliyun.network import Network, NetworkArgs
from components.aliyun.ownership import Ownership
from components.aliyun.snapshots import Snapshots, SnapshotsArgs
from components.docker_engine import SshHost
from components.docker_location import DockerLocation
from config.cloud import SSH_PORT
from config.dns import dns_records, is_managed
from config.settings import Settings


@final
class Cloud(pulumi.ComponentResource):
    """A host for the stack's Docker engine, reachable by its names."""

    address: pulumi.Output[str]
    """The public address."""
    ssh: SshHost
    docker: DockerLocation

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:aliyun:Cloud", name, {}, opts)
        cloud = settings.cloud
        if cloud is None:
            raise ValueError("a local stack has nothing in the cloud")
        provider = alicloud.Provider(
            "aliyun",
            region=cloud.region,
            # Unset, the plugin asks the billing service, in a preview too, and without an answer for half a minute.
            account_type=cloud.account_type,
            opts=pulumi.ResourceOptions(parent=self),
        )
        child = pulumi.ResourceOptions(parent=self, providers=[provider])
        owner = Ownership(stack=settings.stack)
        protect = settings.delete_protection
        network = Network(
            "network",
            NetworkArgs(owner=owner, zone=cloud.zone, bandwidth=cloud.bandwidth, protect=protect),
            child,
        )
        firewall = Firewall(
            "firewall",
            FirewallArgs(
                owner=owner,
                vpc_id=network.vpc_id,
                public_ports=settings.published_ports,
                relay_ports=settings.relay_ports,
                admin_cidrs=cloud.admin_cidrs,
            ),
            child,
        )
        access = Access("access", AccessArgs(owner=owner, protect=protect), child)
        data_disk = DataDisk(
            "data-disk",
            DataDiskArgs(
                owner=owner,
                zone=cloud.zone,
                category=cloud.disk_category,
                performance_level=cloud.performance_level,
                size=cloud.data_disk_size,
                protect=protect,
            ),
            child,
        )
        snapshots = Snapshots(
            "snapshots",
            SnapshotsArgs(owner=owner, retention=cloud.snapshot_retention, data_disk_id=data_disk.disk.id),
            child,
        )
        host = Host(
            "host",
            HostArgs(
                owner=owner,
                settings=settings,
                vswitch_id=network.vswitch_id,
                security_group_id=firewall.group_id,
                public_address_id=network.public_address.id,
                snapshot_policy_id=snapshots.policy_id,
                access=access,
                data_disk=data_disk,
            ),
            child,
        )
        self.address = network.public_address.ip_address
        self.ssh = SshHost(
            address=self.address,
            user=ADMIN_USER,
            port=SSH_PORT,
            host_key=access.host_key.public_key_openssh.apply(str.strip),
            private_key=pulumi.Output.secret(access.admin_key.private_key_openssh),
            # Another instance, and another size, which stops and starts the one there is.
            incarnation=pulumi.Output.concat(host.instance.id, "/", host.instance.instance_type),
        )
        # The address alone would not do: it is there before it leads to the host. The rules are made before, and go
        # after, whatever is declared over ssh; where volumes are protected, they stay with them in `make down`.
        after = (*firewall.rules, *host.attachments)
        self.docker = DockerLocation(host=self.ssh, after=after, machine=host.instance)
        managed = [record for record in dns_records(settings) if is_managed(record, settings)]
        if managed:
            Dns(
                "dns",
                DnsArgs(domain=cloud.dns_domain, ttl=cloud.dns_ttl, records=managed, address=self.address),
                child,
            )
        self.register_outputs({"address": self.address})
