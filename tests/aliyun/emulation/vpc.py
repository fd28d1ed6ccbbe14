"""VPCs, their system route tables and their vSwitches."""

from __future__ import annotations

from ipaddress import IPv4Network

from tests.aliyun.emulation.actions import VPC, Reply, action, page
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import ApiError, dry_run, no_switch, no_vpc
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import Vpc, VSwitch
from tests.aliyun.emulation.tags import for_vpc

_PRIVATE = [IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
_VPC_PREFIXES = range(8, 29)
_SWITCH_PREFIXES = range(16, 30)
_RESERVED = 4  # addresses of a vSwitch that instances do not get: the first and the last three


@action(VPC, "CreateVpc")
def create_vpc(cloud: Cloud, call: Parameters) -> Reply:
    cidr = _network(call.text("CidrBlock", "172.16.0.0/12"))
    if not any(cidr.subnet_of(block) for block in _PRIVATE) or cidr.prefixlen not in _VPC_PREFIXES:
        raise _bad_cidr()
    if len(cloud.state.vpcs) >= cloud.limits.vpcs:
        raise ApiError(400, "QuotaExceeded.Vpc", "VPC quota exceeded.")
    if call.flag("DryRun"):
        raise dry_run()
    vpc = Vpc(
        vpc_id=cloud.new_id("vpc"),
        name=call.text("VpcName"),
        description=call.text("Description"),
        cidr=str(cidr),
        router_id=cloud.new_id("vrt"),
        route_table_id=cloud.new_id("vtb"),
        created=cloud.time(),
        tags=call.tags(),
    )
    cloud.change(vpc, through="Pending", to="Available")
    cloud.state.vpcs[vpc.vpc_id] = vpc
    return {
        "VpcId": vpc.vpc_id,
        "VRouterId": vpc.router_id,
        "RouteTableId": vpc.route_table_id,
        "ResourceGroupId": "rg-default",
    }


@action(VPC, "DescribeVpcAttribute")
def describe_vpc_attribute(cloud: Cloud, call: Parameters) -> Reply:
    vpc = _vpc(cloud, call)
    switches = [found.switch_id for found in cloud.state.switches.values() if found.vpc_id == vpc.vpc_id]
    return {
        "VpcId": vpc.vpc_id,
        "VpcName": vpc.name,
        "Description": vpc.description,
        "CidrBlock": vpc.cidr,
        "Status": cloud.shown(vpc),
        "RegionId": cloud.region,
        "CreationTime": vpc.created,
        "VRouterId": vpc.router_id,
        "ResourceGroupId": "rg-default",
        "IsDefault": False,
        "ClassicLinkEnabled": False,
        "EnabledIpv6": False,
        "Ipv6CidrBlock": "",
        "DnsHostnameStatus": "DISABLED",
        "Ipv6CidrBlocks": {"Ipv6CidrBlock": []},
        "SecondaryCidrBlocks": {"SecondaryCidrBlock": []},
        "UserCidrs": {"UserCidr": []},
        "VSwitchIds": {"VSwitchId": switches},
        "Tags": for_vpc(vpc.tags),
    }


@action(VPC, "ModifyVpcAttribute")
def modify_vpc_attribute(cloud: Cloud, call: Parameters) -> Reply:
    vpc = _vpc(cloud, call)
    if cloud.shown(vpc) != "Available":
        raise _vpc_busy()
    if "CidrBlock" in call and call["CidrBlock"] != vpc.cidr:
        raise ApiError(400, "OperationFailed.ModifyCidrBlock", "The CIDR block of the VPC cannot be modified.")
    vpc.name = call.text("VpcName", vpc.name)
    vpc.description = call.text("Description", vpc.description)
    return {}


@action(VPC, "DeleteVpc")
def delete_vpc(cloud: Cloud, call: Parameters) -> Reply:
    vpc = _vpc(cloud, call)
    if cloud.shown(vpc) != "Available":
        raise _vpc_busy()
    for children, code in ((cloud.state.switches, "VSwitch"), (cloud.state.groups, "SecurityGroup")):
        if any(child.vpc_id == vpc.vpc_id for child in children.values()):
            raise ApiError(400, f"DependencyViolation.{code}", f"Specified object has dependent resources {code}.")
    del cloud.state.vpcs[vpc.vpc_id]
    return {}


@action(VPC, "DescribeRouteTableList")
def describe_route_table_list(cloud: Cloud, call: Parameters) -> Reply:
    wanted = call.text("VpcId")
    rows = [
        {
            "VpcId": vpc.vpc_id,
            "RouteTableId": vpc.route_table_id,
            "RouterId": vpc.router_id,
            "RouteTableType": "System",
            "RouterType": "VRouter",
            "RouteTableName": "",
            "Description": "",
            "Status": "Available",
            "ResourceGroupId": "rg-default",
            "RoutePropagationEnable": True,
            "VSwitchIds": {"VSwitchId": []},
        }
        for vpc in cloud.state.vpcs.values()
        if wanted in {"", vpc.vpc_id}
    ]
    return page(rows, "RouterTableList", "RouterTableListType")


@action(VPC, "CreateVSwitch")
def create_vswitch(cloud: Cloud, call: Parameters) -> Reply:
    vpc = _vpc(cloud, call)
    cloud.check_zone(call.text("ZoneId"))
    cidr = _network(call.text("CidrBlock"))
    others = [found for found in cloud.state.switches.values() if found.vpc_id == vpc.vpc_id]
    if cloud.shown(vpc) != "Available":
        raise _vpc_busy()
    if not cidr.subnet_of(IPv4Network(vpc.cidr)) or cidr.prefixlen not in _SWITCH_PREFIXES:
        raise _bad_cidr()
    if any(cidr.overlaps(IPv4Network(other.cidr)) for other in others):
        raise ApiError(400, "InvalidCidrBlock.Overlapped", "Specified CIDR block overlapped with other subnets.")
    if len(others) >= cloud.limits.switches:
        raise ApiError(400, "QuotaExceeded.VSwitch", "VSwitch quota exceeded.")
    if any(cloud.shown(other) == "Pending" for other in others):
        text = "VSwitch creation simultaneously is not supported."
        raise ApiError(400, "IncorrectVSwitchStatus", text)
    switch = VSwitch(
        switch_id=cloud.new_id("vsw"),
        name=call.text("VSwitchName"),
        description=call.text("Description"),
        cidr=str(cidr),
        vpc_id=vpc.vpc_id,
        zone=call.text("ZoneId"),
        created=cloud.time(),
        tags=call.tags(),
    )
    cloud.change(switch, through="Pending", to="Available")
    cloud.state.switches[switch.switch_id] = switch
    return {"VSwitchId": switch.switch_id}


@action(VPC, "DescribeVSwitchAttributes")
def describe_vswitch_attributes(cloud: Cloud, call: Parameters) -> Reply:
    switch = cloud.state.switches.get(call.text("VSwitchId"))
    if switch is None:
        return {"VSwitchId": ""}  # not an error: this is how the real API says it
    used = sum(found.switch_id == switch.switch_id for found in cloud.state.instances.values())
    return {
        "VSwitchId": switch.switch_id,
        "VSwitchName": switch.name,
        "Description": switch.description,
        "CidrBlock": switch.cidr,
        "Ipv6CidrBlock": "",  # absent, the plugin takes IPv6 for enabled
        "IsDefault": False,
        "Status": cloud.shown(switch),
        "VpcId": switch.vpc_id,
        "ZoneId": switch.zone,
        "CreationTime": switch.created,
        "AvailableIpAddressCount": IPv4Network(switch.cidr).num_addresses - _RESERVED - used,
        "Tags": for_vpc(switch.tags),
    }


@action(VPC, "ModifyVSwitchAttribute")
def modify_vswitch_attribute(cloud: Cloud, call: Parameters) -> Reply:
    switch = _switch(cloud, call)
    switch.name = call.text("VSwitchName", switch.name)
    switch.description = call.text("Description", switch.description)
    return {}


@action(VPC, "DeleteVSwitch")
def delete_vswitch(cloud: Cloud, call: Parameters) -> Reply:
    switch = _switch(cloud, call)
    if cloud.shown(switch) != "Available":
        text = "Current VSwitch status does not support this operation."
        raise ApiError(400, "IncorrectVSwitchStatus", text)
    if any(instance.switch_id == switch.switch_id for instance in cloud.state.instances.values()):
        text = "Specified object has dependent resources NetworkInterface."
        raise ApiError(400, "DependencyViolation", text)
    del cloud.state.switches[switch.switch_id]
    return {}


def next_address(cloud: Cloud, switch: VSwitch) -> str:
    """Return a free address of a vSwitch; raises :class:`ApiError` where there is none."""
    used = {found.private_address for found in cloud.state.instances.values() if found.switch_id == switch.switch_id}
    network = IPv4Network(switch.cidr)
    for address in list(network)[1:-3]:
        if str(address) not in used:
            return str(address)
    raise ApiError(400, "QuotaExceeded.PrivateIpAddress", "Don't have enough private IPs in this switch")


def _vpc(cloud: Cloud, call: Parameters) -> Vpc:
    vpc = cloud.state.vpcs.get(call.text("VpcId"))
    if vpc is None:
        raise no_vpc()
    return vpc


def _switch(cloud: Cloud, call: Parameters) -> VSwitch:
    switch = cloud.state.switches.get(call.text("VSwitchId"))
    if switch is None:
        raise no_switch()
    return switch


def _network(text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise _bad_cidr() from error


def _bad_cidr() -> ApiError:
    return ApiError(400, "InvalidCidrBlock.Malformed", "Specified CIDR block is not valid.")


def _vpc_busy() -> ApiError:
    return ApiError(400, "IncorrectVpcStatus", "Current VPC status does not support this operation.")
