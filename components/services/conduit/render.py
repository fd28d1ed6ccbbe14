"""Conduit's config file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from components.templates import render
from config.tiers import Mebibytes


@final
@dataclass(frozen=True, kw_only=True)
class ConduitConfig:
    """What Conduit's config file says that differs between stacks."""

    server_name: str
    port: int
    client_url: str
    federation_address: str
    federation: bool
    upload_limit: int
    """Bytes."""
    cache: Mebibytes
    """For RocksDB's block cache."""
    cache_modifier: float
    registration_token: str | None
    """None: registration is closed. Conduit reads no secrets from files, so the whole file is secret."""
    turn_uris: Sequence[str]
    """Where the TURN server is; empty: there is none."""
    turn_secret: str


def render_files(config: ConduitConfig) -> Mapping[str, str]:
    """Return the files of the config volume."""
    return {
        "conduit.toml": render(
            "conduit",
            "conduit.toml",
            server_name=config.server_name,
            port=config.port,
            client_url=config.client_url,
            federation_address=config.federation_address,
            federation=config.federation,
            upload_limit=config.upload_limit,
            cache=config.cache,
            cache_modifier=config.cache_modifier,
            registration_token=config.registration_token,
            turn_uris=config.turn_uris,
            turn_secret=config.turn_secret,
        )
    }
