"""docs/alert-faults.md has every fault, and every alert has a fault or a reason for having none.

`make alert-faults` writes its tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest

from config.alerts import all_rules
from tests.e2e.alert_faults import FAULTS, SILENCES, UNPROVEN
from tests.recording import ROOT
from tests.samples import settings

DOCUMENT = ROOT / "docs" / "alert-faults.md"
SCALES: Mapping[str, str] = {"1": "as shipped", "0.1": "a tenth"}
"""Scales whose tables the document has, and what it calls them."""
EXPECTED = {"faults": [each.what for each in FAULTS], "silences": [each.what for each in SILENCES]}


def marked(name: str, scale: str) -> re.Pattern[str]:
    """Return what finds a table: what stands before its rows, they themselves, and what stands after them."""
    start = rf"<!-- {name}, {SCALES[scale]}: .*? -->\n\n\|.*\n\|.*\n"
    return re.compile(rf"({start})((?:\|.*\n)*)(\n<!-- end of {name}, {SCALES[scale]} -->)")


def rows_of(name: str, scale: str) -> Mapping[str, str]:
    """Return the rows of a table by what they are about."""
    found = marked(name, scale).search(DOCUMENT.read_text(encoding="utf-8"))
    assert found, f"{DOCUMENT.name} has no table {name}, {SCALES[scale]}"
    return {line.split("|")[1].strip(): line for line in found[2].splitlines()}


def write(name: str, scale: str, rows: Sequence[str]) -> None:
    """Put rows in the place of those about the same; of another scale nothing is written."""
    if scale not in SCALES:
        return
    known = {**rows_of(name, scale), **{line.split("|")[1].strip(): line for line in rows}}
    text = "".join(f"{known[what]}\n" for what in EXPECTED[name] if what in known)
    document = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(marked(name, scale).sub(lambda match: match[1] + text + match[3], document), encoding="utf-8")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", EXPECTED)
def test_every_fault_has_been_measured(name: str, scale: str) -> None:
    assert list(rows_of(name, scale)) == EXPECTED[name], "make alert-faults writes docs/alert-faults.md anew"


def test_every_alert_has_a_fault_or_a_reason_for_having_none() -> None:
    names = {rule.name for rule in all_rules(settings())}
    assert {each.told.alert for each in FAULTS} | set(UNPROVEN) | {"Watchdog"} == names
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, reason in UNPROVEN.items():
        assert f"| {name} | {reason} |" in text
