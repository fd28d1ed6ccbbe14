"""Tags, in the three spellings that the API has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.aliyun.emulation.actions import ECS, VPC, Reply, action
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import ApiError, missing
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import State

_MOST = 20  # tags a resource may have

_TABLES: Mapping[str, Callable[[State], Mapping[str, Any]]] = {
    "VPC": lambda state: state.vpcs,
    "VSWITCH": lambda state: state.switches,
    "EIP": lambda state: state.eips,
    "instance": lambda state: state.instances,
    "disk": lambda state: state.disks,
    "securitygroup": lambda state: state.groups,
    "keypair": lambda state: state.key_pairs,
    "snapshotpolicy": lambda state: state.policies,
}


def for_vpc(tags: Mapping[str, str]) -> Reply:
    """Write tags as VPC and EIP do."""
    return {"Tag": [{"Key": key, "Value": value} for key, value in tags.items()]}


def for_ecs(tags: Mapping[str, str]) -> Reply:
    """Write tags as ECS does."""
    return {"Tag": [{"TagKey": key, "TagValue": value} for key, value in tags.items()]}


@action(ECS, "TagResources")
@action(VPC, "TagResources")
def tag_resources(cloud: Cloud, call: Parameters) -> Reply:
    new = call.tags()
    if not new:
        raise missing("Tag.1.Key")
    for tags in _found(cloud, call):
        if len({**tags, **new}) > _MOST:
            raise ApiError(403, "QuotaExceed.Tags", "The quota of tags on resource is beyond permitted range.")
        tags.update(new)
    return {}


@action(ECS, "UntagResources")
@action(VPC, "UnTagResources")
def untag_resources(cloud: Cloud, call: Parameters) -> Reply:
    for tags in _found(cloud, call):
        for key in list(tags) if call.flag("All") else call.many("TagKey"):
            tags.pop(key, None)
    return {}


@action(ECS, "ListTagResources")
@action(VPC, "ListTagResources")
def list_tag_resources(cloud: Cloud, call: Parameters) -> Reply:
    rows = [
        {"ResourceType": call.text("ResourceType"), "ResourceId": found, "TagKey": key, "TagValue": value}
        for found, tags in zip(call.many("ResourceId"), _found(cloud, call), strict=True)
        for key, value in tags.items()
    ]
    return {"TagResources": {"TagResource": rows}, "NextToken": ""}


def _found(cloud: Cloud, call: Parameters) -> list[dict[str, str]]:
    kind = call.text("ResourceType")
    if kind not in _TABLES:
        raise ApiError(404, "InvalidResourceType.NotFound", "The ResourceType provided does not exist in our records.")
    table = _TABLES[kind](cloud.state)
    wanted = call.many("ResourceId")
    if any(found not in table for found in wanted):
        raise ApiError(404, "InvalidResourceId.NotFound", "The specified ResourceIds are not found in our records.")
    return [table[found].tags for found in wanted]
