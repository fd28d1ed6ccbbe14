"""A small Pulumi program with every kind of resource of the cloud half, run by the real engine and plugin.

Resources are declared by their tokens, without ``pulumi-alicloud``: tested here is the plugin against the emulation.
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

VERSION = "3.105.0"
"""Of the plugin, as ``toolchain/versions.py`` has it."""


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
        options = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=VERSION), options)
        super().__init__(f"alicloud:{token}", name, {**dict.fromkeys(outputs), **inputs}, options)

    def output(self, name: str) -> pulumi.Output[Any]:
        found: pulumi.Output[Any] = self.__dict__[name]
        return found


def stack(emulation: Emulation, folder: Path, program: Callable[[], None], name: str = "test") -> automation.Stack:
    """Return a stack of a program that sees the emulation and nothing else of a cloud."""
    (folder / "backend").mkdir(parents=True, exist_ok=True)
    # A proxy of this machine must not stand between the plugin and loopback.
    inherited = {name: "" for name in os.environ if name.startswith(("ALI", "HTTP_PROXY", "HTTPS_PROXY"))}
    environment = {
        **inherited,
        **emulation.environment,
        "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    workspace = automation.LocalWorkspaceOptions(work_dir=str(folder), env_vars=environment)
    return automation.create_or_select_stack(name, project_name="emulated", program=program, opts=workspace)


@final
class Everything:
    """All of the cloud half once. Attributes are what tests change between two runs."""

    def __init__(self) -> None:
        self.descriptions = "first"
        self.instance_type = "ecs.e-c1m2.large"
        self.http_tokens = "optional"

    def __call__(self) -> None:
        network = Cloud("vpc/network:Network", "net", {"vpcName": "matrix", "cidrBlock": "10.42.0.0/16", "tags": _TAGS})
        switch = Cloud(
            "vpc/switch:Switch",
            "switch",
            {
                "vpcId": network.id,
                "cidrBlock": "10.42.1.0/24",
                "zoneId": ZONE,
                "vswitchName": "matrix",
                "tags": _TAGS,
            },
        )
        group = Cloud(
            "ecs/securityGroup:SecurityGroup",
            "group",
            {"vpcId": network.id, "securityGroupName": "matrix", "innerAccessPolicy": "Drop", "tags": _TAGS},
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
                    "nicType": "intranet",
                    "policy": "accept",
                    "priority": 1,
                    "description": self.descriptions,
                },
            )
        key = Cloud(
            "ecs/ecsKeyPair:EcsKeyPair", "key", {"keyPairName": "matrix", "publicKey": PUBLIC_KEY, "tags": _TAGS}
        )
        policy = Cloud(
            "ecs/autoSnapshotPolicy:AutoSnapshotPolicy",
            "snapshots",
            {
                "autoSnapshotPolicyName": "matrix",
                "timePoints": ["3"],
                "repeatWeekdays": ["1", "2", "3", "4", "5", "6", "7"],
                "retentionDays": 7,
                "tags": _TAGS,
            },
        )
        host = Cloud(
            "ecs/instance:Instance",
            "host",
            {
                "instanceName": "matrix",
                "hostName": "matrix",
                "imageId": IMAGE,
                "instanceType": self.instance_type,
                "availabilityZone": ZONE,
                "vswitchId": switch.id,
                "securityGroups": [group.id],
                "keyName": key.id,
                "userData": "I2Nsb3VkLWNvbmZpZwo=",
                "systemDiskCategory": "cloud_essd_entry",
                "systemDiskSize": 40,
                "systemDiskEncrypted": True,
                "instanceChargeType": "PostPaid",
                "httpEndpoint": "enabled",
                "httpTokens": self.http_tokens,
                "securityEnhancementStrategy": "Active",
                "tags": _TAGS,
                "volumeTags": _TAGS,
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
                "size": 40,
                "encrypted": True,
                "deleteWithInstance": False,
                "tags": _TAGS,
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
                "bandwidth": "5",
                "internetChargeType": "PayByTraffic",
                "isp": "BGP",
                "paymentType": "PayAsYouGo",
                "tags": _TAGS,
            },
            "ipAddress",
        )
        Cloud("ecs/eipAssociation:EipAssociation", "address", {"allocationId": address.id, "instanceId": host.id})
        for rr, kind, value in (("matrix", "A", address.output("ipAddress")), *_RECORDS):
            Cloud(
                "dns/alidnsRecord:AlidnsRecord",
                f"{rr}-{kind}",
                {"domainName": "example.com", "rr": rr, "type": kind, "value": value, "ttl": 600, "remark": "matrix"},
            )


_TAGS = {"app": "matrix"}
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
