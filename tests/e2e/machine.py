"""The machine under the tests: its Docker engine, where it may be stopped."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import docker

from components.container import LABEL_STACK


def docker_engine() -> list[int]:
    """Return the Docker engine's process; empty where it is to be left alone.

    That is where somebody else has containers on it, where systemd watches it, and with ``SPARE_DOCKER_ENGINE=1``.
    """
    if os.environ.get("SPARE_DOCKER_ENGINE") == "1" or Path("/run/systemd/system").is_dir():
        return []
    client = docker.from_env()
    try:
        owners = [each.labels.get(LABEL_STACK, "") for each in client.containers.list(all=True)]
    finally:
        client.close()
    if not all(owner.endswith("-test") for owner in owners):
        return []
    listed = subprocess.run(["pidof", "dockerd"], capture_output=True, text=True, check=False).stdout
    return [int(each) for each in listed.split()]
