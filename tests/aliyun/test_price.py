"""`make price` against the emulated API: asked with Alibaba's own SDK, over TLS, signed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.aliyun.console import Console
from tests.aliyun.emulation.emulation import Emulation
from tests.recording import ROOT


def price(emulation: Emulation, stack: str, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ALI")}
    return subprocess.run(
        [sys.executable, "-m", "ops.price", "--stack", stack],
        cwd=ROOT,
        env={**inherited, **emulation.environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def items(text: str) -> dict[str, float]:
    table = text.partition("asked of the API")[2].partition("sum")[0].splitlines()[1:]
    return {line.split()[0]: float(line.split()[2]) for line in table if line.strip()}


@pytest.mark.parametrize(("stack", "kind"), [("dev", "ecs.e-c1m1.large"), ("prod", "ecs.u1-c1m2.xlarge")])
def test_the_prices_of_the_api_are_shown(emulation: Emulation, console: Console, stack: str, kind: str) -> None:
    result = price(emulation, stack)
    assert result.returncode == 0, result.stderr
    asked = console.call(
        "ecs", "DescribePrice", {"ResourceType": "instance", "InstanceType": kind, "PriceUnit": "Month", "Period": 1}
    )
    (instance,) = [
        each["TradePrice"]
        for each in asked["PriceInfo"]["Price"]["DetailInfos"]["DetailInfo"]
        if each["Resource"] == "instanceType"
    ]
    shown = items(result.stdout)
    assert shown["instanceType"] == pytest.approx(instance, abs=0.01)
    assert {"instanceType", "systemDisk", "dataDisk"} <= set(shown)


def test_a_refusal_is_told_in_a_sentence(emulation: Emulation) -> None:
    result = price(emulation, "dev", ALICLOUD_SECRET_KEY="wrong")
    assert result.returncode != 0
    assert "SignatureDoesNotMatch" in result.stderr
    assert "ecs:DescribePrice" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_api_that_does_not_answer_is_told_in_a_sentence(emulation: Emulation) -> None:
    result = price(emulation, "dev", ALIBABA_CLOUD_ENDPOINT_ECS="127.0.0.1:1")
    assert result.returncode != 0
    assert "the API does not answer" in result.stderr
    assert "Traceback" not in result.stderr


def test_without_credentials_nothing_is_asked(emulation: Emulation) -> None:
    key_names = {name: "" for name in emulation.environment if "KEY" in name}
    result = price(emulation, "dev", **key_names)
    assert result.returncode == 0, result.stderr
    assert "The API was not asked" in result.stdout
    assert "asked of the API" not in result.stdout
