"""The user data of the host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final, final

ADMIN_USER: Final = "matrix"


@final
@dataclass(frozen=True, kw_only=True)
class CloudInitArgs:
    """What differs between hosts."""

    host_name: str
    host_key_private: str
    """ed25519, OpenSSH's format."""
    host_key_public: str
    admin_key_public: str
    data_disk_serial: str
    """Id of the data disk without ``d-``: how the guest knows it."""
    registry_mirrors: tuple[str, ...]
    container_subnet: IPv4Network


def render_user_data(args: CloudInitArgs) -> str:
    """Return the user data, not yet in base64. It holds the private host key: a secret."""
    return "#cloud-config\n" + json.dumps(
        {
            "hostname": args.host_name,
            "ssh_deletekeys": True,
            "ssh_keys": {"ed25519_private": args.host_key_private, "ed25519_public": args.host_key_public},
            "ssh_authorized_keys": [args.admin_key_public],
            "ssh_pwauth": False,
        }
    )
