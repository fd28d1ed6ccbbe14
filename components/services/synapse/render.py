"""Synapse's config files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from components.templates import render


@final
@dataclass(frozen=True, kw_only=True)
class SynapseConfig:
    """What Synapse's config files say that differs between stacks. Nothing of it is secret."""

    server_name: str
    port: int
    client_url: str
    federation: bool
    private_ranges: Sequence[str]
    """Private networks in which other homeservers may be."""
    registration: bool
    """Whether who has the token can make an account; nobody else ever can."""
    upload_limit: int
    """Bytes."""
    cache_factor: float
    redis_address: str | None
    """Host and port; None: without Redis."""
    turn_uris: Sequence[str] = ()
    """Where the TURN server is; empty: there is none."""
    metrics_port: int = 0
    """Where it tells its own metrics, to whoever asks; 0: nowhere."""


def render_files(config: SynapseConfig) -> Mapping[str, str]:
    """Return the files of the config volume that hold no secret."""
    redis_host, _, redis_port = (config.redis_address or "").partition(":")
    homeserver = render(
        "synapse",
        "homeserver.yaml",
        server_name=config.server_name,
        port=config.port,
        client_url=config.client_url,
        federation=config.federation,
        private_ranges=config.private_ranges,
        registration=config.registration,
        upload_limit=config.upload_limit,
        cache_factor=config.cache_factor,
        turn_uris=config.turn_uris,
        metrics_port=config.metrics_port,
        redis_host=redis_host or None,
        redis_port=redis_port,
    )
    return {
        "homeserver.yaml": homeserver,
        "log.yaml": render("synapse", "log.yaml"),
        "start.sh": render("synapse", "start.sh"),
    }
