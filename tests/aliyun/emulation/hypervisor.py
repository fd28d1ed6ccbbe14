"""What runs the instances of the emulated Aliyun: machines, disks, addresses and packet filters.

The API side (``ecs.py`` and its sisters) keeps the state machines; a hypervisor makes them true. ``hosts.py`` has the
one that boots system containers; a test of the API alone uses :class:`Nothing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import final


@final
@dataclass(frozen=True, kw_only=True)
class Guest:
    """One instance as it is to run."""

    instance_id: str
    host_name: str
    private_address: IPv4Address
    user_data: bytes
    """As cloud-init reads it: decoded from base64; empty if none was given."""
    authorized_keys: Sequence[str]
    """Public keys of the instance's key pair."""
    cpus: int
    memory: int
    """MiB."""


@final
@dataclass(frozen=True, kw_only=True)
class IngressRule:
    """One rule of a security group. The lowest priority number decides; of equals, a drop does."""

    protocol: str
    """tcp, udp, icmp or all."""
    first_port: int
    last_port: int
    """Both -1 for protocols without ports."""
    source: IPv4Network
    accept: bool
    priority: int


class Hypervisor:
    """Makes true what the API promised. Every method returns when it is so, or raises ``HypervisorError``.

    Here there is nothing to be made true.
    """

    def create_disk(self, disk_id: str, gibibytes: int) -> None: ...
    def resize_disk(self, disk_id: str, gibibytes: int) -> None: ...
    def delete_disk(self, disk_id: str) -> None: ...
    def create(self, guest: Guest) -> None: ...
    def start(self, instance_id: str) -> None: ...
    def stop(self, instance_id: str, *, force: bool) -> None: ...
    def reboot(self, instance_id: str, *, force: bool) -> None: ...
    def resize(self, instance_id: str, *, cpus: int, memory: int) -> None: ...
    def reinstall(self, guest: Guest) -> None:
        """Put a new system disk under a stopped instance (ReplaceSystemDisk)."""

    def delete(self, instance_id: str) -> None: ...
    def attach_disk(self, instance_id: str, disk_id: str) -> None:
        """Plug a disk in, also while the guest is off; it shows as ``/dev/disk/by-id/virtio-<id without "d-">``."""

    def detach_disk(self, instance_id: str, disk_id: str) -> None: ...
    def associate_address(self, instance_id: str, address: IPv4Address) -> None: ...
    def dissociate_address(self, instance_id: str, address: IPv4Address) -> None: ...
    def filter(self, instance_id: str, rules: Sequence[IngressRule]) -> None:
        """Enforce what all security groups of an instance let in; everything else is dropped."""


class HypervisorError(Exception):
    """A machine or a disk could not be brought into the wanted state."""


@final
class Nothing(Hypervisor):
    """A hypervisor that runs nothing: for tests of the API alone."""
