"""Dendrite's config files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final, final

from components.templates import render
from config.tiers import Mebibytes

_CLOSED: Final = (
    IPv4Network("127.0.0.0/8"),
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("169.254.0.0/16"),
)
"""Dendrite's own list (setup/config/config_federationapi.go). What is in it is refused, whatever else allows it."""


@final
@dataclass(frozen=True, kw_only=True)
class DendriteConfig:
    """What Dendrite's config files say that differs between stacks."""

    server_name: str
    port: int
    client_url: str
    federation_address: str
    federation: bool
    private_ranges: Sequence[IPv4Network]
    """Private networks in which other homeservers may be."""
    upload_limit: int
    """Bytes."""
    cache: Mebibytes
    """Of events and the like, in memory; an estimate, not a limit."""
    metrics: bool
    """Whether it tells its own metrics under ``/metrics``, which Nginx does not pass on."""
    turn_uris: Sequence[str]
    """Where the TURN server is; empty: there is none."""
    turn_secret: str
    registration_secret: str
    """Who knows it can make accounts. Dendrite reads no secrets from files, so all of ``dendrite.yaml`` is secret."""


def render_files(config: DendriteConfig) -> Mapping[str, str]:
    """Return the files of the config volume."""
    return {
        "dendrite.yaml": render(
            "dendrite",
            "dendrite.yaml",
            server_name=config.server_name,
            client_url=config.client_url,
            federation_address=config.federation_address,
            federation=config.federation,
            closed=[str(each) for each in _without(_CLOSED, config.private_ranges)] if config.private_ranges else [],
            upload_limit=config.upload_limit,
            cache=config.cache,
            metrics=config.metrics,
            turn_uris=config.turn_uris,
            turn_secret=config.turn_secret,
            registration_secret=config.registration_secret,
        ),
        "start.sh": render("dendrite", "start.sh", port=config.port),
    }


def _without(networks: Iterable[IPv4Network], opened: Iterable[IPv4Network]) -> list[IPv4Network]:
    """Return networks without what is opened in them."""
    left = list(networks)
    for hole in opened:
        left = [
            part
            for network in left
            if not network.subnet_of(hole)
            for part in (network.address_exclude(hole) if hole.subnet_of(network) else [network])
        ]
    return sorted(left)
