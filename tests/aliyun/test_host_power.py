"""A host that somebody stopped or deleted by hand, and one that is to be replaced, as `make up` meets them."""

from __future__ import annotations

import os
import time
from typing import cast

import pytest

from components.aliyun.ownership import Ownership
from config.settings import Settings
from ops import host_power
from ops.stack import INSTANCE_TYPE, Stack, State
from ops.strays import instances
from tests.aliyun.account import Account, Clock
from tests.aliyun.emulation.emulation import Emulation
from tests.aliyun.emulation.faults import Fault
from tests.samples import ALIYUN, settings
from toolchain.steps import StepFailed

URN = f"urn:pulumi:dev::matrix::{INSTANCE_TYPE}::host"


class FakeStack:
    """A stack whose refresh forgets the host."""

    name = "dev"

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def ask(self, *arguments: str) -> str:
        self.asked.append(arguments)
        return ""

    def state(self) -> State:
        return State(resources=[], pending=[])


def state(instance: str, *, protect: bool = False) -> State:
    return State(resources=[{"type": INSTANCE_TYPE, "id": instance, "urn": URN, "protect": protect}], pending=[])


@pytest.fixture
def dev(emulation: Emulation, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a stack on the account; time passes where somebody waits."""
    for name, value in emulation.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(time, "sleep", clock.pass_by)
    return settings("dev", **ALIYUN)


@pytest.fixture
def host(account: Account) -> str:
    (key, stack), (other, project) = Ownership(stack="dev").tags.items()
    made = account.run(Tag__1__Key=key, Tag__1__Value=stack, Tag__2__Key=other, Tag__2__Value=project)
    account.settle()
    return made


def bring_back(dev: Settings, known: str, stack: FakeStack | None = None) -> State:
    found = instances(os.environ, dev)
    return host_power.bring_back(cast("Stack", stack or FakeStack()), dev, state(known), found)


@pytest.mark.parametrize("status", ["Stopping", "Stopped"])
def test_a_stopped_host_is_started(account: Account, dev: Settings, host: str, status: str) -> None:
    account.console.ecs("StopInstance", InstanceId=host)
    if status == "Stopped":
        account.settle()
    assert account.status(host) == status
    bring_back(dev, host)
    account.settle()
    assert account.status(host) == "Running"


def test_a_host_that_runs_is_left_alone(emulation: Emulation, dev: Settings, host: str) -> None:
    bring_back(dev, host)
    called = {each.action for each in emulation.journal.entries()}
    assert not called & {"StartInstance", "StopInstance"}


def test_an_instance_that_is_not_the_host_is_not_started(account: Account, dev: Settings, host: str) -> None:
    account.console.ecs("StopInstance", InstanceId=host)
    account.settle()
    bring_back(dev, "i-another")
    account.settle()
    assert account.status(host) == "Stopped"


def test_a_host_that_is_not_in_the_account_is_looked_for_by_pulumi(dev: Settings) -> None:
    stack = FakeStack()
    assert bring_back(dev, "i-gone", stack).ids(INSTANCE_TYPE) == set()
    assert stack.asked == [("refresh", "--yes", "--skip-preview", "--target", URN)]


def test_a_refusal_is_said(emulation: Emulation, account: Account, dev: Settings, host: str) -> None:
    account.console.ecs("StopInstance", InstanceId=host)
    account.settle()
    emulation.faults.add(Fault(action="StartInstance", status=403, code="OperationDenied.NoStock"))
    with pytest.raises(StepFailed, match=r"NoStock(.|\n)*console"):
        bring_back(dev, host)


def test_a_host_that_is_replaced_is_shut_down_before(account: Account, dev: Settings, host: str) -> None:
    host_power.stop(dev, state(host), instances(os.environ, dev))
    assert account.status(host) == "Stopped"


@pytest.mark.parametrize(
    ("wanted", "known", "said"),
    [
        ("disk", state("i-1"), "only the host"),
        ("host", State(resources=[], pending=[]), "no host"),
        ("host", state("i-1", protect=True), "deleteProtection"),
    ],
)
def test_a_replacement_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, wanted: str, known: State, said: str
) -> None:
    monkeypatch.setenv("MATRIX_REPLACE", wanted)
    with pytest.raises(StepFailed, match=said):
        host_power.replacement(cast("Stack", FakeStack()), known)


def test_a_replacement_is_asked_of_pulumi_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = cast("Stack", FakeStack())
    monkeypatch.delenv("MATRIX_REPLACE", raising=False)
    assert host_power.replacement(stack, state("i-1")) == []
    monkeypatch.setenv("MATRIX_REPLACE", "host")
    assert host_power.replacement(stack, state("i-1")) == ["--replace", URN]
