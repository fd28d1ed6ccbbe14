"""What the security groups of an instance let in, as the hypervisor enforces it."""

from __future__ import annotations

import functools
from ipaddress import IPv4Network

from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.hypervisor import IngressRule
from tests.aliyun.emulation.state import Instance, Rule
from tests.aliyun.emulation.work import Job

_LAST = 100
"""The lowest of the priorities: members of a group reach each other unless a rule says otherwise."""


def apply_to_group(cloud: Cloud, group_id: str) -> None:
    """Filter anew for every instance that a group concerns."""
    naming = {rule.group_id for rule in cloud.state.rules.values() if rule.peer_group == group_id}
    for instance in cloud.state.instances.values():
        if {group_id, *naming} & set(instance.group_ids):
            apply_to_instance(cloud, instance)


def apply_to_instance(cloud: Cloud, instance: Instance) -> None:
    """Filter anew for one instance. Its status does not change by that."""
    job = filtering(cloud, instance)
    cloud.work.do(f"filter for {instance.instance_id}", job, lambda _error: None)


def filtering(cloud: Cloud, instance: Instance) -> Job:
    """Return the job that makes the hypervisor enforce what holds now."""
    rules = ingress(cloud, instance)
    return functools.partial(cloud.hypervisor.filter, instance.instance_id, rules)


def ingress(cloud: Cloud, instance: Instance) -> list[IngressRule]:
    """Return what all security groups of an instance let in."""
    rules = []
    for rule in cloud.state.rules.values():
        if rule.group_id in instance.group_ids and rule.direction == "ingress":
            rules += [_rule(rule, source) for source in _sources(cloud, rule)]
    for group_id in instance.group_ids:
        if cloud.state.groups[group_id].inner_access == "Accept":
            rules += [_inner(source) for source in _members(cloud, group_id)]
    return rules


def _rule(rule: Rule, source: IPv4Network) -> IngressRule:
    first, last = rule.ports.split("/")
    return IngressRule(
        protocol=rule.protocol.lower(),
        first_port=int(first),
        last_port=int(last),
        source=source,
        accept=rule.policy.lower() == "accept",
        priority=int(rule.priority),
    )


def _inner(source: IPv4Network) -> IngressRule:
    return IngressRule(protocol="all", first_port=-1, last_port=-1, source=source, accept=True, priority=_LAST)


def _sources(cloud: Cloud, rule: Rule) -> list[IPv4Network]:
    if rule.peer_group:
        return _members(cloud, rule.peer_group)
    return [IPv4Network(rule.cidr, strict=False)] if rule.cidr else []  # guests have no IPv6 address


def _members(cloud: Cloud, group_id: str) -> list[IPv4Network]:
    return [
        IPv4Network(instance.private_address)
        for instance in cloud.state.instances.values()
        if group_id in instance.group_ids
    ]
