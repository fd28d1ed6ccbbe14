"""An emulated account for each test, with a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aliyun.account import Account, Clock
from tests.aliyun.console import Console
from tests.aliyun.emulation.emulation import Emulation, Options

SETTLE = 2.0  # seconds that a change takes


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def emulation(tmp_path: Path, clock: Clock) -> Iterator[Emulation]:
    with Emulation(Options(state=tmp_path / "account", settle=SETTLE, now=clock)) as running:
        yield running


@pytest.fixture
def console(emulation: Emulation) -> Console:
    return Console(emulation.environment)


@pytest.fixture
def account(console: Console, clock: Clock) -> Account:
    return Account(console, clock)
