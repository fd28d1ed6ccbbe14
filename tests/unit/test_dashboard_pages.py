"""The dashboards: which panels a stack has, and what Grafana reads. Their queries are asked in tests/e2e."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from config.dashboards import DATASOURCE, Panel, dashboard_files, dashboards_for
from config.dashboards.panel import WIDTH
from config.homeservers import HOMESERVERS
from config.settings import Settings
from tests.samples import settings

FULL = {"tier": "2C4G", "monitoring": "full"}
STACKS: dict[str, Settings] = {
    **{name: settings(**FULL, homeserver=name) for name in HOMESERVERS},
    "closed": settings(**FULL, registration="closed", federation="false", redis="false"),
}
SOURCES = {
    "redis_": {"redis"},
    "matrix_canary_": {"canary"},
    "nginx_": {"nginx"},
    "matrix_container_": {"facts"},
    "matrix:container_": {"cadvisor", "facts"},
    "matrix_federation": {"federation"},
    "synapse_federation_": {"federation"},
    "dendrite_federationapi_": {"federation"},
}
"""What a query that has this in it cannot do without."""


def panels(stack: Settings) -> Iterator[tuple[str, Panel]]:
    for dashboard in dashboards_for(stack):
        for panel in dashboard.panels:
            yield dashboard.name, panel


def titles(stack: Settings) -> set[tuple[str, str]]:
    return {(name, panel.title) for name, panel in panels(stack)}


def rendered(stack: Settings) -> dict[str, dict[str, Any]]:
    return {name: json.loads(text) for name, text in dashboard_files(stack).items()}


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    return not (apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"])


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_every_panel_answers_a_question_of_its_own(stack: str) -> None:
    found = list(panels(STACKS[stack]))
    assert len({(name, panel.title) for name, panel in found}) == len(found)
    for _, panel in found:
        assert panel.title.endswith("?"), panel.title
        assert panel.about.endswith("."), panel.title
        assert panel.queries, panel.title


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_a_panel_says_what_it_needs(stack: str) -> None:
    for _, panel in panels(STACKS[stack]):
        for query, (source, parts) in itertools.product(panel.queries, SOURCES.items()):
            if re.search(rf"\b{re.escape(source)}", query.expr):
                assert parts <= set(panel.needs), panel.title


def test_what_is_not_deployed_has_no_panel() -> None:
    everything = titles(settings(**FULL))

    def without(**keys: str) -> set[str]:
        return {title for _, title in everything - titles(settings(**FULL, **keys))}

    assert without(redis="false") == {"How full is Redis?", "How much does Redis do?"}
    assert without(federation="false") == {"Do other homeservers get an answer?"}
    assert without(registration="closed") == {
        "Can they write?",
        "How long does it take to write a message and read it back?",
    }
    assert not [title for _, title in everything if "backup" in title.lower()], "there are no backups yet"


def test_each_homeserver_has_its_own_measures_only() -> None:
    for name, own in {"conduit": (), "synapse": ("synapse",), "dendrite": ("dendrite",)}.items():
        expressions = " ".join(query.expr for _, panel in panels(STACKS[name]) for query in panel.queries)
        told = {prefix for prefix in ("synapse", "dendrite", "conduit") if re.search(rf"\b{prefix}_", expressions)}
        assert told == set(own)
        assert f'name="matrix-local-{name}"' in expressions


def test_colours_change_where_alerts_fire() -> None:
    page = rendered(settings(**FULL, alertDiskPercent="30", alertCertificateDays="5"))["overview.json"]
    steps = {each["title"]: each["fieldConfig"]["defaults"]["thresholds"]["steps"] for each in page["panels"][:6]}
    assert [(step["value"], step["color"]) for step in steps["How full is the fullest disk?"]] == [
        (None, "green"),
        (0.7, "yellow"),
        (0.85, "red"),
    ]
    # The same in words: what is 0 is bad.
    assert [(step["value"], step["color"]) for step in steps["Can they write?"]] == [(None, "red"), (1, "green")]
    # Little is bad: red from below.
    assert [(step["value"], step["color"]) for step in steps["How long is the certificate valid?"]] == [
        (None, "red"),
        (2.5 * 86400, "yellow"),
        (5 * 86400, "green"),
    ]


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_grafana_gets_every_query_and_can_place_every_panel(stack: str) -> None:
    pages = rendered(STACKS[stack])
    assert len({page["uid"] for page in pages.values()}) == len(pages)
    for dashboard in dashboards_for(STACKS[stack]):
        page = pages[f"{dashboard.name}.json"]
        assert page["editable"] is False
        places = [panel["gridPos"] for panel in page["panels"]]
        assert all(place["x"] + place["w"] <= WIDTH for place in places)
        assert not [pair for pair in itertools.combinations(places, 2) if overlap(*pair)]
        assert [panel["id"] for panel in page["panels"]] == list(range(1, len(places) + 1))
        for panel, shown in zip(dashboard.panels, page["panels"], strict=True):
            assert shown["title"] == panel.title
            assert shown["datasource"] == {"type": "prometheus", "uid": DATASOURCE}
            assert shown["fieldConfig"]["defaults"]["unit"] == panel.unit
            assert [target["expr"] for target in shown["targets"]] == [query.expr for query in panel.queries]
            names = [target["refId"] for target in shown["targets"]]
            assert len(set(names)) == len(names)
            assert all(names), "Grafana shows nothing for a query without a name"


def test_the_link_to_alerts_leads_to_this_stacks_prometheus() -> None:
    for page in rendered(settings(**FULL, prometheusPort="9099")).values():
        assert [link["url"] for link in page["links"] if link["type"] == "link"] == ["http://127.0.0.1:9099/alerts"]


def test_the_same_settings_give_the_same_files() -> None:
    assert dashboard_files(settings(**FULL)) == dashboard_files(settings(**FULL))
