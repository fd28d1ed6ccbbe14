"""docs/alerts.md says what the rules are. `make golden` writes its tables anew."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from config.alerts import INHIBITIONS, Inhibition, Rule, rules_for
from config.alerts.rule import duration
from tests.recording import ROOT
from tests.samples import settings

DOCUMENT = ROOT / "docs" / "alerts.md"
ACME = {"certificates": "acme-http", "acmeDirectory": "https://ca.example.com/directory"}
FULL = rules_for(settings(tier="2C4G", monitoring="full", **ACME))
LITE = {rule.name for rule in rules_for(settings(monitoring="lite", **ACME))}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def rule_row(rule: Rule) -> Sequence[str]:
    return (
        rule.name,
        rule.severity,
        duration(rule.lasts) if rule.lasts else "at once",
        "yes" if rule.name in LITE else "",
        rule.meaning.en,
        rule.action.en,
    )


def inhibition_row(each: Inhibition) -> Sequence[str]:
    conditions = [f"{label} `{pattern}`" for label, pattern in each.where.items()]
    conditions += [f"of the same {label}" for label in each.equal]
    return each.source, ", ".join(each.targets), " and ".join(conditions).replace("|", "\\|"), each.because


TABLES = {
    "rules": table(
        ("alert", "severity", "after", "lite", "what it means", "what to do"), [rule_row(rule) for rule in FULL]
    ),
    "inhibitions": table(
        ("while this fires", "nobody is told of", "where", "because"), [inhibition_row(each) for each in INHIBITIONS]
    ),
}


def written(document: Path, name: str, wanted: str) -> tuple[str, str]:
    """Return the table of a document, and what it has to be; write it where that is wanted."""
    text = document.read_text(encoding="utf-8")
    marked = re.compile(rf"(<!-- {name}: .*? -->\n)(.*?)(<!-- end of {name} -->)", re.DOTALL)
    if os.environ.get("WRITE_GOLDEN") == "1":
        text = marked.sub(lambda match: f"{match[1]}\n{wanted}\n{match[3]}", text)
        document.write_text(text, encoding="utf-8")
    found = marked.search(text)
    assert found
    return found[2].strip(), wanted.strip()


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_document_has_the_table(name: str) -> None:
    found, wanted = written(DOCUMENT, name, TABLES[name])
    assert found == wanted, "make golden writes it anew; review the difference"
