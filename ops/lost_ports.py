"""Ports that the Docker engine of this machine holds for a container that is gone.

An engine that is killed while it starts a container has published the ports by then, and not yet written down for whom.
The next one publishes them again, for nobody: removing the container and its network does not give them back, and
whoever wants them is told "port is already allocated" until the engine is restarted (seen with Docker 20.10, in a third
of the kills during the first 0.2 s of a start).
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

import docker

from components.container import LABEL_STACK
from config.settings import Settings
from ops import engine
from toolchain import docker_engine
from toolchain.places import Places
from toolchain.steps import StepFailed

_PROXY: Final = "docker-proxy"
_A_START_SECONDS: Final = 1.0
"""A container that is just being started has its ports before the engine says that it runs."""


def free(client: docker.DockerClient, stack: str, settings: Settings, address: str) -> None:
    """Restart the Docker engine where it holds ports of this stack for nobody, and nobody else has a container on it.

    Args:
        client: the Docker engine of this machine.
        stack: the stack's name.
        settings: its settings, which say what ports it wants.
        address: how the engine is reached.

    Raises:
        StepFailed: it holds some, and is not ours to restart; the remedy is the command.

    """
    wanted = {port for _, port in engine.places(settings).values()}
    if not _lost(client, wanted):
        return
    time.sleep(_A_START_SECONDS)
    lost = _lost(client, wanted)
    if not lost:
        return
    others = sorted(
        str(each.name) for each in client.containers.list(ignore_removed=True) if each.labels.get(LABEL_STACK) != stack
    )
    if not others and os.geteuid() == 0 and address == f"unix://{docker_engine.DEFAULT_SOCKET}":
        docker_engine.restart_engine(Places.of(os.environ), address)
        if not _lost(client, wanted):
            return
    beside = f"; that stops for a moment what else runs there: {', '.join(others)}" if others else ""
    raise StepFailed(
        step="ports",
        reason=f"the Docker engine holds {', '.join(map(str, sorted(lost)))} for a container that is gone: "
        "it was killed while it started one",
        remedy=f"restart the Docker engine (`sudo systemctl restart docker`){beside}",
    )


def _lost(client: docker.DockerClient, wanted: Collection[int]) -> set[int]:
    """Return those of the ports that the Docker engine's forwarders hold, and no running container has."""
    held = _forwarded() & set(wanted)
    if not held:
        return set()
    containers = client.containers.list(ignore_removed=True)
    published = {port for container in containers for port in engine.published_ports(container)}
    return held - published


def _forwarded() -> set[int]:
    """Return the ports that the forwarders of a Docker engine hold, one process each; none where it uses none.

    Not those in other network namespaces: a Docker engine inside a container has ports of its own.
    """
    found = set()
    here = Path("/proc/self/ns/net")
    for folder in Path("/proc").glob("[0-9]*") if here.exists() else ():
        try:
            if (folder / "ns" / "net").readlink() != here.readlink():
                continue
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended, or is another user's
            continue
        if Path(words[0]).name == _PROXY and "-host-port" in words[:-1]:
            port = words[words.index("-host-port") + 1]
            found |= {int(port)} if port.isdecimal() else set()
    return found
