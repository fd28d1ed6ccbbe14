"""User data that tests start from; apart from the other samples, since a local stack imports nothing of Aliyun's."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Final

from components.aliyun.cloud_init import CloudInitArgs

CLOUD_INIT: Final = CloudInitArgs(
    host_name="matrix-dev-host",
    host_key_private="-----BEGIN OPENSSH PRIVATE KEY-----\nmade-up\n-----END OPENSSH PRIVATE KEY-----\n",
    host_key_public="ssh-ed25519 AAAAhost",
    admin_key_public="ssh-rsa AAAAadmin",
    data_disk_serial="bp12345",
    registry_mirrors=(),
    container_subnet=IPv4Network("10.89.64.0/24"),
)
