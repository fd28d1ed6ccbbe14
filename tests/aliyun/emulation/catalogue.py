"""What is sold: instance types, disk categories, images. From Alibaba's family, disk and image tables.

Only a part of the real catalogue, and without stock: what is not in here is answered as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from tests.aliyun.emulation.errors import ApiError

GIBIBYTE = 1024  # MiB


@final
@dataclass(frozen=True, kw_only=True)
class InstanceType:
    """One type of instance.

    Attributes:
        name: such as ``ecs.e-c1m2.large``.
        cpus: virtual processors.
        memory: MiB.
    """

    name: str
    cpus: int
    memory: int

    @property
    def family(self) -> str:
        """Such as ``ecs.e`` or ``ecs.c7``."""
        return re.split(r"[-.]", self.name.removeprefix("ecs."))[0]


_TYPES: Mapping[str, tuple[int, float]] = {  # vCPU, GiB
    "ecs.e-c1m1.large": (2, 2),
    "ecs.e-c1m2.large": (2, 4),
    "ecs.e-c1m4.large": (2, 8),
    "ecs.e-c1m2.xlarge": (4, 8),
    "ecs.e-c1m4.xlarge": (4, 16),
    "ecs.e-c1m2.2xlarge": (8, 16),
    "ecs.t6-c4m1.large": (2, 0.5),
    "ecs.t6-c2m1.large": (2, 1),
    "ecs.t6-c1m1.large": (2, 2),
    "ecs.t6-c1m2.large": (2, 4),
    "ecs.t6-c1m4.large": (2, 8),
    "ecs.t6-c1m4.xlarge": (4, 16),
    "ecs.t5-lc2m1.nano": (1, 0.5),
    "ecs.t5-lc1m1.small": (1, 1),
    "ecs.t5-lc1m2.small": (1, 2),
    "ecs.t5-c1m2.large": (2, 4),
    "ecs.t5-c1m2.xlarge": (4, 8),
    "ecs.s6-c1m1.small": (1, 1),
    "ecs.s6-c1m2.small": (1, 2),
    "ecs.s6-c1m2.large": (2, 4),
    "ecs.s6-c1m2.xlarge": (4, 8),
    "ecs.u1-c1m1.large": (2, 2),
    "ecs.u1-c1m2.large": (2, 4),
    "ecs.u1-c1m2.xlarge": (4, 8),
    **{
        f"ecs.{family}.{size}": shape
        for family in ("c7", "c8i", "c8a", "c9i")
        for size, shape in (("large", (2, 4.0)), ("xlarge", (4, 8.0)))
    },
    "ecs.xn4.small": (1, 1),
}

INSTANCE_TYPES: Mapping[str, InstanceType] = {
    name: InstanceType(name=name, cpus=cpus, memory=int(memory * GIBIBYTE)) for name, (cpus, memory) in _TYPES.items()
}

_CATEGORIES: Mapping[str, tuple[str, ...]] = {  # of families that do not take every category
    "e": ("cloud_essd_entry", "cloud_essd", "cloud_auto"),
    "u1": ("cloud_essd_entry", "cloud_essd", "cloud_auto", "cloud_efficiency", "cloud_ssd"),
    "t5": ("cloud_efficiency", "cloud_ssd"),
    "xn4": ("cloud_efficiency", "cloud_ssd"),
}
_ELSE = ("cloud_essd", "cloud_auto", "cloud_efficiency", "cloud_ssd")

_SIZES: Mapping[str, tuple[int, int]] = {  # GiB
    "cloud_efficiency": (20, 32768),
    "cloud_ssd": (20, 32768),
    "cloud_auto": (1, 65536),
    "cloud_essd_entry": (10, 32768),
    "cloud_essd/PL0": (1, 65536),
    "cloud_essd/PL1": (20, 65536),
    "cloud_essd/PL2": (461, 65536),
    "cloud_essd/PL3": (1261, 65536),
    "cloud": (5, 2000),
}
_SYSTEM_DISK = (20, 2048)  # GiB
LEVELS = frozenset({"PL0", "PL1", "PL2", "PL3"})

_IMAGE = re.compile(
    r"(debian_1[1-3]|ubuntu_(?:22|24|26)_04|aliyun_3|alinux_4)(_\d+)?_x64_(\d+)G_(?:[a-z_]+_)?alibase_(\d{8})\.vhd"
)
_OLDEST_IMAGE = "20250101"


def instance_type(name: str) -> InstanceType:
    """Return a type; raises :class:`ApiError`."""
    if name not in INSTANCE_TYPES:
        text = "The specified InstanceType does not exist or beyond the permitted range."
        raise ApiError(400, "InvalidInstanceType.ValueNotSupported", text)
    return INSTANCE_TYPES[name]


def categories(family: str) -> tuple[str, ...]:
    """Return the disk categories that a family takes."""
    return _CATEGORIES.get(family, _ELSE)


def is_category(name: str) -> bool:
    """Whether there is such a disk category at all."""
    return name in _SIZES or name == "cloud_essd"


def sizes(category: str, level: str) -> tuple[int, int]:
    """Return the smallest and the largest size of a data disk, in GiB."""
    return _SIZES[f"{category}/{level}" if category == "cloud_essd" else category]


def image_size(image_id: str) -> int:
    """Return the size of an image in GiB, which is the least size of its system disk; raises :class:`ApiError`.

    Images are retired after a while: new instances cannot be made of them any more.
    """
    found = _IMAGE.fullmatch(image_id)
    if not found or found.group(4) < _OLDEST_IMAGE:
        raise ApiError(404, "InvalidImageId.NotFound", "The specified ImageId does not exist.")
    return int(found.group(3))


def check_system_disk(size: int, image_id: str) -> None:
    """Raise :class:`ApiError` unless the image fits and such a disk is sold."""
    smallest = max(_SYSTEM_DISK[0], image_size(image_id))
    if not smallest <= size <= _SYSTEM_DISK[1]:
        text = "The specified parameter SystemDisk.Size is invalid."
        raise ApiError(400, "InvalidSystemDiskSize.ValueNotSupported", text)
