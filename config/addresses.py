"""How the stack's subnet is shared out between its networks and containers."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final, final

from config.homeservers import HOMESERVERS, HomeserverName

SMALLEST_PREFIX: Final = 26
"""A /26 leaves the smallest two of the four networks 5 addresses each, and the monitoring 13."""


@final
@dataclass(frozen=True, kw_only=True)
class NetworkAddresses:
    """One Docker network: Docker hands out addresses from ``dynamic`` only, so that fixed ones stay free."""

    subnet: IPv4Network
    gateway: IPv4Address
    dynamic: IPv4Network


@final
@dataclass(frozen=True, kw_only=True)
class AddressPlan:
    """The networks, and the fixed addresses on the edge: of each homeserver, and of the canary.

    Nginx resolves an upstream's name once, at start, and does not start where there is none; a fixed address is what
    keeps it right when the other container is replaced or missing. Each homeserver has one of its own: while
    ``homeserver`` is changed, both containers exist.
    """

    edge: NetworkAddresses
    backend: NetworkAddresses
    operators: NetworkAddresses
    monitoring: NetworkAddresses
    homeservers: dict[HomeserverName, IPv4Address]
    canary: IPv4Address


def address_plan(subnet: IPv4Network) -> AddressPlan:
    """Share ``subnet`` out: half for the edge network, a quarter for monitoring, an eighth for each of the others."""
    edge, upper = subnet.subnets()
    third_quarter, monitoring = upper.subnets()
    backend, operators = third_quarter.subnets()
    return AddressPlan(
        # Its lower half is kept for fixed addresses; the others have none.
        edge=NetworkAddresses(subnet=edge, gateway=edge[1], dynamic=list(edge.subnets())[1]),
        backend=_all_dynamic(backend),
        operators=_all_dynamic(operators),
        monitoring=_all_dynamic(monitoring),
        homeservers={name: edge[2 + index] for index, name in enumerate(HOMESERVERS)},
        canary=edge[2 + len(HOMESERVERS)],
    )


def _all_dynamic(subnet: IPv4Network) -> NetworkAddresses:
    return NetworkAddresses(subnet=subnet, gateway=subnet[1], dynamic=subnet)
