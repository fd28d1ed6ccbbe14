"""docs/monitoring.md lists what the dashboards answer. `make golden` writes its table anew."""

from __future__ import annotations

from collections.abc import Iterator

from config.dashboards import dashboards_for
from config.homeservers import HOMESERVERS
from tests.golden.test_alerts_document import table, written
from tests.recording import ROOT
from tests.samples import settings

DOCUMENT = ROOT / "docs" / "monitoring.md"
FULL = {"tier": "2C4G", "monitoring": "full"}
CONDITIONS = {"canary": "a canary", "federation": "federation", "redis": "Redis"}
"""What a stack that is monitored in full may lack."""


def rows() -> Iterator[tuple[str, str, str, str]]:
    stacks = {name: dashboards_for(settings(**FULL, homeserver=name)) for name in HOMESERVERS}
    for pages in zip(*stacks.values(), strict=True):
        page = pages[0].name
        panels = {panel.title: panel for each in pages for panel in each.panels}
        for title, panel in panels.items():
            having = [
                HOMESERVERS[name].display_name
                for name, each in zip(stacks, pages, strict=True)
                if title in {other.title for other in each.panels}
            ]
            only = [CONDITIONS[part] for part in panel.needs if part in CONDITIONS]
            if len(having) < len(stacks):
                only = [*having, *only]
            yield page, title, panel.about, ", ".join(only)


def test_the_document_has_the_table() -> None:
    found, wanted = written(
        DOCUMENT, "pages", table(("page", "question", "about the answer", "only with"), list(rows()))
    )
    assert found == wanted, "make golden writes it anew; review the difference"
