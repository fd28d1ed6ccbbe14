"""The disk of the clone and of the Docker engine is full, while images are built and while the stack runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.deployed import Deployed, brought_up
from tests.e2e.deployment import Deployment
from tests.e2e.disk import fill, free, small_disk
from tests.e2e.machine import docker_engine_on, may_stop_docker_engine

DISK_MEBIBYTES = 4096
LEFT_MEBIBYTES = 400
"""Enough for the clone and what the images are built from, and not for the images."""
NO_SPACE = "no space left on device"


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    if not may_stop_docker_engine():
        pytest.skip("the Docker engine is not to be stopped here (tests/e2e/machine.py), so it cannot use a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(tmp_path / "disk.ext4", DISK_MEBIBYTES, disk), docker_engine_on(disk / "docker"):
        deployment = Deployment(
            stack="disk-test",
            folder=disk / "clone",
            ports=(26080, 26443, 26448),
            settings={
                "homeserver": "synapse",
                "imageSource": "packages",
                "subnet": "10.89.86.0/24",
                "uploadLimit": "2 MiB",
            },
        )
        deployment.folder.mkdir()
        deployment.prepare()
        fill(disk, leave=LEFT_MEBIBYTES)
        refused = deployment.make("up", check=False)
        free(disk)
        assert refused.returncode != 0
        assert NO_SPACE in (refused.stdout + refused.stderr).lower()
        with brought_up("synapse", deployment) as deployed:
            is_full_while_it_runs(deployed, disk)


def is_full_while_it_runs(deployed: Deployed, disk: Path) -> None:
    deployment = deployed.deployment
    account = deployed.new_account()
    created = deployed.matrix.ask("POST", "/_matrix/client/v3/createRoom", token=account.access_token, json={})
    path = f"/_matrix/client/v3/rooms/{created.json()['room_id']}"
    said = set()

    def say(words: str) -> bool:
        message = {"msgtype": "m.text", "body": words}
        sent = deployed.matrix.ask(
            "PUT", f"{path}/send/m.room.message/{words}", token=account.access_token, json=message
        )
        if sent.status_code == 200:
            said.add(words)
        return sent.status_code == 200

    assert say("before")
    secrets = deployment.secrets()
    deployment.configure("uploadLimit", "3 MiB")
    fill(disk)
    say("during")
    refused = deployment.make("up", check=False)
    assert refused.returncode != 0
    assert NO_SPACE in (refused.stdout + refused.stderr).lower()
    say("still")
    free(disk)
    deployment.make("up")
    assert say("after")
    assert deployment.secrets() == secrets
    chunk = deployed.matrix.ask("GET", f"{path}/messages?dir=b&limit=50", token=account.access_token).json()["chunk"]
    assert {event["content"].get("body") for event in chunk} >= said
    deployment.pulumi("preview", "--expect-no-changes", "--refresh")
