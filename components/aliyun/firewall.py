"""The security group: who may reach the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final, final

import pulumi
from pulumi_alicloud import ecs

from components.aliyun.ownership import Ownership
from config.cloud import SSH_PORT

EVERYBODY: Final = "0.0.0.0/0"


@final
@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """Inputs of :class:`Firewall`."""

    owner: Ownership
    vpc_id: pulumi.Input[str]
    public_ports: Sequence[int]
    relay_ports: Sequence[tuple[str, str]]
    """Of a TURN server: protocol, and first and last port with a slash between them."""
    admin_cidrs: Sequence[IPv4Network]


@final
class Firewall(pulumi.ComponentResource):
    """A security group that lets everybody to the public ports, and those who administrate the host to ssh."""

    group_id: pulumi.Output[str]
    rules: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:aliyun:Firewall", name, {}, opts)
        self._group = ecs.SecurityGroup(
            "security-group",
            security_group_name=args.owner.name("firewall"),
            description=f"Matrix homeserver of stack {args.owner.stack}",
            vpc_id=args.vpc_id,
            security_group_type="normal",
            # The default lets members of the group at each other's every port.
            inner_access_policy="Drop",
            tags=args.owner.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.group_id = self._group.id
        rules = [
            self._allow(f"ingress-{port}", f"{port}/{port}", EVERYBODY, "clients and other homeservers")
            for port in args.public_ports
        ]
        rules += [
            self._allow(f"ingress-{protocol}-{ports}", ports, EVERYBODY, "calls", protocol)
            for protocol, ports in args.relay_ports
        ]
        rules += [
            self._allow(f"ingress-ssh-{network}", f"{SSH_PORT}/{SSH_PORT}", str(network), "administration")
            for network in args.admin_cidrs
        ]
        # What a group allows by default, stated: federation goes to any port that another server names.
        egress = ecs.SecurityGroupRule(
            "egress",
            type="egress",
            security_group_id=self.group_id,
            ip_protocol="all",
            port_range="-1/-1",
            cidr_ip=EVERYBODY,
            nic_type="intranet",
            policy="accept",
            priority=1,
            description="federation, package mirrors, names, time",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.rules = (*rules, egress)
        self.register_outputs({"groupId": self.group_id})

    def _allow(
        self, name: str, ports: str, source: str, description: str, protocol: str = "tcp"
    ) -> ecs.SecurityGroupRule:
        return ecs.SecurityGroupRule(
            name,
            type="ingress",
            security_group_id=self.group_id,
            ip_protocol=protocol,
            port_range=ports,
            cidr_ip=source,
            # The only kind in a VPC. Unset, the provider writes "<nil>" into the rule's id and its reads.
            nic_type="intranet",
            policy="accept",
            priority=1,
            description=description,
            opts=pulumi.ResourceOptions(parent=self),
        )
