"""`make up` is cut off at moments chosen at random, and run again: the same healthy stack, nothing lost, nothing over.

The seed is printed with the figures; ``INTERRUPTION_SEED`` repeats a run. There is one
for each kind; ``INTERRUPTIONS=20`` makes more of them, and ``KILL_DOCKER_ENGINE=1`` kills the Docker engine too.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.container import LABEL_ROLE, LABEL_STACK
from ops.stack import CONTAINER_TYPE, NETWORK_TYPE
from tests.e2e.conftest import figure
from tests.e2e.deployment import Deployment
from tests.e2e.machine import docker_engine
from tests.e2e.matrix import Account, Matrix

SEED = int(os.environ.get("INTERRUPTION_SEED") or secrets.randbelow(10**6))
MARK = "INTERRUPTED_RUN"
"""Variable in the environment of every process of one `make up`, by which they are found."""
LATEST_SECONDS = 22.0
"""A run that has everything to do takes a little longer."""


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


KINDS: tuple[str, ...] = ("Ctrl-C", "make", "the command", "pulumi", "the plugin", "all at once")
if os.environ.get("KILL_DOCKER_ENGINE") == "1":
    KINDS = (*KINDS, "the Docker engine", "all at once, and the Docker engine")
COUNT = int(os.environ.get("INTERRUPTIONS") or len(KINDS))


def cut_off(run: subprocess.Popen[bytes], mark: str, kind: str) -> None:
    """Interrupt a run."""
    processes = running(mark)
    names = {
        "make": [run.pid],
        "the command": [each for each, name in processes.items() if name.startswith("python")],
        "pulumi": [each for each, name in processes.items() if name == "pulumi"],
        "the plugin": [each for each, name in processes.items() if name.startswith("pulumi-resource")],
        "the Docker engine": docker_engine(),
    }
    match kind:
        case "Ctrl-C":
            os.killpg(run.pid, signal.SIGINT)
            return
        case "all at once":
            victims = [each for each, name in processes.items() if not name.startswith(("dockerd", "containerd"))]
        case "all at once, and the Docker engine":
            victims = [*docker_engine(), *processes]
        case _:
            victims = names[kind]
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    made = Deployment(
        stack="interrupted-test",
        folder=tmp_path_factory.mktemp("interrupted"),
        ports=(21080, 21443, 21448),
        settings={
            "homeserver": "synapse",
            "imageSource": "packages",
            "subnet": "10.89.81.0/24",
            "uploadLimit": "2 MiB",
        },
    )
    made.prepare()
    try:
        made.make("up")
        yield made
        made.make("purge", CONFIRM=made.stack)
        assert made.left_in_the_docker_engine() == []
    finally:
        made.remove()


def words_of(matrix: Matrix, account: Account, room: str) -> set[str]:
    path = f"/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=200"
    chunk = matrix.ask("GET", path, token=account.access_token).json()["chunk"]
    return {event["content"].get("body", "") for event in chunk if event["type"] == "m.room.message"}


def left_over(deployment: Deployment) -> set[str]:
    """Return the containers and networks of the stack that the state does not know."""
    known = {each["id"] for each in deployment.resources() if each["type"] in {CONTAINER_TYPE, NETWORK_TYPE}}
    networks = deployment.client.networks.list(filters={"label": f"{LABEL_STACK}={deployment.stack}"})
    there = {each.id: each.name for each in deployment.containers()} | {each.id: each.name for each in networks}
    return {str(name) for id_, name in there.items() if id_ not in known}


def test_a_run_that_was_cut_off_anywhere_is_put_right_by_the_next(deployment: Deployment) -> None:
    chance = random.Random(SEED)  # noqa: S311 (moments, not secrets)
    matrix = Matrix(deployment.url, deployment.federation_url, deployment.ca)
    account = matrix.new_account(deployment.make("token").stdout.strip())
    created = matrix.ask("POST", "/_matrix/client/v3/createRoom", token=account.access_token, json={})
    room = created.json()["room_id"]
    kinds = [KINDS[index % len(KINDS)] for index in range(COUNT)]
    chance.shuffle(kinds)
    told: list[str] = []
    for index, kind in enumerate(kinds):
        path = f"/_matrix/client/v3/rooms/{room}/send/m.room.message/{index}"
        sent = matrix.ask("PUT", path, token=account.access_token, json={"msgtype": "m.text", "body": f"word {index}"})
        assert sent.status_code == 200, sent.text
        # Something to do for it: two containers to replace, or all of them to create.
        if index % 3 == 2:
            deployment.make("down")
        else:
            deployment.configure("uploadLimit", f"{2 + (index + 1) % 2} MiB")
        moment = chance.uniform(0.2, LATEST_SECONDS)
        told.append(f"{kind} after {moment:.1f} s")
        mark = secrets.token_hex(8)
        run = deployment.start("up", deployment.folder / "interrupted.log", **{MARK: mark})
        time.sleep(moment)
        cut_off(run, mark, kind)
        run.wait(timeout=180)
        deployment.make("up")
        where = f"seed {SEED}: {told[-1]}"
        assert left_over(deployment) == set(), where
        services = [each for each in deployment.containers() if each.labels[LABEL_ROLE] == "service"]
        assert {each.attrs["State"]["Health"]["Status"] for each in services} == {"healthy"}, where
        assert len(services) == 3, where
        assert words_of(matrix, account, room) >= {f"word {each}" for each in range(index + 1)}, where
    deployment.pulumi("preview", "--expect-no-changes", "--refresh")
    figure(f"{COUNT} interruptions of make up (seed {SEED}), each repaired by the next: {'; '.join(told)}")
