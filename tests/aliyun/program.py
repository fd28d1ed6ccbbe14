"""A small Pulumi program with every kind of resource of the cloud half, run by the real engine and plugin.

Resources are declared by their tokens, without ``pulumi-alicloud``: the plugin is tested here, against the emulation.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import pulumi
from pulumi import automation

from tests.aliyun.account import IMAGE, PUBLIC_KEY, ZONE
from tests.aliyun.emulation.emulation import Emulation
from toolchain.versions import ALICLOUD_PLUGIN


@final
class Cloud(pulumi.CustomResource):
    """A resource of the alicloud plugin; ``outputs`` names what others read of it."""

    def __init__(
        self,
        token: str,
        name: str,
        inputs: Mapping[str, Any],
        *outputs: str,
        options: pulumi.ResourceOptions | None = None,
    ) -> None:
        options = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=ALICLOUD_PLUGIN), options)
        super().__init__(f"alicloud:{token}", name, {**dict.fromkeys(outputs), **inputs}, options)

    def output(self, name: str) -> pulumi.Output[Any]:
        found: pulumi.Output[Any] = self.__dict__[name]
        return found


def stack(
    emulation: Emulation, folder: Path, program: Callable[[], None], environ: Mapping[str, str] | None = None
) -> automation.Stack:
    """Return a stack of a program that sees the emulation and nothing else of a cloud; ``environ`` comes on top."""
    (folder / "backend").mkdir(parents=True, exist_ok=True)
    # A proxy of this machine must not stand between the plugin and loopback.
    inherited = {name: "" for name in os.environ if name.startswith(("ALI", "HTTP_PROXY", "HTTPS_PROXY"))}
    environment = {
        **inherited,
        **emulation.environment,
        **(environ or {}),
        "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    workspace = automation.LocalWorkspaceOptions(work_dir=str(folder), env_vars=environment)
    return automation.create_or_select_stack("test", project_name="emulated", program=program, opts=workspace)


@final
class Everything:
    """All of the cloud half once. Attributes are what tests change between two runs."""

    def __init__(self) -> None:
        self.descriptions = "first"
        self.instance_type = "ecs.e-c1m2.large"
        self.http_tokens = "optional"
        self.image = IMAGE
        self.user_data = "I2Nsb3VkLWNvbmZpZwo="
        self.public_key = PUBLIC_KEY
        self.nic_type: str | None = "intranet"
        self.data_disk_size = 40
        self.bandwidth = "5"
        self.time_points = ["3"]
        self.record_ttl = 600
        self.tags = {"app": "matrix"}

    def __call__(self) -> None:
        network = Cloud(
            "vpc/network:Network", "net", {"vpcName": "matrix", "cidrBlock": "10.42.0.0/16", "tags": self.tags}
        )
        switch = Cloud(
            "vpc/switch:Switch",
            "switch",
            {
                "vpcId": network.id,
                "cidrBlock": "10.42.1.0/24",
                "zoneId": ZONE,
                "vswitchName": "matrix",
                "tags": self.tags,
            },
        )
        group = Cloud(
            "ecs/securityGroup:SecurityGroup",
            "group",
            {"vpcId": network.id, "securityGroupName": "matrix", "innerAccessPolicy": "Drop", "tags": self.tags},
        )
        for kind, protocol, ports, cidr in _RULES:
            Cloud(
                "ecs/securityGroupRule:SecurityGroupRule",
                f"{kind}-{protocol}-{ports}",
                {
                    "securityGroupId": group.id,
                    "type": kind,
                    "ipProtocol": protocol,
                    "portRange": ports,
                    "cidrIp": cidr,
                    "nicType": self.nic_type,
                    "policy": "accept",
                    "priority": 1,
                    "description": self.descriptions,
                },
            )
        key = Cloud(
            "ecs/ecsKeyPair:EcsKeyPair",
            "key",
            {"keyPairName": "matrix", "publicKey": self.public_key, "tags": self.tags},
        )
        policy = Cloud(
            "ecs/autoSnapshotPolicy:AutoSnapshotPolicy",
            "snapshots",
            {
                "autoSnapshotPolicyName": "matrix",
                "timePoints": self.time_points,
                "repeatWeekdays": ["1", "2", "3", "4", "5", "6", "7"],
                "retentionDays": 7,
                "tags": self.tags,
            },
        )
        host = Cloud(
            "ecs/instance:Instance",
            "host",
            {
                "instanceName": "matrix",
                "hostName": "matrix",
                "imageId": self.image,
                "instanceType": self.instance_type,
                "availabilityZone": ZONE,
                "vswitchId": switch.id,
                "securityGroups": [group.id],
                "keyName": key.id,
                "userData": self.user_data,
                "systemDiskCategory": "cloud_essd_entry",
                "systemDiskSize": 40,
                "systemDiskEncrypted": True,
                "instanceChargeType": "PostPaid",
                "httpEndpoint": "enabled",
                "httpTokens": self.http_tokens,
                "securityEnhancementStrategy": "Active",
                "tags": self.tags,
                "volumeTags": self.tags,
            },
            "systemDiskId",
        )
        disk = Cloud(
            "ecs/ecsDisk:EcsDisk",
            "data",
            {
                "diskName": "matrix-data",
                "zoneId": ZONE,
                "category": "cloud_essd",
                "performanceLevel": "PL0",
                "size": self.data_disk_size,
                "type": "online",
                "encrypted": True,
                "deleteWithInstance": False,
                "tags": self.tags,
            },
        )
        Cloud("ecs/ecsDiskAttachment:EcsDiskAttachment", "data", {"diskId": disk.id, "instanceId": host.id})
        for name, disk_id in (("data", disk.id), ("system", host.output("systemDiskId"))):
            Cloud(
                "ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment",
                name,
                {"autoSnapshotPolicyId": policy.id, "diskId": disk_id},
            )
        address = Cloud(
            "ecs/eipAddress:EipAddress",
            "address",
            {
                "addressName": "matrix",
                "bandwidth": self.bandwidth,
                "internetChargeType": "PayByTraffic",
                "isp": "BGP",
                "paymentType": "PayAsYouGo",
                "tags": self.tags,
            },
            "ipAddress",
        )
        Cloud("ecs/eipAssociation:EipAssociation", "address", {"allocationId": address.id, "instanceId": host.id})
        for rr, kind, value in (("matrix", "A", address.output("ipAddress")), *_RECORDS):
            Cloud(
                "dns/alidnsRecord:AlidnsRecord",
                f"{rr}-{kind}",
                {
                    "domainName": "example.com",
                    "rr": rr,
                    "type": kind,
                    "value": value,
                    "ttl": self.record_ttl,
                    "remark": "matrix",
                },
            )


_RULES = (
    ("ingress", "tcp", "80/80", "0.0.0.0/0"),
    ("ingress", "tcp", "443/443", "0.0.0.0/0"),
    ("ingress", "tcp", "8448/8448", "0.0.0.0/0"),
    ("ingress", "tcp", "22/22", "203.0.113.0/24"),
    ("egress", "all", "-1/-1", "0.0.0.0/0"),
)
_RECORDS = (
    ("_matrix-fed._tcp", "SRV", "10 5 8448 matrix.example.com"),
    ("_matrix._tcp", "SRV", "10 5 8448 matrix.example.com"),
    ("@", "CAA", '0 issue "letsencrypt.org"'),
)
