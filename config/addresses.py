"""How the stack's subnet is shared out between its networks and containers."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final, final

from config.homeservers import HOMESERVERS, HomeserverName

SMALLEST_PREFIX: Final = 26
"""A /26 leaves each of the two networks 30 addresses."""


@final
@dataclass(frozen=True, kw_only=True)
class NetworkAddresses:
    """One Docker network: Docker hands out addresses from ``dynamic`` only, so that the fixed ones stay free."""

    subnet: IPv4Network
    gateway: IPv4Address
    dynamic: IPv4Network


@final
@dataclass(frozen=True, kw_only=True)
class AddressPlan:
    """The two networks, and the fixed address of each homeserver on the edge.

    Nginx resolves an upstream's name once, at start; a fixed address is what keeps it right when the homeserver's
    container is replaced. Each homeserver has one of its own: while ``homeserver`` is changed, both containers exist.
    """

    edge: NetworkAddresses
    backend: NetworkAddresses
    homeservers: dict[HomeserverName, IPv4Address]


def _network(subnet: IPv4Network) -> NetworkAddresses:
    return NetworkAddresses(subnet=subnet, gateway=subnet[1], dynamic=list(subnet.subnets())[1])


def address_plan(subnet: IPv4Network) -> AddressPlan:
    """Split ``subnet`` in two: its lower half is the edge network, its upper half the internal one."""
    lower, upper = (_network(half) for half in subnet.subnets())
    return AddressPlan(
        edge=lower,
        backend=upper,
        homeservers={name: lower.subnet[2 + index] for index, name in enumerate(HOMESERVERS)},
    )
