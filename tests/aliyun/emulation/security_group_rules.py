"""Rules of security groups. They have no name: a rule is found by everything it says."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from tests.aliyun.emulation.actions import ECS, Handler, Reply, action
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import ApiError
from tests.aliyun.emulation.packet_filter import apply_to_group
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.security_groups import find_group
from tests.aliyun.emulation.state import Rule

_PROTOCOLS = frozenset({"tcp", "udp", "icmp", "icmpv6", "gre", "all"})
_WITH_PORTS = frozenset({"tcp", "udp"})
_SAME = ("direction", "protocol", "ports", "policy", "priority", "cidr", "ipv6_cidr", "peer_group", "prefix_list")
"""What tells one rule from another."""


@action(ECS, "DescribeSecurityGroupAttribute")
def describe_security_group_attribute(cloud: Cloud, call: Parameters) -> Reply:
    group = find_group(cloud, call)
    direction = call.text("Direction", "all").lower()
    nic = call.text("NicType", "intranet")
    if nic not in {"intranet", "internet"}:  # "<nil>" comes from a rule that was declared without one
        raise ApiError(400, "InvalidNicType.ValueNotSupported", "The specified NicType is not valid.")
    rows = [
        _described(rule)
        for rule in cloud.state.rules.values()
        if rule.group_id == group.group_id and direction in {"all", rule.direction} and nic == rule.nic_type
    ]
    return {
        "SecurityGroupId": group.group_id,
        "SecurityGroupName": group.name,
        "Description": group.description,
        "VpcId": group.vpc_id,
        "RegionId": cloud.region,
        "InnerAccessPolicy": group.inner_access,
        "Permissions": {"Permission": rows},
    }


def _authorize(direction: str) -> Handler:
    def authorize(cloud: Cloud, call: Parameters) -> Reply:
        group = find_group(cloud, call)
        asked = call.objects("Permissions") or [call]
        existing = [rule for rule in cloud.state.rules.values() if rule.group_id == group.group_id]
        if len(existing) + len(asked) > cloud.limits.rules:
            text = "The limit of authorization records in the security group reaches."
            raise ApiError(403, "AuthorizationLimitExceed", text)
        for one in asked:
            rule = _rule(cloud, group.group_id, direction, one)
            if not any(_same(rule, other) for other in existing):  # the same rule again is no error, and no second rule
                cloud.state.rules[rule.rule_id] = rule
        apply_to_group(cloud, group.group_id)
        return {}

    return authorize


def _revoke(direction: str) -> Handler:
    def revoke(cloud: Cloud, call: Parameters) -> Reply:
        group = find_group(cloud, call)
        for one in call.objects("Permissions") or [call]:
            found = _find(cloud, _rule(cloud, group.group_id, direction, one))
            if found is not None:  # what is not there is no error
                del cloud.state.rules[found.rule_id]
        apply_to_group(cloud, group.group_id)
        return {}

    return revoke


def _modify(direction: str) -> Handler:
    def modify(cloud: Cloud, call: Parameters) -> Reply:
        group = find_group(cloud, call)
        found = _find(cloud, _rule(cloud, group.group_id, direction, call))
        if found is None:
            raise ApiError(404, "SecurityGroupRule.NotFound", "The target security group rule not exist.")
        found.description = call.text("Description")
        return {}

    return modify


for _direction, _suffix in (("ingress", ""), ("egress", "Egress")):
    action(ECS, f"AuthorizeSecurityGroup{_suffix}")(_authorize(_direction))
    action(ECS, f"RevokeSecurityGroup{_suffix}")(_revoke(_direction))
    action(ECS, f"ModifySecurityGroup{_suffix}Rule")(_modify(_direction))


def _rule(cloud: Cloud, group_id: str, direction: str, call: Parameters) -> Rule:
    side = "Source" if direction == "ingress" else "Dest"
    rule = Rule(
        rule_id=cloud.new_id("sgr"),
        group_id=group_id,
        direction=direction,
        protocol=call.text("IpProtocol").lower(),
        ports=call.text("PortRange", "-1/-1"),
        policy=call.text("Policy", "accept").lower(),
        priority=call.text("Priority", "1"),
        nic_type=call.text("NicType", "intranet"),
        cidr=call.text(f"{side}CidrIp"),
        ipv6_cidr=call.text(f"Ipv6{side}CidrIp"),
        peer_group=call.text(f"{side}GroupId"),
        prefix_list=call.text(f"{side}PrefixListId"),
        description=call.text("Description"),
        created=cloud.time(),
    )
    _check(cloud, rule, side)
    return rule


def _check(cloud: Cloud, rule: Rule, side: str) -> None:
    if rule.protocol not in _PROTOCOLS:
        text = "The parameter IpProtocol must be specified with case insensitive TCP, UDP, ICMP, GRE or All."
        raise ApiError(400, "InvalidIpProtocol.ValueNotSupported", text)
    if rule.policy not in {"accept", "drop"}:
        raise ApiError(400, "InvalidPolicy.Malformed", 'The specified parameter "Policy" is not valid.')
    if not rule.priority.isdigit() or not 1 <= int(rule.priority) <= 100:
        raise ApiError(400, "InvalidPriority.ValueNotSupported", "The parameter Priority is invalid.")
    if rule.nic_type != "intranet":  # every group lies in a VPC
        raise ApiError(400, "InvalidNicType.ValueNotSupported", "The specified NicType is not valid.")
    if not _ports_fit(rule):
        raise ApiError(400, "InvalidIpPortRange.Malformed", 'The specified parameter "PortRange" is not valid.')
    if not (rule.cidr or rule.ipv6_cidr or rule.peer_group or rule.prefix_list):
        raise ApiError(400, f"MissingParameter.{side}", f"Either {side}CidrIp or {side}GroupId must be specified.")
    if rule.peer_group and rule.peer_group not in cloud.state.groups:
        text = f"The {side}GroupId provided does not exist in our records."
        raise ApiError(404, f"Invalid{side}GroupId.NotFound", text)
    try:
        _ = IPv4Network(rule.cidr or "0.0.0.0/0", strict=False), IPv6Network(rule.ipv6_cidr or "::/0", strict=False)
    except ValueError as error:
        text = f'The specified parameter "{side}CidrIp" is not valid.'
        raise ApiError(400, f"Invalid{side}CidrIp.Malformed", text) from error


def _ports_fit(rule: Rule) -> bool:
    first, _, last = rule.ports.partition("/")
    if rule.protocol not in _WITH_PORTS:
        return rule.ports == "-1/-1"
    return first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last) <= 65535


def _same(one: Rule, other: Rule) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _SAME)


def _find(cloud: Cloud, wanted: Rule) -> Rule | None:
    rules = [found for found in cloud.state.rules.values() if found.group_id == wanted.group_id]
    return next((found for found in rules if _same(found, wanted)), None)


def _described(rule: Rule) -> Reply:
    at_source = rule.direction == "ingress"
    peer = {"CidrIp": rule.cidr, "GroupId": rule.peer_group, "PrefixListId": rule.prefix_list}
    empty = dict.fromkeys(peer, "")
    sources, targets = (peer, empty) if at_source else (empty, peer)
    return {
        "SecurityGroupRuleId": rule.rule_id,
        "Direction": rule.direction,
        "IpProtocol": rule.protocol.upper(),
        "PortRange": rule.ports,
        "SourcePortRange": "",
        "Policy": rule.policy.capitalize(),
        "Priority": rule.priority,
        "NicType": rule.nic_type,
        "Description": rule.description,
        "CreateTime": rule.created,
        **{f"Source{name}": value for name, value in sources.items()},
        **{f"Dest{name}": value for name, value in targets.items()},
        "Ipv6SourceCidrIp": rule.ipv6_cidr if at_source else "",
        "Ipv6DestCidrIp": "" if at_source else rule.ipv6_cidr,
        "SourceGroupName": "",
        "SourceGroupOwnerAccount": "",
        "DestGroupName": "",
        "DestGroupOwnerAccount": "",
    }
