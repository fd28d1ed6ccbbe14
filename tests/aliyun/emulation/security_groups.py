"""Security groups: the groups themselves. Their rules are in ``security_group_rules.py``."""

from __future__ import annotations

from tests.aliyun.emulation.actions import ECS, Reply, action, page
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import ApiError, no_group, no_instance, no_vpc, not_valid
from tests.aliyun.emulation.packet_filter import apply_to_group, apply_to_instance
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import SecurityGroup
from tests.aliyun.emulation.tags import for_ecs

_MOST_OF_AN_INSTANCE = 5


@action(ECS, "CreateSecurityGroup")
def create_security_group(cloud: Cloud, call: Parameters) -> Reply:
    vpc = cloud.state.vpcs.get(call.text("VpcId"))
    if vpc is None:
        raise no_vpc()
    if cloud.shown(vpc) != "Available":
        raise ApiError(400, "IncorrectVpcStatus", "Current VPC status does not support this operation.")
    if len(cloud.state.groups) >= cloud.limits.groups:
        raise ApiError(403, "QuotaExceed.SecurityGroup", "The maximum number of security groups is reached.")
    kind = call.text("SecurityGroupType", "normal")
    group = SecurityGroup(
        group_id=cloud.new_id("sg"),
        name=call.text("SecurityGroupName"),
        description=call.text("Description"),
        vpc_id=vpc.vpc_id,
        group_type=kind,
        inner_access="Accept" if kind == "normal" else "Drop",
        created=cloud.time(),
        tags=call.tags(),
    )
    cloud.state.groups[group.group_id] = group
    return {"SecurityGroupId": group.group_id}


@action(ECS, "DescribeSecurityGroups")
def describe_security_groups(cloud: Cloud, call: Parameters) -> Reply:
    one = call.text("SecurityGroupId")
    several = call.listed("SecurityGroupIds")
    rows = [
        {
            "SecurityGroupId": group.group_id,
            "SecurityGroupName": group.name,
            "Description": group.description,
            "SecurityGroupType": group.group_type,
            "VpcId": group.vpc_id,
            "CreationTime": group.created,
            "ResourceGroupId": "rg-default",
            "Tags": for_ecs(group.tags),
        }
        for group in cloud.state.groups.values()
        if one in {"", group.group_id}
        and (not several or group.group_id in several)
        and call.text("VpcId") in {"", group.vpc_id}
    ]
    return {**page(rows, "SecurityGroups", "SecurityGroup"), "RegionId": cloud.region, "NextToken": ""}


@action(ECS, "ModifySecurityGroupAttribute")
def modify_security_group_attribute(cloud: Cloud, call: Parameters) -> Reply:
    group = find_group(cloud, call)
    group.name = call.text("SecurityGroupName", group.name)
    group.description = call.text("Description", group.description)
    return {}


@action(ECS, "ModifySecurityGroupPolicy")
def modify_security_group_policy(cloud: Cloud, call: Parameters) -> Reply:
    group = find_group(cloud, call)
    policy = call.text("InnerAccessPolicy").capitalize()
    if policy not in {"Accept", "Drop"}:
        raise not_valid("InnerAccessPolicy")
    group.inner_access = policy
    apply_to_group(cloud, group.group_id)
    return {}


@action(ECS, "DeleteSecurityGroup")
def delete_security_group(cloud: Cloud, call: Parameters) -> Reply:
    group = find_group(cloud, call)
    members = any(group.group_id in instance.group_ids for instance in cloud.state.instances.values())
    named = any(rule.peer_group == group.group_id != rule.group_id for rule in cloud.state.rules.values())
    if members or named:
        text = "There is still instance(s) in the specified security group."
        raise ApiError(403, "DependencyViolation", text)
    for rule in [found for found in cloud.state.rules.values() if found.group_id == group.group_id]:
        del cloud.state.rules[rule.rule_id]
    del cloud.state.groups[group.group_id]
    return {}


@action(ECS, "JoinSecurityGroup")
def join_security_group(cloud: Cloud, call: Parameters) -> Reply:
    group = find_group(cloud, call)
    instance = cloud.state.instances.get(call.text("InstanceId"))
    if instance is None:
        raise no_instance()
    if group.group_id in instance.group_ids:
        text = "The specified instance already exists in the specified security group."
        raise ApiError(403, "InvalidInstanceId.AlreadyExists", text)
    if group.vpc_id != instance.vpc_id:
        text = "Specified instance and security group are not in the same VPC."
        raise ApiError(400, "InvalidInstanceId.Mismatch", text)
    if len(instance.group_ids) >= _MOST_OF_AN_INSTANCE:
        text = "Exceeding the allowed amount of security groups that an instance can be in."
        raise ApiError(400, "InstanceSecurityGroupLimitExceeded", text)
    instance.group_ids.append(group.group_id)
    apply_to_instance(cloud, instance)
    return {}


@action(ECS, "LeaveSecurityGroup")
def leave_security_group(cloud: Cloud, call: Parameters) -> Reply:
    group = find_group(cloud, call)
    instance = cloud.state.instances.get(call.text("InstanceId"))
    if instance is None:
        raise no_instance()
    if group.group_id not in instance.group_ids:
        raise ApiError(403, "InstanceNotInSecurityGroup", "The instance not in the group.")
    if len(instance.group_ids) == 1:
        text = "The specified security group is the last security group for the instance."
        raise ApiError(403, "InstanceLastSecurityGroup", text)
    instance.group_ids.remove(group.group_id)
    apply_to_instance(cloud, instance)
    return {}


def find_group(cloud: Cloud, call: Parameters) -> SecurityGroup:
    """Return the group that a call names; raises :class:`ApiError`."""
    group = cloud.state.groups.get(call.text("SecurityGroupId"))
    if group is None:
        raise no_group()
    return group
