"""Disks of limited size, made of a file: a data volume can be full without the machine's disk being so."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.engine import health
from tests.e2e.deployed import Deployed
from toolchain import distribution
from toolchain.places import Places

BALLAST = "ballast"
HEALTHY_WITHIN = 180.0
UNMOUNTS = Path("/run/docker/unmount-on-shutdown")
"""Where it is, a Docker engine that stops unmounts its folder, and with it what tests have mounted below.

It makes the file when it has had to mount its folder over itself, because the root file system is private.
"""
_ENVIRONMENT = {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"}


@contextmanager
def small_disk(file: Path, mebibytes: int, mount_point: Path) -> Iterator[None]:
    """Mount a disk of this size over a folder, with a copy of what is in it. Nothing is kept back for root."""
    if not any((Path(each) / "mkfs.ext4").exists() for each in _ENVIRONMENT["PATH"].split(":")):
        distribution.install(["e2fsprogs"], "tests fill a small disk", Places.of(os.environ))
    owner = mount_point.stat()
    with file.open("wb") as made:
        made.truncate(mebibytes << 20)
    _run("mkfs.ext4", "-q", "-F", "-m", "0", "-d", str(mount_point), str(file))
    _run("mount", "-o", "loop", str(file), str(mount_point))
    try:
        os.chown(mount_point, owner.st_uid, owner.st_gid)
        mount_point.chmod(owner.st_mode & 0o7777)
        yield
    finally:
        # Lazy: where something still uses it, it goes with the last user.
        _run("umount", "--lazy", str(mount_point))
        file.unlink()


def fill(disk: Path, *, leave: int = 0) -> None:
    """Take all the space that is left on a disk, but for so many MiB."""
    with (disk / BALLAST).open("wb") as file:
        for piece in (1 << 24, 1 << 20, 1 << 12):
            while shutil.disk_usage(disk).free - piece >= leave << 20:
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), piece)
                except OSError:
                    break
                file.seek(piece, os.SEEK_CUR)


def size(disk: Path) -> int:
    """Return how large a disk is, in MiB."""
    return shutil.disk_usage(disk).total >> 20


def free(disk: Path) -> None:
    """Give the space back."""
    (disk / BALLAST).unlink()


def data_of(deployed: Deployed) -> Path:
    """Return where the homeserver's data volume lies on this machine."""
    name = f"matrix-{deployed.deployment.stack}-{deployed.homeserver}-data"
    return Path(deployed.deployment.client.volumes.get(name).attrs["Mountpoint"])


@contextmanager
def data_on_a_small_disk(deployed: Deployed, file: Path, mebibytes: int) -> Iterator[None]:
    """Put the homeserver's data on a disk of its own, which lasts until the stack is purged."""
    container = deployed.deployment.container(deployed.homeserver)
    container.stop(timeout=30)
    UNMOUNTS.unlink(missing_ok=True)
    with small_disk(file, mebibytes, data_of(deployed)):
        container.start()
        deadline = time.monotonic() + HEALTHY_WITHIN
        while health(deployed.deployment.container(deployed.homeserver)) != "healthy":
            assert time.monotonic() < deadline, f"{deployed.homeserver} does not start"
            time.sleep(0.5)
        yield


def _run(*command: str) -> None:
    subprocess.run(command, check=True, env=_ENVIRONMENT, capture_output=True)
