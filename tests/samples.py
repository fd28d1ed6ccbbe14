"""Settings that tests start from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from config.settings import SECRET_KEYS, Settings, parse

SECRETS: Final[Mapping[str, str]] = MappingProxyType(
    {name: f"Made-up-{name}-0123456789" for name in SECRET_KEYS},
)
"""Made up, and unmistakable when one of them turns up where it must not."""

LOCAL: Final[Mapping[str, str]] = MappingProxyType({"target": "local", "tier": "1C1G"})


def settings(stack: str = "local", **keys: str) -> Settings:
    """Return the settings of a local stack with some keys set."""
    return parse(stack, {**LOCAL, **keys, **SECRETS}, set(SECRETS))
