"""The spellings that the docker provider gives back unchanged; any other is a difference at every run."""

from __future__ import annotations

import pytest

from components.container import decimal_cpus, go_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5s"), (30, "30s"), (60, "1m0s"), (90, "1m30s"), (3600, "1h0m0s"), (3661, "1h1m1s"), (0, "0s")],
)
def test_durations_are_written_as_go_writes_them(seconds: int, text: str) -> None:
    assert go_duration(seconds) == text


@pytest.mark.parametrize(("cpus", "text"), [(1, "1.0"), (0.5, "0.5"), (1.25, "1.25"), (2.0, "2.0")])
def test_processors_are_written_as_decimals(cpus: float, text: str) -> None:
    assert decimal_cpus(cpus) == text
