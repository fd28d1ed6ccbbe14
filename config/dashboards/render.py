"""Grafana's JSON, from plain data. Whether a page is right is decided there; here it gets its looks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders import bargauge, common, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as ask
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model

from config.alerts import parts_of
from config.dashboards.containers import containers
from config.dashboards.homeserver import homeserver
from config.dashboards.host import host
from config.dashboards.nginx import nginx
from config.dashboards.overview import overview
from config.dashboards.panel import DATASOURCE, WIDTH, Dashboard, Kind, Limits, Panel, Query
from config.settings import Settings

_HEIGHTS: Final[Mapping[Kind, int]] = {"number": 4, "bars": 9, "lines": 8, "states": 8}
_GREEN, _YELLOW, _RED = "green", "yellow", "red"

_AnyPanel = stat.Panel | bargauge.Panel | timeseries.Panel | statetimeline.Panel


def dashboards_for(settings: Settings) -> Sequence[Dashboard]:
    """Return the dashboards of a stack that is monitored in full, without panels on what it does not have."""
    parts = parts_of(settings)
    pages = [page(settings) for page in (overview, homeserver, nginx, containers, host)]
    return [
        dataclasses.replace(page, panels=[panel for panel in page.panels if parts.issuperset(panel.needs)])
        for page in pages
    ]


def dashboard_files(settings: Settings) -> Mapping[str, str]:
    """Return the dashboards as Grafana reads them, by the name of their file."""
    return {f"{each.name}.json": _text(each, settings) for each in dashboards_for(settings)}


def _text(dashboard: Dashboard, settings: Settings) -> str:
    page = (
        build.Dashboard(dashboard.title)
        .uid(f"matrix-{dashboard.name}")
        .tags(["matrix"])
        .readonly()
        .refresh("30s")
        .time("now-6h", "now")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            build.DashboardLink("Pages")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["matrix"])
            .keep_time(keep_time=True)
        )
        .link(
            build.DashboardLink("Alerts")
            .type(model.DashboardLinkType.LINK)
            .url(f"{settings.prometheus_url}/alerts")
            .target_blank(target_blank=True)
        )
    )
    for number, (panel, place) in enumerate(_placed(dashboard.panels), start=1):
        page.with_panel(_panel(panel).id(number).grid_pos(place))
    return json.dumps(page.build(), cls=JSONEncoder, sort_keys=True, indent=1) + "\n"


def _placed(panels: Sequence[Panel]) -> Iterator[tuple[Panel, model.GridPos]]:
    """Put panels beside each other as long as there is room: which of them there are differs between stacks."""
    x = y = row = 0
    for panel in panels:
        if x + panel.width > WIDTH:
            x, y, row = 0, y + row, 0
        height = _HEIGHTS[panel.kind]
        yield panel, model.GridPos(h=height, w=panel.width, x=x, y=y)
        x, row = x + panel.width, max(row, height)


def _panel(panel: Panel) -> _AnyPanel:
    made = _KINDS[panel.kind](panel)
    made.title(panel.title).description(panel.about).unit(panel.unit)
    made.datasource(model.DataSourceRef(type_val="prometheus", uid=DATASOURCE))
    for index, query in enumerate(panel.queries):
        made.with_target(_target(query, chr(ord("A") + index), now=panel.kind in {"number", "bars"}))
    if panel.unit == "percentunit":
        made.min(0)
    if panel.answers:
        made.mappings([_answers(panel.answers)])
        made.thresholds(_colours((None, _RED), (1, _GREEN)))
    elif panel.limits:
        made.thresholds(_by_size(panel.limits))
    elif panel.kind in {"number", "bars"}:
        made.thresholds(_colours((None, "text")))
    return made


def _target(query: Query, name: str, *, now: bool) -> ask.Dataquery:
    target = ask.Dataquery().ref_id(name).expr(query.expr)
    if query.legend:
        target.legend_format(query.legend)
    return target.instant() if now else target.range()


def _answers(words: tuple[str, str]) -> model.ValueMap:
    results = zip("01", words, (_RED, _GREEN), strict=True)
    return model.ValueMap(
        options={value: model.ValueMappingResult(text=word, color=color) for value, word, color in results}
    )


def _by_size(limits: Limits) -> build.ThresholdsConfig:
    """Colour from green to red, or the other way round where little is bad."""
    if limits.critical < limits.warning:
        return _colours((None, _RED), (limits.critical, _YELLOW), (limits.warning, _GREEN))
    return _colours((None, _GREEN), (limits.warning, _YELLOW), (limits.critical, _RED))


def _colours(*steps: tuple[float | None, str]) -> build.ThresholdsConfig:
    """Colour what is at least as large as each value; None is less than all."""
    return build.ThresholdsConfig().steps([model.Threshold(value=value, color=color) for value, color in steps])


def _number(_: Panel) -> stat.Panel:
    return (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(looks.BigValueColorMode.VALUE)
        .graph_mode(looks.BigValueGraphMode.NONE)
    )


def _bars(_: Panel) -> bargauge.Panel:
    return (
        bargauge.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .orientation(looks.VizOrientation.HORIZONTAL)
        .display_mode(looks.BarGaugeDisplayMode.BASIC)
    )


def _lines(panel: Panel) -> timeseries.Panel:
    made = timeseries.Panel().fill_opacity(8).show_points(looks.VisibilityMode.NEVER).axis_soft_min(0)
    if panel.limits:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED))
    return made


def _states(_: Panel) -> statetimeline.Panel:
    return statetimeline.Panel().show_value(looks.VisibilityMode.NEVER)


_KINDS: Final[Mapping[Kind, Callable[[Panel], _AnyPanel]]] = {
    "number": _number,
    "bars": _bars,
    "lines": _lines,
    "states": _states,
}
