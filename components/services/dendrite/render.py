"""Dendrite's config files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from components.templates import render
from config.tiers import Mebibytes


@final
@dataclass(frozen=True, kw_only=True)
class DendriteConfig:
    """What Dendrite's config files say that differs between stacks."""

    server_name: str
    port: int
    client_url: str
    federation_address: str
    federation: bool
    upload_limit: int
    """Bytes."""
    cache: Mebibytes
    """Of events and the like, in memory; an estimate, not a limit."""
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
            upload_limit=config.upload_limit,
            cache=config.cache,
            registration_secret=config.registration_secret,
        ),
        "start.sh": render("dendrite", "start.sh", port=config.port),
    }
