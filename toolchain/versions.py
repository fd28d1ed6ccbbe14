"""Which versions the toolchain provides, and how versions are read and compared.

They follow the Python SDKs in requirements.txt: an SDK speaks the property names of its own plugin version, and the
Automation API refuses a CLI that is older than the SDK. tests/unit/test_toolchain_versions.py holds them together.
"""

from __future__ import annotations

import re
from typing import Final

PULUMI: Final = "3.259.0"
DOCKER_PLUGIN: Final = "5.2.0"
TLS_PLUGIN: Final = "5.6.2"
ALICLOUD_PLUGIN: Final = "3.105.0"
GO_MINIMUM: Final = (1, 25, 11)
"""The ``go`` line of every go.mod in toolchain/go: an older Go would try to download a newer one."""
DOCKER_API_MINIMUM: Final = (1, 41)
"""The API of Docker Engine 20.10, the oldest engine this project is tried with."""

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(-[0-9A-Za-z.-]+)?")


def parse(text: str) -> tuple[int, ...] | None:
    """Return the first version in ``text`` as numbers, e.g. ``(3, 259, 0)`` for ``v3.259.0``; None if there is none.

    A pre-release counts as one patch less (``-1`` when the patch is 0): it comes before its release.
    """
    found = _VERSION.search(text)
    if found is None:
        return None
    major, minor, patch, pre = found.groups()
    numbers = [int(major), int(minor)]
    if patch is not None:
        numbers.append(int(patch) - (1 if pre else 0))
    return tuple(numbers)


def at_least(text: str, minimum: tuple[int, ...]) -> bool:
    """Say whether the version in ``text`` is ``minimum`` or newer; False if there is no version in it."""
    version = parse(text)
    return version is not None and version >= minimum
