"""Trouble on purpose, told to the emulation by code or over its control interface."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.aliyun.account import Account
from tests.aliyun.console import Console, RefusedError, UnansweredError, refusal
from tests.aliyun.emulation.emulation import Emulation
from tests.aliyun.emulation.faults import Fault, Faults


def control(emulation: Emulation, path: str, body: object = None, method: str | None = None) -> Any:  # noqa: ANN401 - JSON
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{emulation.control}{path}", data=data, method=method)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - likewise
        return json.load(answer)


def make_vpc(console: Console) -> object:
    return console.vpc("CreateVpc", CidrBlock="10.42.0.0/16", ClientToken="TF-1")


def test_the_next_calls_of_an_action_fail(emulation: Emulation, console: Console) -> None:
    emulation.faults.add(
        Fault(action="CreateVpc", times=2, status=403, code="Forbidden.RAM", message="User not authorized.")
    )
    console.ecs("DescribeDisks")
    for _ in range(2):
        with pytest.raises(RefusedError) as error:
            make_vpc(console)
        assert (error.value.code, error.value.status) == ("Forbidden.RAM", 403)
    assert not emulation.cloud.state.vpcs
    make_vpc(console)
    assert len(emulation.cloud.state.vpcs) == 1


def test_throttling_is_an_error_that_clients_know(emulation: Emulation, console: Console) -> None:
    emulation.faults.add(Fault(action="*", kind="throttle"))
    assert refusal(lambda: console.ecs("DescribeDisks")) == "Throttling.User"


@pytest.mark.parametrize("kind", ["lost", "failed"])
def test_what_was_done_without_an_answer_is_not_done_twice(emulation: Emulation, console: Console, kind: str) -> None:
    emulation.faults.add(Fault(action="CreateVpc", kind=kind))
    with pytest.raises((UnansweredError, RefusedError)):
        make_vpc(console)
    assert len(emulation.cloud.state.vpcs) == 1
    make_vpc(console)
    assert len(emulation.cloud.state.vpcs) == 1


def test_a_call_that_times_out_did_nothing(emulation: Emulation, console: Console) -> None:
    emulation.faults.add(Fault(action="CreateVpc", kind="timeout", seconds=0.1))
    with pytest.raises((UnansweredError, RefusedError)):
        make_vpc(console)
    assert not emulation.cloud.state.vpcs


def test_a_slow_call_is_answered(emulation: Emulation, console: Console) -> None:
    emulation.faults.add(Fault(action="CreateVpc", kind="slow", seconds=0.1))
    assert make_vpc(console)


def test_some_calls_can_pass_before(emulation: Emulation, console: Console) -> None:
    emulation.faults.add(Fault(action="DescribeDisks", skip=1, code="ServiceUnavailable", status=503))
    console.ecs("DescribeDisks")
    assert refusal(lambda: console.ecs("DescribeDisks")) == "ServiceUnavailable"
    console.ecs("DescribeDisks")


def test_a_fault_can_be_for_one_thing_only(emulation: Emulation, console: Console) -> None:
    emulation.faults.add(Fault(action="CreateVpc", where="-two", kind="throttle"))
    console.vpc("CreateVpc", VpcName="matrix-one")
    assert refusal(lambda: console.vpc("CreateVpc", VpcName="matrix-two")) == "Throttling.User"
    console.vpc("CreateVpc", VpcName="matrix-two")


def test_a_fault_can_stay() -> None:
    faults = Faults()
    faults.add(Fault(action="DescribeDisks", times=-1))
    assert all(faults.take("DescribeDisks", {}) for _ in range(5))
    faults.clear()
    assert faults.take("DescribeDisks", {}) is None


def test_another_process_can_do_all_this(emulation: Emulation, account: Account) -> None:
    control(emulation, "/faults", {"action": "CreateVpc", "kind": "throttle"})
    assert [fault["action"] for fault in control(emulation, "/faults")] == ["CreateVpc"]
    assert refusal(lambda: account.vpc) == "Throttling.User"
    control(emulation, "/limits", {"vpcs": 0})
    assert refusal(lambda: account.vpc) == "QuotaExceeded.Vpc"
    control(emulation, "/limits", {"vpcs": 1})
    assert account.instance
    journal = control(emulation, "/journal")
    assert [(entry["action"], entry["code"]) for entry in journal[:3]] == [
        ("CreateVpc", "Throttling.User"),
        ("CreateVpc", "QuotaExceeded.Vpc"),
        ("CreateVpc", ""),
    ]
    state = control(emulation, "/state")
    assert list(state["vpcs"]) == [account.vpc]
    assert "I2Nsb3VkLWNvbmZpZwo" not in json.dumps(state)  # user data holds the host's private key
    control(emulation, "/journal", method="DELETE")
    assert control(emulation, "/journal") == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", {"action": "CreateVpc", "kind": "flood"}),
        ("/faults", {"acton": "CreateVpc"}),
        ("/limits", {"moons": 1}),
        ("/limits", {"vpcs": "many"}),
    ],
)
def test_a_wrong_wish_is_told(emulation: Emulation, path: str, body: object) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        control(emulation, path, body)
    assert error.value.code == 400
    assert error.value.read().strip()
