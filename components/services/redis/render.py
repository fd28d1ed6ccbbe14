"""Redis' config files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from components.templates import render


@final
@dataclass(frozen=True, kw_only=True)
class RedisConfig:
    """What Redis' config files say that differs between stacks."""

    port: int
    maxmemory: int
    """Bytes."""
    policy: Literal["allkeys-lru", "noeviction"]


def render_files(config: RedisConfig) -> Mapping[str, str]:
    """Return the files of the config volume that hold no secret."""
    return {
        "redis.conf": render("redis", "redis.conf", port=config.port, maxmemory=config.maxmemory, policy=config.policy)
    }


def render_users(password: str) -> str:
    """Return the access list: one user with a password, who cannot wipe or reconfigure the server.

    INFO and CLIENT are left: they are what an operator looks with.
    """
    return f"user default on >{password} ~* &* +@all -@dangerous +info +client\n"
