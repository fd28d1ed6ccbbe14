"""`make up` is cut off at moments chosen at random, and run again: the same healthy stack, nothing lost, nothing over.

There is one interruption of each kind, or as many as ``INTERRUPTIONS`` says. The run that follows one is cut off itself
more often than not, and the first ones strike while there is no stack yet. The seed is printed with the figures;
``INTERRUPTION_SEED`` repeats its kinds and moments.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from components.container import LABEL_ROLE, LABEL_STACK
from ops import engine, lost_ports
from ops.stack import CONTAINER_TYPE, NETWORK_TYPE
from tests.e2e.conftest import figure
from tests.e2e.deployment import Deployment
from tests.e2e.machine import MARK, docker_engine, may_stop_docker_engine, running
from tests.e2e.matrix import Account, Matrix

SEED = int(os.environ.get("INTERRUPTION_SEED") or secrets.randbelow(10**6))
FIRST_RUN_SECONDS = 30.0
"""How long a run takes before one was measured. It decides when to strike, and nothing else."""
KINDS = ("Ctrl-C", "make", "the command", "pulumi", "the plugin", "all at once")
KINDS_WITH_ENGINE = (*KINDS, "the Docker engine", "all at once, and the Docker engine")
COUNT = int(os.environ.get("INTERRUPTIONS") or 20)
OF_THE_ENGINE = ("dockerd", "containerd", "docker-proxy")
"""A Docker engine that a run has started is marked like the run."""


def victims(run: subprocess.Popen[bytes], mark: str, kind: str) -> list[int]:
    """Return the processes that an interruption of this kind kills."""
    if kind == "make":
        return [run.pid]
    if kind == "the Docker engine":
        return docker_engine()
    processes = running(mark)
    if kind == "all at once, and the Docker engine":
        return [*docker_engine(), *processes]
    begins = {"the command": "python", "pulumi": "pulumi", "the plugin": "pulumi-resource", "all at once": ""}[kind]
    return [
        process
        for process, name in processes.items()
        if name.startswith(begins)
        and not name.startswith(OF_THE_ENGINE)
        and not (kind == "pulumi" and name.startswith("pulumi-"))
    ]


def cut_off(run: subprocess.Popen[bytes], mark: str, kind: str) -> bool:
    """Interrupt a run as soon as there is something of that kind to kill; return False if it ended before."""
    while run.poll() is None:
        if kind == "Ctrl-C":
            os.killpg(run.pid, signal.SIGINT)
            return True
        found = victims(run, mark, kind)
        for victim in found:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if found:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A stack that is not there yet."""
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
        yield made
        made.make("purge", CONFIRM=made.stack)
        assert made.left_in_the_docker_engine() == []
    finally:
        made.remove()


def give_it_something_to_do(deployment: Deployment, turn: int) -> None:
    """Leave two containers to replace, or everything but the data to make anew."""
    if turn % 2:
        deployment.configure("uploadLimit", f"{2 + (turn // 2 + 1) % 2} MiB")
        return
    filters = {"label": f"{LABEL_STACK}={deployment.stack}"}
    configs = {
        mount["Name"]
        for container in deployment.containers()
        for mount in container.attrs["Mounts"]
        if mount["Destination"] == "/config"
    }
    for container in deployment.containers():
        container.remove(force=True)
    for network in deployment.client.networks.list(filters=filters):
        network.remove()
    for name in configs:
        deployment.client.volumes.get(name).remove()


def say(matrix: Matrix, account: Account, room: str, number: int) -> str:
    """Say something, and return it once it is acknowledged."""
    path = f"/_matrix/client/v3/rooms/{room}/send/m.room.message/{number}"
    words = f"word {number}"
    sent = matrix.ask("PUT", path, token=account.access_token, json={"msgtype": "m.text", "body": words})
    assert sent.status_code == 200, sent.text
    return words


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


def in_rows(kinds: Sequence[str], chance: random.Random) -> list[list[str]]:
    """Cut a list into rows of interruptions, of which only the last is followed by a run that is left alone."""
    rows: list[list[str]] = [[]]
    for kind in kinds:
        rows[-1].append(kind)
        if chance.random() < 0.4:
            rows.append([])
    return [row for row in rows if row]


