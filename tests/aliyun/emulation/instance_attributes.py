"""The many small calls by which attributes of instances are read and changed."""

from __future__ import annotations

from tests.aliyun.emulation.actions import ECS, Reply, action, page
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.ecs_instances import (
    check_host_name,
    check_metadata_options,
    check_user_data,
    find,
)
from tests.aliyun.emulation.packet_filter import apply_to_instance
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import Instance


@action(ECS, "DescribeInstanceAttribute")
def describe_instance_attribute(cloud: Cloud, call: Parameters) -> Reply:
    instance = find(cloud, call.text("InstanceId"))
    return {
        "InstanceId": instance.instance_id,
        "InstanceName": instance.name,
        "Status": cloud.shown(instance),
        "EnableJumboFrame": False,
    }


@action(ECS, "DescribeUserData")
def describe_user_data(cloud: Cloud, call: Parameters) -> Reply:
    instance = find(cloud, call.text("InstanceId"))
    return {"InstanceId": instance.instance_id, "RegionId": cloud.region, "UserData": instance.user_data}


@action(ECS, "DescribeInstanceRamRole")
def describe_instance_ram_role(cloud: Cloud, call: Parameters) -> Reply:
    rows = [
        {"InstanceId": instance.instance_id, "RamRoleName": instance.ram_role}
        for instance in _listed(cloud, call)
        if instance.ram_role
    ]
    return {**page(rows, "InstanceRamRoleSets", "InstanceRamRoleSet"), "RegionId": cloud.region}


@action(ECS, "DescribeNetworkInterfaces")
def describe_network_interfaces(cloud: Cloud, call: Parameters) -> Reply:
    wanted = call.many("NetworkInterfaceId")
    rows = [
        {
            "NetworkInterfaceId": instance.network_interface_id,
            "Type": "Primary",
            "Status": "InUse",
            "InstanceId": instance.instance_id,
            "VpcId": instance.vpc_id,
            "VSwitchId": instance.switch_id,
            "ZoneId": instance.zone,
            "PrivateIpAddress": instance.private_address,
            "SecurityGroupIds": {"SecurityGroupId": instance.group_ids},
            "NetworkInterfaceTrafficMode": "Standard",
            "QueuePairNumber": 0,
            "SourceDestCheck": False,
            "Attachment": {"InstanceId": instance.instance_id, "NetworkCardIndex": 0, "DeviceIndex": 0},
            "PrivateIpSets": {"PrivateIpSet": [{"PrivateIpAddress": instance.private_address, "Primary": True}]},
            "Ipv6Sets": {"Ipv6Set": []},
            "Tags": {"Tag": []},
        }
        for instance in cloud.state.instances.values()
        if (not wanted or instance.network_interface_id in wanted)
        and call.text("InstanceId") in {"", instance.instance_id}
    ]
    return {**page(rows, "NetworkInterfaceSets", "NetworkInterfaceSet"), "NextToken": ""}


@action(ECS, "DescribeInstanceMaintenanceAttributes")
def describe_instance_maintenance_attributes(cloud: Cloud, call: Parameters) -> Reply:
    actions = {
        "Value": "AutoRecover",
        "DefaultValue": "AutoRecover",
        "SupportedValues": {"SupportedValue": ["Stop", "AutoRecover"]},
    }
    rows = [
        {
            "InstanceId": found,
            "MaintenanceWindows": {"MaintenanceWindow": []},
            "NotifyOnMaintenance": False,
            "ActionOnMaintenance": actions,
        }
        for found in call.many("InstanceId")
        if found in cloud.state.instances
    ]
    return page(rows, "MaintenanceAttributes", "MaintenanceAttribute")


@action(ECS, "DescribeInstanceAttachmentAttributes")
def describe_instance_attachment_attributes(cloud: Cloud, call: Parameters) -> Reply:
    rows = [
        {
            "InstanceId": instance.instance_id,
            "PrivatePoolOptionsMatchCriteria": "Open",
            "PrivatePoolOptionsId": "",
        }
        for instance in _listed(cloud, call)
    ]
    return page(rows, "Instances", "Instance")


@action(ECS, "ModifyInstanceAttribute")
def modify_instance_attribute(cloud: Cloud, call: Parameters) -> Reply:
    """Change what can be changed. User data and host name reach the guest at its next start, as on Aliyun."""
    instance = find(cloud, call.text("InstanceId"))
    if "UserData" in call:
        check_user_data(call["UserData"])
    if "HostName" in call:
        check_host_name(call["HostName"])
    instance.name = call.text("InstanceName", instance.name)
    instance.description = call.text("Description", instance.description)
    instance.host_name = call.text("HostName", instance.host_name)
    instance.user_data = call.text("UserData", instance.user_data)
    instance.deletion_protection = call.flag("DeletionProtection", default=instance.deletion_protection)
    instance.credit_specification = call.text("CreditSpecification", instance.credit_specification)
    groups = call.many("SecurityGroupIds")
    if groups:
        instance.group_ids = groups
        apply_to_instance(cloud, instance)
    return {}


@action(ECS, "ModifyInstanceMetadataOptions")
def modify_instance_metadata_options(cloud: Cloud, call: Parameters) -> Reply:
    instance = find(cloud, call.text("InstanceId"))
    tokens = call.text("HttpTokens", instance.http_tokens)
    endpoint = call.text("HttpEndpoint", instance.http_endpoint)
    check_metadata_options(tokens, endpoint)
    instance.http_tokens, instance.http_endpoint = tokens, endpoint
    return {}


def _listed(cloud: Cloud, call: Parameters) -> list[Instance]:
    wanted = call.listed("InstanceIds") or call.many("InstanceIds")
    return [cloud.state.instances[found] for found in wanted if found in cloud.state.instances]
