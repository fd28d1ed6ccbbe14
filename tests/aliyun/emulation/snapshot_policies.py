"""Policies for automatic snapshots, and which disks they apply to. Their parameters begin with a small letter."""

from __future__ import annotations

import json

from tests.aliyun.emulation.actions import ECS, Reply, action, page
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import ApiError, no_disk
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import SnapshotPolicy
from tests.aliyun.emulation.tags import for_ecs

_HOURS = frozenset(str(hour) for hour in range(24))
_WEEKDAYS = frozenset(str(day) for day in range(1, 8))
_FOR_EVER = -1


@action(ECS, "CreateAutoSnapshotPolicy")
def create_auto_snapshot_policy(cloud: Cloud, call: Parameters) -> Reply:
    if len(cloud.state.policies) >= cloud.limits.policies:
        text = "The maximum number of automatic snapshot policy has been reached."
        raise ApiError(403, "AutoSnapshotPolicy.QuotaExceed", text)
    policy = SnapshotPolicy(
        policy_id=cloud.new_id("sp"),
        name=call.text("autoSnapshotPolicyName"),
        time_points=_listed(call, "timePoints", _HOURS),
        repeat_weekdays=_listed(call, "repeatWeekdays", _WEEKDAYS),
        retention_days=_retention(call),
        created=cloud.time(),
        tags=call.tags(),
    )
    cloud.state.policies[policy.policy_id] = policy
    return {"AutoSnapshotPolicyId": policy.policy_id}


@action(ECS, "DescribeAutoSnapshotPolicyEx")
def describe_auto_snapshot_policy(cloud: Cloud, call: Parameters) -> Reply:
    wanted = call.text("AutoSnapshotPolicyId")
    rows = [
        {
            "AutoSnapshotPolicyId": policy.policy_id,
            "AutoSnapshotPolicyName": policy.name,
            "TimePoints": policy.time_points,
            "RepeatWeekdays": policy.repeat_weekdays,
            "RetentionDays": policy.retention_days,
            "Status": "Normal",
            "RegionId": cloud.region,
            "CreationTime": policy.created,
            "ResourceGroupId": "",  # with a group here, every refresh finds a difference
            "EnableCrossRegionCopy": False,
            "CopiedSnapshotsRetentionDays": 0,
            "TargetCopyRegions": "[]",
            "DiskNums": sum(disk.policy_id == policy.policy_id for disk in cloud.state.disks.values()),
            "VolumeNums": 0,
            "Type": "Custom",
            "Tags": for_ecs(policy.tags),
        }
        for policy in cloud.state.policies.values()
        if wanted in {"", policy.policy_id}
    ]
    return page(rows, "AutoSnapshotPolicies", "AutoSnapshotPolicy")


@action(ECS, "ModifyAutoSnapshotPolicyEx")
def modify_auto_snapshot_policy(cloud: Cloud, call: Parameters) -> Reply:
    policy = _find(cloud, call.text("autoSnapshotPolicyId"))
    policy.name = call.text("autoSnapshotPolicyName", policy.name)
    if "timePoints" in call:
        policy.time_points = _listed(call, "timePoints", _HOURS)
    if "repeatWeekdays" in call:
        policy.repeat_weekdays = _listed(call, "repeatWeekdays", _WEEKDAYS)
    if "retentionDays" in call:
        policy.retention_days = _retention(call)
    return {}


@action(ECS, "DeleteAutoSnapshotPolicy")
def delete_auto_snapshot_policy(cloud: Cloud, call: Parameters) -> Reply:
    policy = _find(cloud, call.text("autoSnapshotPolicyId"))
    for disk in cloud.state.disks.values():
        if disk.policy_id == policy.policy_id:
            disk.policy_id = ""
    del cloud.state.policies[policy.policy_id]
    return {}


@action(ECS, "ApplyAutoSnapshotPolicy")
def apply_auto_snapshot_policy(cloud: Cloud, call: Parameters) -> Reply:
    policy = _find(cloud, call.text("autoSnapshotPolicyId"))
    _set(cloud, call, policy.policy_id)
    return {}


@action(ECS, "CancelAutoSnapshotPolicy")
def cancel_auto_snapshot_policy(cloud: Cloud, call: Parameters) -> Reply:
    _set(cloud, call, "")
    return {}


def _set(cloud: Cloud, call: Parameters, policy_id: str) -> None:
    wanted = call.listed("diskIds")
    if any(found not in cloud.state.disks for found in wanted):
        raise no_disk()
    for found in wanted:
        cloud.state.disks[found].policy_id = policy_id


def _find(cloud: Cloud, policy_id: str) -> SnapshotPolicy:
    if policy_id not in cloud.state.policies:
        raise ApiError(404, "ParameterInvalid", "The specified automatic snapshot policy does not exist.")
    return cloud.state.policies[policy_id]


def _listed(call: Parameters, name: str, allowed: frozenset[str]) -> str:
    """Return the list as JSON again: that is how the API gives it back."""
    found = call.listed(name)
    if not found or not set(found) <= allowed:
        raise _invalid(name)
    return json.dumps(found, separators=(",", ":"))


def _retention(call: Parameters) -> int:
    days = call.integer("retentionDays")
    if days != _FOR_EVER and not 1 <= days <= 65536:
        raise _invalid("retentionDays")
    return days


def _invalid(name: str) -> ApiError:
    return ApiError(403, "ParameterInvalid", f"The specified {name[0].upper()}{name[1:]} parameter is invalid.")