def test_a_run_that_was_cut_off_anywhere_is_put_right_by_the_next(deployment: Deployment) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)  # noqa: S311 (moments, not secrets)
    of_all = KINDS_WITH_ENGINE if may_stop_docker_engine() else KINDS
    kinds = [of_all[index % len(of_all)] for index in range(COUNT)]
    chance.shuffle(kinds)
    started, seconds = time.monotonic(), FIRST_RUN_SECONDS
    told: list[str] = []
    said: set[str] = set()
    matrix = account = room = None
    for turn, row in enumerate(in_rows(kinds, chance)):
        if account:
            give_it_something_to_do(deployment, turn)
        for kind in row:
            share = chance.random()
            told.append(f"{kind} at {share:.0%}")
            hit = False
            while not hit:
                mark = secrets.token_hex(8)
                run = deployment.start("up", deployment.folder / "interrupted.log", **{MARK: mark})
                time.sleep(share * seconds)
                hit = cut_off(run, mark, kind)
                run.wait(timeout=300)
                # It was faster than the last one: strike earlier.
                share /= 2
        deployment.make("up")
        seconds = deployment.timings["up"]
        where = f"seed {SEED}: {', '.join(told[-len(row) :])}"
        assert left_over(deployment) == set(), where
        services = [each for each in deployment.containers() if each.labels[LABEL_ROLE] == "service"]
        assert {each.attrs["State"]["Health"]["Status"] for each in services} == {"healthy"}, where
        assert len(services) == 3, where
        if matrix is None or account is None or room is None:
            matrix = Matrix(deployment.url, deployment.federation_url, deployment.ca)
            account = matrix.new_account(deployment.make("token").stdout.strip())
            created = matrix.ask("POST", "/_matrix/client/v3/createRoom", token=account.access_token, json={})
            room = created.json()["room_id"]
        said.add(say(matrix, account, room, turn))
        assert words_of(matrix, account, room) >= said, where
    deployment.pulumi("preview", "--expect-no-changes", "--refresh")
    figure(
        f"{COUNT} interruptions of make up (seed {SEED}) in {time.monotonic() - started:.0f} s, "
        f"each put right by the next: {'; '.join(told)}"
    )


def building(proof: str) -> bool:
    """Return whether a step of an image build is at work: BuildKit in the Docker engine runs it in no container."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if words.startswith(b"/bin/sh") and proof.encode() in words:
            return True
    return False


def test_an_image_build_that_was_cut_off_is_done_by_the_next_run(deployment: Deployment) -> None:
    deployment.make("up")
    proof = f"/built-{secrets.token_hex(4)}"
    recipe = deployment.folder / "images" / "redis" / "Dockerfile"
    lines = recipe.read_text(encoding="utf-8").splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith("RUN "))
    # Long enough to be found at work.
    recipe.write_text("\n".join([*lines[: at + 1], f"RUN sleep 15 && touch {proof}", *lines[at + 1 :], ""]))

    mark = secrets.token_hex(8)
    run = deployment.start("up", deployment.folder / "interrupted.log", **{MARK: mark})
    while not building(proof):
        assert run.poll() is None, (deployment.folder / "interrupted.log").read_text(encoding="utf-8")
        time.sleep(0.1)
    assert cut_off(run, mark, "all at once")
    run.wait(timeout=60)
    deployment.make("up")
    assert engine.execute(deployment.container("redis"), ["test", "-e", proof])[0] == 0
    assert left_over(deployment) == set()


def let_the_docker_engine_hold_ports_for_nobody(deployment: Deployment) -> None:
    """Kill the Docker engine while it starts Nginx, until the next one holds the ports all the same."""
    ports = set(deployment.ports)
    name = str(deployment.container("nginx").name)
    chance = random.Random(SEED)  # noqa: S311 (moments, not secrets)
    for _ in range(40):
        deployment.client.containers.get(name).stop()
        assert not lost_ports._forwarded() & ports
        starting = subprocess.Popen(["docker", "start", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not lost_ports._forwarded() & ports and starting.poll() is None:
            pass
        # It writes down what it has published a moment after it has, and for whom yet another one later.
        time.sleep(chance.uniform(0, 0.2))
        for process in docker_engine():
            os.kill(process, signal.SIGKILL)
        starting.wait()
        while docker_engine():
            time.sleep(0.1)
        deployment.make("toolchain")
        if lost_ports._lost(deployment.client, ports):
            return
    raise AssertionError("the Docker engine was killed 40 times, and never held a port for nobody")


def test_ports_that_the_docker_engine_holds_for_nobody_are_given_back(deployment: Deployment) -> None:
    if not may_stop_docker_engine():
        pytest.skip("the Docker engine may not be stopped on this machine")
    deployment.make("up")
    let_the_docker_engine_hold_ports_for_nobody(deployment)
    run = deployment.make("up")
    assert "Restarting the Docker Engine" in run.stdout + run.stderr
    services = [each for each in deployment.containers() if each.labels[LABEL_ROLE] == "service"]
    assert [each.attrs["State"]["Health"]["Status"] for each in services] == ["healthy"] * 3
    assert left_over(deployment) == set()
