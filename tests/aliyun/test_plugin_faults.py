"""Each trouble once at each creation and each deletion, with the real plugin. Two minutes, most of them its waits.

``docs/aliyun-faults.md`` is this as a table for people; ``WRITE_RELIABILITY=1`` writes it anew.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pytest
from pulumi import automation

from tests.aliyun.account import Account
from tests.aliyun.console import Console
from tests.aliyun.emulation.emulation import Emulation, Options
from tests.aliyun.emulation.state import State
from tests.aliyun.program import stack
from tests.aliyun.trouble import CLIENT_READ_TIMEOUT, KINDS, TROUBLES, Case, Program, cases
from toolchain.places import ROOT

PAGE = ROOT / "docs" / "aliyun-faults.md"
PARALLEL = 60  # the plugin's waits are sleeps: all of them at a time

PASSING = ("throttled", "unavailable", "internal", "silent")
DONE_UNANSWERED = ("unanswered", "late error")
REFUSED_AGAIN = {
    "key pair": "KeyPair.AlreadyExist",
    "disk attachment": "InvalidDisk.InUse",
    "DNS record": "DomainRecordDuplicate",
}
"""Creations without a ClientToken: the plugin repeats the call and is told that it is there already."""
MADE_TWICE = frozenset({"snapshot policy"})
"""Without ClientToken and without a unique name: the first one stays behind, unknown to Pulumi."""


@final
class RunningClock:
    """The real time, and what a test lets pass on top of it."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def pass_by(self, seconds: float) -> None:
        self._ahead += seconds


@final
@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of Pulumi: what it did with each resource, the error of those that failed, how many things are there."""

    done: Mapping[str, str]
    errors: Mapping[str, str]
    there: Mapping[str, int]

    def of(self, case: Case) -> str:
        """Tell in a word, or by the error's code."""
        return self.errors.get(case.name) or self.done.get(case.name, "nothing")


@final
@dataclass(frozen=True, kw_only=True)
class Course:
    """All runs in order."""

    cases: list[Case]
    up: Run
    second_up: Run
    third_up: Run
    unchanged: Run
    destroy: Run
    second_destroy: Run
    third_destroy: Run


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("faults")
    clock = RunningClock()
    with Emulation(Options(state=folder / "account", now=clock)) as emulation:
        for name in vars(emulation.cloud.limits):
            setattr(emulation.cloud.limits, name, 10_000)
        console = Console(emulation.environment)
        found = cases(Account(console, clock))  # type: ignore[arg-type]
        pulumi = stack(emulation, folder / "pulumi", Program(cases=found), {"CLIENT_READ_TIMEOUT": CLIENT_READ_TIMEOUT})

        def run(command: Callable[..., object], **more: object) -> Run:
            return _run(emulation.cloud.state, found, command, **more)

        for case in found:
            emulation.faults.add(case.at_creation())
        up = run(pulumi.up, continue_on_error=True)
        second_up = run(pulumi.up, continue_on_error=True)
        for case in found:
            if case.trouble in DONE_UNANSWERED and case.kind.name in REFUSED_AGAIN:
                _remove_by_hand(console, emulation.cloud.state, case)
        third_up = run(pulumi.up)
        unchanged = run(pulumi.preview, refresh=True, expect_no_changes=True)
        ids = _ids(pulumi)
        for case in found:
            emulation.faults.add(case.at_deletion(ids[case.name]))
        destroy = run(pulumi.destroy, continue_on_error=True)
        emulation.faults.clear()
        second_destroy = run(pulumi.destroy, continue_on_error=True)
        yield Course(
            cases=found,
            up=up,
            second_up=second_up,
            third_up=third_up,
            unchanged=unchanged,
            destroy=destroy,
            second_destroy=second_destroy,
            third_destroy=run(pulumi.destroy, refresh=True),
        )


def _run(state: State, found: list[Case], command: Callable[..., object], **more: object) -> Run:
    done: dict[str, str] = {}
    errors: dict[str, str] = {}

    def note(event: automation.EngineEvent) -> None:
        said = event.diagnostic_event
        if said is not None and said.severity == "error" and said.urn:
            errors.setdefault(said.urn.split("::")[-1], code(said.message))
        if event.res_outputs_event is not None:
            step = event.res_outputs_event.metadata
            done[step.urn.split("::")[-1]] = step.op.value

    if getattr(command, "__name__", "") != "preview":
        more["parallel"] = PARALLEL
    try:
        command(on_event=note, **more)
    except automation.CommandError:
        if not errors:
            raise
    there = {case.name: case.kind.count(state, case.mark) for case in found}
    return Run(done=done, errors=errors, there=there)


def code(message: str) -> str:
    """Return the API's code in a message of the plugin, which both its clients write; or that there was no answer."""
    found = re.search(r"^\s*(?:Error)?Code: (\S+)$", message, re.MULTILINE)
    if not found and message.rstrip().endswith(("EOF", "(Client.Timeout exceeded while awaiting headers)")):
        return "no answer"
    return found.group(1) if found else message


