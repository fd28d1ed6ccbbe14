"""The Docker engine's disk is full while images are built: `make up` says so, and goes on once there is room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import standin
from tests.e2e.deployed import brought_up
from tests.e2e.deployment import Deployment
from tests.e2e.disk import fill, free, small_disk
from tests.e2e.machine import docker_engine_on, may_stop_docker_engine

DISK_MEBIBYTES = 2048
LEFT_MEBIBYTES = 40
"""Less than the base of the images takes."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk on which an empty Docker engine keeps everything."""
    if not may_stop_docker_engine():
        pytest.skip("the Docker engine may not be stopped here: not tried on a full disk")
    folder = tmp_path / "docker"
    folder.mkdir()
    with small_disk(tmp_path / "docker.ext4", DISK_MEBIBYTES, folder), docker_engine_on(folder):
        yield folder


def test_images_that_had_no_room_are_built_by_the_next_run(disk: Path, tmp_path: Path) -> None:
    # The disk is empty: the stand-in makes the fewest images.
    deployment = Deployment(
        stack="full-test",
        folder=tmp_path / "clone",
        ports=(24080, 24443, 24448),
        settings={
            "homeserver": "conduit",
            "imageSource": "packages",
            "registryPrefix": standin.PREFIX,
            "subnet": "10.89.86.0/24",
        },
    )
    deployment.folder.mkdir()
    deployment.prepare()
    standin.provide(deployment.client)
    fill(disk, leave=LEFT_MEBIBYTES)
    refused = deployment.make("up", check=False)
    free(disk)
    assert refused.returncode != 0, f"{LEFT_MEBIBYTES} MiB were enough"
    assert "no space left on device" in (refused.stdout + refused.stderr).lower()
    assert f"the disk of {disk} has" in refused.stderr
    with brought_up("conduit", deployment, real=False):
        deployment.pulumi("preview", "--expect-no-changes", "--refresh")
