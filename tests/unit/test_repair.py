"""Locks of runs that were cut off, told apart from those of runs that go on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from components.container import LABEL_ROLE
from ops import repair
from ops.stack import CONTAINER_TYPE, State
from toolchain.steps import StepFailed, step


class FakeStack:
    """A stack with a lock folder; cancelling removes the locks, as Pulumi does."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self.lock_folder = folder
        self.asked: list[tuple[str, ...]] = []
        self.pending = False

    def state(self) -> State:
        return State(resources=[], pending=[{"type": "creating"}] if self.pending else [])

    def ask(self, *arguments: str) -> str:
        self.asked.append(arguments)
        for lock in self.lock_folder.glob("*.json"):
            lock.unlink()
        return ""


@pytest.fixture
def stack(tmp_path: Path) -> FakeStack:
    return FakeStack(tmp_path)


def locked(stack: FakeStack, process: int, host: str = "") -> None:
    content = {"pid": process, "username": "root", "hostname": host or socket.gethostname(), "timestamp": "now"}
    (stack.lock_folder / "lock.json").write_text(json.dumps(content))


def release(stack: FakeStack) -> list[str]:
    with step("Repair") as this:
        return repair._locks(this, stack)  # type: ignore[arg-type]


def test_without_a_lock_nothing_is_cancelled(stack: FakeStack) -> None:
    assert release(stack) == []
    assert stack.asked == []


def test_the_lock_of_a_dead_process_is_cancelled(stack: FakeStack) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    locked(stack, process.pid)
    assert release(stack) == ["Cancelled the lock of a run that was cut off."]
    assert stack.asked == [("cancel", "--yes")]


def test_a_number_that_went_to_another_program_does_not_count_as_alive(stack: FakeStack) -> None:
    locked(stack, os.getpid())
    assert release(stack)


def test_a_lock_that_was_cut_off_in_writing_is_cancelled(stack: FakeStack) -> None:
    (stack.lock_folder / "lock.json").write_text('{"pid": 12')
    assert release(stack)


def test_a_lock_of_another_machine_is_left_alone_and_told(stack: FakeStack) -> None:
    locked(stack, 1, "elsewhere")
    with pytest.raises(StepFailed, match="process 1 on elsewhere") as failure:
        release(stack)
    assert "pulumi cancel local" in failure.value.remedy
    assert stack.asked == []


def test_a_run_that_goes_on_is_waited_for(stack: FakeStack, tmp_path: Path) -> None:
    # Named as Pulumi is, since a number alone may belong to anybody.
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "1.5"]) as process:
        locked(stack, process.pid)
        release(stack)
        assert process.poll() is not None, "its lock was cancelled while it worked"


def test_a_stack_whose_host_is_not_there_yet_is_put_right_too(stack: FakeStack) -> None:
    locked(stack, 0)
    stack.pending = True
    repair.repair(None, stack)  # type: ignore[arg-type]
    assert stack.asked == [("cancel", "--yes"), ("refresh", "--yes", "--skip-preview", "--clear-pending-creates")]


DECLARED = {
    "type": CONTAINER_TYPE,
    "id": "c1",
    "outputs": {"networksAdvanced": [{"name": "edge"}, {"name": "backend"}]},
}


def container(status: str, backend: str) -> Any:  # noqa: ANN401 (a container, as far as it is asked)
    networks = {"edge": {"NetworkID": "n1", "EndpointID": "e1"}, "backend": {"NetworkID": "n2", "EndpointID": backend}}
    return mock.Mock(
        id="c1",
        status=status,
        labels={LABEL_ROLE: "service"},
        attrs={"NetworkSettings": {"Networks": networks}},
    )


@pytest.mark.parametrize(
    ("status", "endpoint", "goes"), [("running", "e2", False), ("running", "", True), ("exited", "", False)]
)
def test_a_service_that_runs_without_one_of_its_networks_is_made_anew(
    stack: FakeStack, status: str, endpoint: str, *, goes: bool
) -> None:
    # As the Docker engine told it of a container in whose start it had been killed: running, and only loopback inside.
    client = mock.Mock()
    client.networks.list.return_value = [mock.Mock(id="n1"), mock.Mock(id="n2")]
    client.containers.list.return_value = [container(status, endpoint)]
    found = repair._detached(client, stack, State(resources=[DECLARED], pending=[]))  # type: ignore[arg-type]
    assert bool(found) is goes