def _remove_by_hand(console: Console, state: State, case: Case) -> None:
    """What the page advises for what is there but not known to Pulumi."""
    if case.kind.name == "key pair":
        console.ecs("DeleteKeyPairs", KeyPairNames=f'["{case.mark}"]')
    elif case.kind.name == "DNS record":
        record = next(found for found in state.records.values() if found.rr == case.mark)
        console.dns("DeleteDomainRecord", RecordId=record.record_id)
    else:
        console.ecs("DetachDisk", DiskId=case.mark, InstanceId=state.disks[case.mark].instance_id)


def _ids(pulumi: automation.Stack) -> dict[str, str]:
    resources: list[dict[str, Any]] = pulumi.export_stack().deployment["resources"]  # type: ignore[index]
    return {found["urn"].split("::")[-1]: found.get("id", "") for found in resources}


def test_passing_trouble_is_waited_for(course: Course) -> None:
    for case in course.cases:
        if case.trouble in PASSING:
            assert (case.name, course.up.of(case), course.up.there[case.name]) == (case.name, "create", 1)
            assert (case.name, course.second_up.of(case)) == (case.name, "same")


def test_what_is_forbidden_is_said_with_its_code_and_made_when_it_is_allowed(course: Course) -> None:
    for case in course.cases:
        if case.trouble == "forbidden":
            assert (case.name, course.up.of(case), course.up.there[case.name]) == (case.name, "Forbidden.RAM", 0)
            assert (case.name, course.second_up.of(case)) == (case.name, "create")


def test_what_was_made_without_an_answer_is_made_once_where_the_api_allows_it(course: Course) -> None:
    for case in course.cases:
        if case.trouble in DONE_UNANSWERED:
            expected = REFUSED_AGAIN.get(case.kind.name, "create")
            count = 2 if case.kind.name in MADE_TWICE else 1
            assert (case.name, course.up.of(case), course.up.there[case.name]) == (case.name, expected, count)
            again = REFUSED_AGAIN.get(case.kind.name, "same")
            assert (case.name, course.second_up.of(case)) == (case.name, again)


def test_after_a_removal_by_hand_the_next_up_is_whole(course: Course) -> None:
    assert not course.third_up.errors
    assert not course.unchanged.errors
    assert {course.unchanged.of(case) for case in course.cases} == {"same"}


def test_deletions_wait_for_passing_trouble_but_that_of_an_instance(course: Course) -> None:
    for case in course.cases:
        if case.trouble in PASSING and case.kind.name != "instance":
            assert (case.name, course.destroy.of(case), course.destroy.there[case.name]) == (case.name, "delete", 0)
        if case.kind.name == "instance":  # any trouble ends it, and the next run deletes it
            assert course.destroy.of(case) not in {"delete", "nothing"}
            assert (case.name, course.second_destroy.of(case)) == (case.name, "delete")


def test_a_released_address_that_was_not_confirmed_needs_a_refresh(course: Course) -> None:
    for case in course.cases:
        if case.kind.name == "EIP" and case.trouble in DONE_UNANSWERED:
            for run in (course.destroy, course.second_destroy):
                assert (case.name, run.of(case), run.there[case.name]) == (case.name, "InvalidAllocationId.NotFound", 0)


def test_everything_goes_in_the_end(course: Course) -> None:
    stuck = {case.kind.name for case in course.cases if case.name in course.second_destroy.errors}
    assert stuck == {"EIP"}
    assert not course.third_destroy.errors
    left = {case.name: there for case in course.cases if (there := course.third_destroy.there[case.name])}
    twice = {case.name: 1 for case in course.cases if case.trouble in DONE_UNANSWERED and case.kind.name in MADE_TWICE}
    assert left == twice


def test_the_page_says_what_happens(course: Course) -> None:
    page = render(course)
    if os.environ.get("WRITE_RELIABILITY") == "1":
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "docs/aliyun-faults.md: write it anew with WRITE_RELIABILITY=1, review, commit"


def render(course: Course) -> str:
    """Return the page."""
    by = {(case.kind.name, case.trouble): case for case in course.cases}
    head = "| | " + " | ".join(TROUBLES) + " |\n|---|" + "---|" * len(TROUBLES)
    made = [head]
    gone = [head]
    for kind in KINDS:
        row = [by[kind.name, trouble] for trouble in TROUBLES]
        made.append(f"| {kind.name} (`{kind.creation}`) | {' | '.join(_creation(course, case) for case in row)} |")
        gone.append(f"| {kind.name} (`{kind.deletion}`) | {' | '.join(_deletion(course, case) for case in row)} |")
    text = Path(__file__).with_name("aliyun-faults.md.in").read_text()
    return text.replace("@CREATION@", "\n".join(made)).replace("@DELETION@", "\n".join(gone))


def _creation(course: Course, case: Case) -> str:
    first, second = course.up.of(case), course.second_up.of(case)
    if (first, second) == ("create", "same"):
        return "ok" if course.up.there[case.name] == 1 else "ok, **one more left behind**"
    if second == "create":
        return f"`{first}`; next `up`: ok"
    return f"`{first}`; next `up`: `{second}`; **remove by hand**"


def _deletion(course: Course, case: Case) -> str:
    first, second = course.destroy.of(case), course.second_destroy.of(case)
    if first == "delete":
        return "ok"
    if second == "delete":
        return f"`{first}`; next `destroy`: ok"
    return f"`{first}`; next `destroy`: `{second}`; **refresh first**"
