"""The machine under the tests: the processes of a command, and the Docker engine, where it may be stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import requests
from docker.errors import DockerException

from components.container import LABEL_STACK

ANSWERS_WITHIN = 120.0
MARK = "INTERRUPTED_RUN"
"""Variable in the environment of every process of one command, by which they are found."""


def may_stop_docker_engine() -> bool:
    """Return whether the Docker engine may be stopped.

    It is to be left alone where somebody else has containers on it, where systemd watches it, and with
    ``SPARE_DOCKER_ENGINE=1``.
    """
    if os.environ.get("SPARE_DOCKER_ENGINE") == "1" or Path("/run/systemd/system").is_dir():
        return False
    client = docker.from_env()
    try:
        owners = [each.labels.get(LABEL_STACK, "") for each in client.containers.list(all=True, ignore_removed=True)]
    finally:
        client.close()
    return all(owner.endswith("-test") for owner in owners)


def docker_engine() -> list[int]:
    """Return the Docker engine's process; empty where none runs. One that nobody has waited for does not count.

    Nor does one that runs inside a container, as on the host of a rehearsal: it is another machine's.
    """
    listed = subprocess.run(["pidof", "dockerd"], capture_output=True, text=True, check=False).stdout
    return [int(each) for each in listed.split() if _pid_namespace(each) == _pid_namespace("self")]


def _pid_namespace(process: str) -> Path | None:
    with suppress(OSError):
        return Path(f"/proc/{process}/ns/pid").readlink()
    return None


def stop_docker_engine() -> list[str]:
    """Stop the Docker engine in order, and return the command that it was started with."""
    (process,) = docker_engine()
    command = Path(f"/proc/{process}/cmdline").read_bytes().decode().rstrip("\0").split("\0")
    os.kill(process, signal.SIGTERM)
    while docker_engine():
        time.sleep(0.1)
    return command


def start_docker_engine(command: Sequence[str]) -> None:
    """Start the Docker engine and wait until it answers."""
    subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + ANSWERS_WITHIN
    while True:
        try:
            docker.from_env().ping()
        except (DockerException, requests.RequestException):
            assert time.monotonic() < deadline, f"{command} does not answer"
            time.sleep(0.2)
        else:
            return


def running(mark: str) -> dict[int, str]:
    """Return the processes of a run: number, and name as the system knows it."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "comm").read_text(encoding="utf-8").strip()
        except OSError:  # it has ended, or is a zombie
            continue
    return found


@contextmanager
def docker_engine_on(data: Path) -> Iterator[None]:
    """Let the Docker engine keep everything in this folder, and afterwards where it did before."""
    command = stop_docker_engine()
    start_docker_engine([*command, f"--data-root={data}"])
    try:
        yield
    finally:
        stop_docker_engine()
        start_docker_engine(command)
