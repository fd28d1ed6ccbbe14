"""What the name of an Aliyun instance type says: its size, and which disks its family takes.

Source: Aliyun's tables of instance families and its documentation of ``alicloud_instance``, as of 2026-11. What is not
known here (which zone sells what, which image boots where) only the API knows; it refuses in words of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, final, get_args

from config.tiers import Mebibytes, Tier

DiskCategory = Literal["cloud_essd", "cloud_essd_entry", "cloud_auto", "cloud_ssd", "cloud_efficiency"]
DISK_CATEGORIES: Final[tuple[DiskCategory, ...]] = get_args(DiskCategory)

ESSD_CATEGORIES: Final[frozenset[DiskCategory]] = frozenset({"cloud_essd", "cloud_essd_entry", "cloud_auto"})
"""Only these can be encrypted as a system disk."""

SMALLEST_DATA_DISK: Final[Mapping[DiskCategory, int]] = MappingProxyType(
    {"cloud_essd": 1, "cloud_auto": 1, "cloud_essd_entry": 10, "cloud_ssd": 20, "cloud_efficiency": 20}
)
"""GiB; ``cloud_essd`` in performance level PL0."""
LARGEST_DATA_DISK: Final[Mapping[DiskCategory, int]] = MappingProxyType(
    {
        "cloud_essd": 65536,
        "cloud_auto": 65536,
        "cloud_essd_entry": 32768,
        "cloud_ssd": 32768,
        "cloud_efficiency": 32768,
    }
)

_DISKS_OF_FAMILY: Final[Mapping[str, frozenset[DiskCategory]]] = MappingProxyType(
    {
        "e": ESSD_CATEGORIES,
        "u1": frozenset(DISK_CATEGORIES),
        "t5": frozenset({"cloud_ssd", "cloud_efficiency"}),
        "xn4": frozenset({"cloud_ssd", "cloud_efficiency"}),
    }
)
_DISKS_OF_OTHERS: Final[frozenset[DiskCategory]] = frozenset(DISK_CATEGORIES) - {"cloud_essd_entry"}

_NAME: Final = re.compile(r"ecs\.([a-z]+[0-9]*[a-z]*)(?:-l?c([0-9]+)m([0-9]+))?\.(nano|small|(?:[0-9]*x)?large)")
_ENTERPRISE: Final = re.compile(r"([cgr])[0-9]+[a-z]*")
_ARM: Final = re.compile(r"[cgr][0-9]+y")
_GIB_PER_CPU: Final = MappingProxyType({"c": 2, "g": 4, "r": 8})
_CPUS: Final = MappingProxyType({"nano": 1, "small": 1, "large": 2, "xlarge": 4})
_OTHER_SIZES: Final = MappingProxyType({"ecs.xn4.small": (1, 1024)})
_OVERSEAS_ONLY: Final = frozenset({"ecs.e-c4m1.large", "ecs.e-c2m1.large"})


@final
@dataclass(frozen=True, kw_only=True)
class InstanceType:
    """An instance type, read from its name."""

    name: str
    family: str
    cpus: int
    memory: Mebibytes

    @property
    def disks(self) -> frozenset[DiskCategory]:
        """The disk categories that the family takes."""
        return _DISKS_OF_FAMILY.get(self.family, _DISKS_OF_OTHERS)

    @property
    def overseas_only(self) -> bool:
        """Whether it is not sold in mainland China."""
        return self.name in _OVERSEAS_ONLY

    def holds(self, tier: Tier) -> bool:
        """Return whether what a tier promises to its containers fits."""
        return self.cpus >= tier.cpus and self.memory >= tier.memory


def read_name(name: str) -> InstanceType | None:
    """Return what the name of an instance type says; None where it says no size, or one of another processor."""
    match = _NAME.fullmatch(name)
    if not match:
        return None
    family, cores, gibibytes, size = match.groups()
    cpus = _CPUS.get(size) or 4 * int(size.removesuffix("xlarge"))
    enterprise = _ENTERPRISE.fullmatch(family)
    if name in _OTHER_SIZES:
        cpus, memory = _OTHER_SIZES[name]
    elif cores:
        memory = cpus * 1024 * int(gibibytes) // int(cores)
    elif enterprise and not _ARM.fullmatch(family):
        memory = cpus * 1024 * _GIB_PER_CPU[enterprise[1]]
    else:
        return None
    return InstanceType(name=name, family=family, cpus=cpus, memory=Mebibytes(memory))
