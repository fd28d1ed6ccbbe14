"""The network of the host, and the address that the world knows it by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import pulumi
from pulumi_alicloud import ecs, vpc

from components.aliyun.ownership import Ownership
from config.cloud import VPC_SUBNET, VSWITCH_SUBNET

PUBLIC_ADDRESS: Final = "public-address"


@final
@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Inputs of :class:`Network`."""

    owner: Ownership
    zone: str
    bandwidth: int
    """Mbit/s outwards."""
    protect: bool


@final
class Network(pulumi.ComponentResource):
    """VPC, vSwitch and public address (EIP).

    The address is a resource of its own, so that it survives the host: names point to it, and other homeservers have
    seen it.
    """

    vpc_id: pulumi.Output[str]
    vswitch_id: pulumi.Output[str]
    public_address: ecs.EipAddress

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:aliyun:Network", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        owner = args.owner
        network = vpc.Network(
            "vpc", vpc_name=owner.name("vpc"), cidr_block=str(VPC_SUBNET), tags=owner.tags, opts=child
        )
        vswitch = vpc.Switch(
            "vswitch",
            vswitch_name=owner.name("vswitch"),
            vpc_id=network.id,
            cidr_block=str(VSWITCH_SUBNET),
            zone_id=args.zone,
            tags=owner.tags,
            opts=child,
        )
        self.public_address = ecs.EipAddress(
            PUBLIC_ADDRESS,
            address_name=owner.name("address"),
            bandwidth=str(args.bandwidth),
            # The one combination that domestic and international accounts share. A subscription would not be released.
            payment_type="PayAsYouGo",
            internet_charge_type="PayByTraffic",
            deletion_protection=args.protect,
            tags=owner.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.vpc_id = network.id
        self.vswitch_id = vswitch.id
        self.register_outputs({"address": self.public_address.ip_address})
