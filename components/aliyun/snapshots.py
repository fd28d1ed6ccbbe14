"""Snapshots of the disks, every night."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import pulumi
from pulumi_alicloud import ecs

from components.aliyun.ownership import Ownership

HOUR: Final = "3"
"""03:00 in Beijing: hours are UTC+8, whatever the region."""
EVERY_DAY: Final = tuple(str(day) for day in range(1, 8))


@final
@dataclass(frozen=True, kw_only=True)
class SnapshotsArgs:
    """Inputs of :class:`Snapshots`."""

    owner: Ownership
    retention: int
    """Days."""
    data_disk_id: pulumi.Input[str]


@final
class Snapshots(pulumi.ComponentResource):
    """A policy, and the data disk under it. The instance brings its system disk under it by itself.

    A snapshot holds a disk as a power cut would leave it.
    """

    policy_id: pulumi.Output[str]

    def __init__(self, name: str, args: SnapshotsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:aliyun:Snapshots", name, {}, opts)
        policy = ecs.AutoSnapshotPolicy(
            "snapshot-policy",
            auto_snapshot_policy_name=args.owner.name("snapshots"),
            time_points=[HOUR],
            repeat_weekdays=list(EVERY_DAY),
            retention_days=args.retention,
            tags=args.owner.tags,
            # The provider does not take the API's own value for an unset one: a change at every refresh.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["resourceGroupId"]),
        )
        ecs.EcsAutoSnapshotPolicyAttachment(
            "data-snapshots",
            auto_snapshot_policy_id=policy.id,
            disk_id=args.data_disk_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.policy_id = policy.id
        self.register_outputs({"policyId": policy.id})
