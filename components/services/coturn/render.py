"""coturn's config file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final, final

from components.templates import render

_CLOSED: Final = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/3",
    )
)
"""Nothing of the internet is there (IANA's registry of special-purpose addresses): what answers is this machine's or
its network's, such as Aliyun's metadata service at 100.100.100.200."""


@final
@dataclass(frozen=True, kw_only=True)
class CoturnConfig:
    """What coturn's config file says that differs between stacks."""

    realm: str
    port: int
    relay_ports: range
    private_ranges: Sequence[IPv4Network]
    """Private networks that calls may go to."""
    secret: str
    """coturn reads no secret from a file of its own, so the whole file is secret."""


def render_files(config: CoturnConfig) -> Mapping[str, str]:
    """Return the files of the config volume."""
    return {
        "turnserver.conf": render(
            "coturn",
            "turnserver.conf",
            realm=config.realm,
            port=config.port,
            first=config.relay_ports[0],
            last=config.relay_ports[-1],
            relays=len(config.relay_ports),
            closed=[f"{each[0]}-{each[-1]}" for each in _CLOSED],
            opened=[f"{each[0]}-{each[-1]}" for each in config.private_ranges],
            secret=config.secret,
        )
    }
