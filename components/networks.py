"""The networks of a stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import pulumi
import pulumi_docker as docker

from components.container import LABEL_STACK
from config.addresses import AddressPlan, NetworkAddresses


@final
@dataclass(frozen=True, kw_only=True)
class NetworksArgs:
    """Inputs of :class:`Networks`."""

    stack: str
    prefix: str
    addresses: AddressPlan
    monitored: bool


@final
class Networks(pulumi.ComponentResource):
    """The edge network, where Nginx meets the homeserver, and the backend, which has no way out.

    With monitoring two more: one for its parts, which has no way out either, and one for those of them that people look
    at or that tell people something.
    """

    edge: docker.Network
    backend: docker.Network
    monitoring: docker.Network
    operators: docker.Network

    def __init__(self, name: str, args: NetworksArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:index:Networks", name, {}, opts)
        # The homeserver needs a way out for federation, and an internal network publishes no port even on loopback.
        self.edge = self._network("edge", args, args.addresses.edge, internal=False)
        self.backend = self._network("backend", args, args.addresses.backend, internal=True)
        if args.monitored:
            self.monitoring = self._network("monitoring", args, args.addresses.monitoring, internal=True)
            self.operators = self._network("operators", args, args.addresses.operators, internal=False)
        self.register_outputs({"edge": self.edge.name, "backend": self.backend.name})

    def _network(self, name: str, args: NetworksArgs, addresses: NetworkAddresses, *, internal: bool) -> docker.Network:
        return docker.Network(
            name,
            name=f"{args.prefix}-{name}",
            driver="bridge",
            internal=internal,
            ipam_configs=[
                docker.NetworkIpamConfigArgs(
                    subnet=str(addresses.subnet),
                    gateway=str(addresses.gateway),
                    ip_range=str(addresses.dynamic),
                )
            ],
            labels=[docker.NetworkLabelArgs(label=LABEL_STACK, value=args.stack)],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
