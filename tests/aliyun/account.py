"""An account that is furnished by API calls as a test needs it: network, host, disk, address."""

from __future__ import annotations

import base64
import functools
import json
import time
from typing import Any, final

from tests.aliyun.console import Console

ZONE = "cn-hangzhou-i"
IMAGE = "debian_12_8_x64_20G_alibase_20250101.vhd"
NEWER_IMAGE = "debian_12_11_x64_20G_alibase_20260601.vhd"
PUBLIC_KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes(32)).decode()


@final
class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self._now = time.time()

    def __call__(self) -> float:
        return self._now

    def pass_by(self, seconds: float) -> None:
        self._now += seconds


@final
class Account:
    """Each thing is made when it is first asked for, and ready then."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self.console = console
        self._clock = clock

    def settle(self) -> None:
        """Let every change come to its end."""
        self._clock.pass_by(10)

    @functools.cached_property
    def vpc(self) -> str:
        made = self.console.vpc("CreateVpc", CidrBlock="10.42.0.0/16", VpcName="matrix")
        self.settle()
        return str(made["VpcId"])

    @functools.cached_property
    def switch(self) -> str:
        made = self.console.vpc("CreateVSwitch", CidrBlock="10.42.1.0/24", VpcId=self.vpc, ZoneId=ZONE)
        self.settle()
        return str(made["VSwitchId"])

    @functools.cached_property
    def group(self) -> str:
        return str(self.console.ecs("CreateSecurityGroup", VpcId=self.vpc)["SecurityGroupId"])

    @functools.cached_property
    def key_pair(self) -> str:
        self.console.ecs("ImportKeyPair", KeyPairName="matrix", PublicKeyBody=PUBLIC_KEY)
        return "matrix"

    @functools.cached_property
    def instance(self) -> str:
        found = self.run()
        self.settle()
        return found

    @functools.cached_property
    def disk(self) -> str:
        made = self.console.ecs("CreateDisk", ZoneId=ZONE, DiskCategory="cloud_essd", PerformanceLevel="PL0", Size=40)
        self.settle()
        return str(made["DiskId"])

    @functools.cached_property
    def eip(self) -> str:
        made = self.console.vpc("AllocateEipAddress", Bandwidth=5, InternetChargeType="PayByTraffic")
        return str(made["AllocationId"])

    @functools.cached_property
    def policy(self) -> str:
        made = self.console.ecs(
            "CreateAutoSnapshotPolicy",
            regionId="cn-hangzhou",
            timePoints='["3"]',
            repeatWeekdays='["1","7"]',
            retentionDays=7,
        )
        return str(made["AutoSnapshotPolicyId"])

    def run(self, **changes: object) -> str:
        """Run an instance, as the program does but for ``changes``; it is not ready yet."""
        usual: dict[str, object] = {
            "ImageId": IMAGE,
            "InstanceType": "ecs.e-c1m2.large",
            "VSwitchId": self.switch,
            "SecurityGroupIds": [self.group],
            "KeyPairName": self.key_pair,
            "SystemDisk__Category": "cloud_essd_entry",
            "SystemDisk__Size": 40,
            "UserData": base64.b64encode(b"#cloud-config\n").decode(),
        }
        made = self.console.ecs("RunInstances", **(usual | changes))
        return str(made["InstanceIdSets"]["InstanceIdSet"][0])

    def described(self, instance: str) -> dict[str, Any] | None:
        rows = self.console.ecs("DescribeInstances", InstanceIds=json.dumps([instance]))["Instances"]["Instance"]
        return rows[0] if rows else None

    def status(self, instance: str) -> str:
        """Return an instance's status; empty if there is no such instance."""
        found = self.described(instance)
        return str(found["Status"]) if found else ""

    def described_disk(self, disk: str) -> dict[str, Any] | None:
        rows = self.console.ecs("DescribeDisks", DiskIds=json.dumps([disk]))["Disks"]["Disk"]
        return rows[0] if rows else None

    def disk_status(self, disk: str) -> str:
        """Return a disk's status; empty if there is no such disk."""
        found = self.described_disk(disk)
        return str(found["Status"]) if found else ""

    def eip_status(self, eip: str) -> str:
        rows = self.console.vpc("DescribeEipAddresses", AllocationId=eip)["EipAddresses"]["EipAddress"]
        return str(rows[0]["Status"]) if rows else ""
