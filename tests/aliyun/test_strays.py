"""Instances of a stack that its state does not know, and access keys that the account does not know."""

from __future__ import annotations

import pytest

from components.aliyun.ownership import Ownership
from ops.stack import INSTANCE_TYPE, State
from ops.strays import instances, strays
from tests.aliyun.account import Account
from tests.aliyun.emulation.emulation import Emulation
from tests.samples import ALIYUN, settings
from toolchain.steps import StepFailed


def tags(stack: str) -> dict[str, str]:
    own = Ownership(stack=stack).tags
    return {
        f"Tag__{at}__{part}": text
        for at, pair in enumerate(own.items(), 1)
        for part, text in zip(("Key", "Value"), pair, strict=True)
    }


def state(*ids: str) -> State:
    return State(resources=[{"type": INSTANCE_TYPE, "id": each} for each in ids], pending=[])


def test_an_instance_that_nobody_knows_is_named_and_no_other(emulation: Emulation, account: Account) -> None:
    ours, stray = (account.run(**tags("dev"), InstanceName="matrix-dev-host") for _ in range(2))
    foreign = account.run(**tags("prod"))
    found = instances(emulation.environment, settings("dev", **ALIYUN))
    assert {each["InstanceId"] for each in found} == {ours, stray}
    (told,) = strays(found, state(ours))
    assert stray in told
    assert "matrix-dev-host" in told
    assert foreign not in told
    assert strays(found, state(ours, stray)) == []


@pytest.mark.parametrize(
    ("variable", "reason"),
    [("ALICLOUD_ACCESS_KEY", "InvalidAccessKeyId"), ("ALICLOUD_SECRET_KEY", "SignatureDoesNotMatch")],
)
def test_a_wrong_key_is_refused_before_anything_is_forgotten(emulation: Emulation, variable: str, reason: str) -> None:
    with pytest.raises(StepFailed, match=reason) as refused:
        instances({**emulation.environment, variable: "wrong"}, settings("dev", **ALIYUN))
    assert "Nothing was changed" in str(refused.value)


def test_nobody_is_asked_without_a_key_or_for_a_local_stack(emulation: Emulation) -> None:
    gone = {**emulation.environment, "ALIBABA_CLOUD_ENDPOINT_ECS": "127.0.0.1:1"}
    assert instances(gone, settings("local")) == []
    without = {name: text for name, text in gone.items() if "KEY" not in name}
    assert instances(without, settings("dev", **ALIYUN)) == []
