"""The user data of the host."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Final, final

from components.container import LOG_DRIVER, LOG_OPTS
from components.templates import render_file
from config.cloud import DATA_MOUNT, DOCKER_ROOT

ADMIN_USER: Final = "matrix"
"""Whom the Docker provider and people log in as."""
USER_DATA_LIMIT: Final = 16 * 1024
"""Bytes before base64. Aliyun's documentation has said 16 KB for long and 32 KB of base64 of late; this is both."""

_PACKAGES: Final = ("docker.io", "apparmor", "nftables", "unattended-upgrades")
_APT_MIRRORS: Final = ("http://mirrors.cloud.aliyuncs.com", "https://mirrors.aliyun.com")
"""Inside any VPC, and for all the world. apt checks signatures, so plain http is enough."""
_METADATA_ADDRESS: Final = "100.100.100.200"
_LABEL: Final = "matrix-data"

_FILES: Final = MappingProxyType(
    {
        "daemon.json": "/etc/docker/daemon.json",
        "sshd.conf": "/etc/ssh/sshd_config.d/10-matrix.conf",
        "sysctl.conf": "/etc/sysctl.d/60-matrix.conf",
        "firewall.nft": "/etc/host-firewall.nft",
        "host-firewall.service": "/etc/systemd/system/host-firewall.service",
        "mount-data-disk.sh": "/usr/local/sbin/mount-data-disk",
        "data-disk.service": "/etc/systemd/system/data-disk.service",
        "docker-on-data-disk.conf": "/etc/systemd/system/docker.service.d/10-data-disk.conf",
        "journald.conf": "/etc/systemd/journald.conf.d/10-matrix.conf",
        "unattended-upgrades.conf": "/etc/apt/apt.conf.d/60matrix",
        "set-up-host.sh": "/usr/local/sbin/set-up-host",
    }
)
"""Where the host has what comes from each template."""


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


@final
@dataclass(frozen=True, kw_only=True)
class _File:
    path: str
    mode: str
    content: str


def render_files(args: CloudInitArgs) -> dict[str, str]:
    """Return the files that cloud-init writes, by path."""
    values = {
        **asdict(args),
        "user": ADMIN_USER,
        "data_mount": DATA_MOUNT,
        "docker_root": DOCKER_ROOT,
        "device": f"/dev/disk/by-id/virtio-{args.data_disk_serial}",
        "label": _LABEL,
        "packages": _PACKAGES,
        "apt_mirrors": _APT_MIRRORS,
        "metadata_address": _METADATA_ADDRESS,
        "log_driver": LOG_DRIVER,
        "log_opts": dict(LOG_OPTS),
        # The Docker engine takes hosts only, and uses them for Docker Hub only. Images that the program declares are
        # pulled by the mirror's own name; this is for what people pull by hand.
        "registry_mirrors": [f"https://{each}" for each in args.registry_mirrors if "/" not in each],
    }
    return {path: _render(template, **values) for template, path in _FILES.items()}


def render_user_data(args: CloudInitArgs) -> str:
    """Return the user data, not yet in base64. It holds the private host key: a secret.

    Raises:
        ValueError: it is larger than Aliyun takes.

    """
    files = [
        _File(path=path, mode="0755" if content.startswith("#!") else "0644", content=content)
        for path, content in render_files(args).items()
    ]
    text = _render("user-data.yaml", **asdict(args), user=ADMIN_USER, files=files)
    if len(text.encode()) > USER_DATA_LIMIT:
        raise ValueError(f"the user data has {len(text.encode())} bytes, more than {USER_DATA_LIMIT}")
    return text


def _render(template: str, **values: object) -> str:
    return render_file(f"aliyun/cloud_init/templates/{template}", **values)
