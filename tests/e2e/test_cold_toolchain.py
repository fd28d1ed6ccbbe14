"""A toolchain that is made anew while the disk is full, and while the run is killed: the next run makes it whole."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.deployment import Deployment, users_environment
from tests.e2e.disk import fill, free, small_disk
from tests.e2e.machine import MARK, running
from toolchain.places import Places

DISK_MEBIBYTES = 1024
LEFT_MEBIBYTES = 40
"""Enough for an empty virtual environment, and not for the packages."""


@pytest.fixture
def cold(tmp_path: Path) -> Iterator[tuple[Deployment, Path]]:
    """A clone of a user, and a cache on a small disk that has everything but the virtual environment."""
    clone = Deployment(stack="cold-test", folder=tmp_path / "clone", ports=(0, 0, 0), settings={})
    clone.folder.mkdir()
    clone.prepare()
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(tmp_path / "disk.ext4", DISK_MEBIBYTES, disk):
        warm, cache = Places.of(os.environ), Places.of({"XDG_CACHE_HOME": str(disk)})
        cache.cache.mkdir()
        cache.parts.symlink_to(warm.parts)
        cache.pulumi_home.symlink_to(warm.pulumi_home)
        yield clone, disk
    clone.client.close()


def start(clone: Deployment, disk: Path, mark: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["make", "toolchain"],
        cwd=clone.folder,
        env={**users_environment(), "XDG_CACHE_HOME": str(disk), MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_a_virtual_environment_is_whole_although_its_first_runs_ended_badly(cold: tuple[Deployment, Path]) -> None:
    clone, disk = cold
    cache = Places.of({"XDG_CACHE_HOME": str(disk)})
    fill(disk, leave=LEFT_MEBIBYTES)
    refused = start(clone, disk, "")
    printed = refused.communicate(timeout=600)[0]
    free(disk)
    assert refused.returncode != 0
    assert "No space left on device" in printed
    assert "Traceback" not in printed

    mark = secrets.token_hex(8)
    killed = start(clone, disk, mark)
    # While pip unpacks, it prints nothing: it does not notice that nobody reads any more, and goes on.
    unpacked = "requirements-*/lib/python3*/site-packages/pulumi"
    while not (installing := installs(mark)) or not any(cache.venvs.glob(unpacked)):
        assert killed.poll() is None, killed.communicate()[0]
        time.sleep(0.05)
    for process in running(mark).keys() - installing:
        os.kill(process, signal.SIGKILL)

    again = start(clone, disk, "")
    printed = again.communicate(timeout=600)[0]
    assert again.returncode == 0, printed
    (venv,) = cache.venvs.glob("requirements-*/")
    checked = subprocess.run(
        [venv / "bin" / "python", "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    assert not installs(mark), "two of them have written into it"
    assert "reused" in start(clone, disk, "").communicate(timeout=600)[0].splitlines()[1]


def installs(mark: str) -> set[int]:
    """Return the processes of a run that install packages."""
    found = set()
    for process in running(mark):
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if {b"pip", b"install"} <= set(words):
            found.add(process)
    return found
