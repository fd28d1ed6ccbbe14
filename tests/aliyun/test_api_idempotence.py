"""A ClientToken makes a write safe to repeat."""

from __future__ import annotations

from tests.aliyun.account import ZONE
from tests.aliyun.console import Console, refusal
from tests.aliyun.emulation.emulation import Emulation


def test_the_same_call_again_makes_nothing_new(emulation: Emulation, console: Console) -> None:
    first = console.vpc("CreateVpc", CidrBlock="10.42.0.0/16", ClientToken="TF-1")
    again = console.vpc("CreateVpc", CidrBlock="10.42.0.0/16", ClientToken="TF-1")
    assert again["VpcId"] == first["VpcId"]
    assert again["RequestId"] != first["RequestId"]
    assert len(emulation.cloud.state.vpcs) == 1
    assert [entry.repeated for entry in emulation.journal.entries()] == [False, True]


def test_another_call_with_the_same_token_is_refused(console: Console) -> None:
    console.vpc("CreateVpc", CidrBlock="10.42.0.0/16", ClientToken="TF-1")
    other = refusal(lambda: console.vpc("CreateVpc", CidrBlock="10.43.0.0/16", ClientToken="TF-1"))
    assert other == "IdempotentParameterMismatch"


def test_without_a_token_it_is_done_again(emulation: Emulation, console: Console) -> None:
    for _ in range(2):
        console.ecs("CreateDisk", ZoneId=ZONE, DiskCategory="cloud_efficiency")
    assert len(emulation.cloud.state.disks) == 2


def test_an_error_does_not_use_a_token_up(emulation: Emulation, console: Console) -> None:
    emulation.cloud.limits.vpcs = 0
    asked = {"CidrBlock": "10.42.0.0/16", "ClientToken": "TF-1"}
    assert refusal(lambda: console.vpc("CreateVpc", **asked)) == "QuotaExceeded.Vpc"
    emulation.cloud.limits.vpcs = 1
    assert console.vpc("CreateVpc", **asked)["VpcId"]
