"""Settings that tests start from."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Final

from components.aliyun.cloud_init import CloudInitArgs
from config.settings import SECRET_KEYS, Settings, parse

SECRETS: Final[Mapping[str, str]] = MappingProxyType(
    {name: f"Made-up-{name}-0123456789" for name in SECRET_KEYS},
)
"""Made up, and unmistakable when one of them turns up where it must not."""

LOCAL: Final[Mapping[str, str]] = MappingProxyType({"target": "local", "tier": "1C1G"})

CLOUD_INIT: Final = CloudInitArgs(
    host_name="matrix-dev-host",
    host_key_private="-----BEGIN OPENSSH PRIVATE KEY-----\nmade-up\n-----END OPENSSH PRIVATE KEY-----\n",
    host_key_public="ssh-ed25519 AAAAhost",
    admin_key_public="ssh-rsa AAAAadmin",
    data_disk_serial="bp12345",
    registry_mirrors=(),
    container_subnet=IPv4Network("10.89.64.0/24"),
)


def settings(stack: str = "local", **keys: str) -> Settings:
    """Return the settings of a local stack with some keys set."""
    return parse(stack, {**LOCAL, **keys, **SECRETS}, set(SECRETS))
