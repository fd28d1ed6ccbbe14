"""A picture of a dashboard, as SVG, from the answers to its own queries: what Grafana would show, without its looks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import cycle, groupby
from typing import Any, Final

from tests.e2e.panels import Prometheus, filled_in

COLUMN: Final = 40
"""Pixels of one of Grafana's 24 columns; a row has as many."""
MARGIN: Final = 12
COLOURS: Final = ("#3274d9", "#e0752d", "#37872d", "#a352cc", "#c4162a", "#e0b400", "#1f9e9e", "#777777")
STEP: Final = 15
"""Seconds between two points."""
LEGENDS: Final = 8
"""So many names are written below a panel; the rest are drawn only."""
UNITS: Final = {"s": " s", "ms": " ms", "reqps": "/s", "ops": "/s", "cps": "/s", "none": ""}


@dataclass(frozen=True, kw_only=True)
class Series:
    """What one line or bar is of."""

    name: str
    points: Sequence[tuple[float, float]]
    """Seconds since the epoch, and value."""


def picture(text: str, prometheus: Prometheus, *, begin: float, end: float) -> str:
    """Return the picture of a dashboard (its JSON) between two times (seconds since the epoch)."""
    page = json.loads(text)
    places = [panel["gridPos"] for panel in page["panels"]]
    height = max(place["y"] + place["h"] for place in places) * COLUMN + MARGIN
    box = f"0 0 {24 * COLUMN + MARGIN} {height}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" font-family="sans-serif" font-size="12">',
        f'<title>{escape(page["title"])}</title><rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for panel in page["panels"]:
        parts += _panel(panel, list(_series(panel, prometheus, begin, end)), begin, end)
    return "\n".join([*parts, "</svg>", ""])


def _series(panel: dict[str, Any], prometheus: Prometheus, begin: float, end: float) -> Iterator[Series]:
    for target in panel["targets"]:
        expression = filled_in(target["expr"])
        if target["instant"]:
            found = prometheus.get("query", query=expression, time=str(end))["result"]
            values = [(each["metric"], [each["value"]]) for each in found]
        else:
            limits = {"start": str(begin), "end": str(end), "step": str(STEP)}
            found = prometheus.get("query_range", query=expression, **limits)["result"]
            values = [(each["metric"], each["values"]) for each in found]
        for labels, points in values:
            name = target.get("legendFormat", "")
            for label, value in labels.items():
                name = name.replace(f"{{{{{label}}}}}", value)
            yield Series(name=name, points=[(float(x), float(y)) for x, y in points if not math.isnan(float(y))])


def _panel(panel: dict[str, Any], series: Sequence[Series], begin: float, end: float) -> Iterator[str]:
    place = panel["gridPos"]
    x, y = place["x"] * COLUMN + MARGIN, place["y"] * COLUMN + MARGIN
    width, height = place["w"] * COLUMN - MARGIN, place["h"] * COLUMN - MARGIN
    yield f'<g transform="translate({x},{y})"><rect width="{width}" height="{height}" fill="none" stroke="#d0d0d0"/>'
    yield from _title(panel["title"], width)
    if panel["type"] == "stat":
        yield from _number(panel, series, width, height)
    elif panel["type"] == "bargauge":
        yield from _bars(panel, series, width, height)
    elif panel["type"] == "state-timeline":
        yield from _states(panel, series, (begin, end), width, height)
    else:
        yield from _lines(panel, series, (begin, end), width, height)
    yield "</g>"


def _title(title: str, width: int) -> Iterator[str]:
    """Break it into lines of the panel's width."""
    lines, room = [""], width // 7
    for word in title.split():
        if len(lines[-1]) + len(word) > room:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    for number, line in enumerate(lines):
        yield _text(8, 18 + 15 * number, line, bold=True)


def _number(panel: dict[str, Any], series: Sequence[Series], width: int, height: int) -> Iterator[str]:
    for each in series:
        value = each.points[-1][1]
        shown = _answer(panel, value) or _amount(value, _unit(panel))
        colour = _colour(panel, value)
        yield (
            f'<text x="{width / 2}" y="{height - 24}" font-size="30" text-anchor="middle" '
            f'fill="{colour}">{escape(shown)}</text>'
        )


def _bars(panel: dict[str, Any], series: Sequence[Series], width: int, height: int) -> Iterator[str]:
    top, name_width = 30, 260
    row = (height - top - 6) / max(len(series), 1)
    largest = max([*(each.points[-1][1] for each in series), 1.0])
    for number, each in enumerate(series):
        value, y = each.points[-1][1], top + number * row
        length = (width - name_width - 70) * value / largest
        yield _text(8, y + row * 0.7, each.name)
        yield (
            f'<rect x="{name_width}" y="{y + row * 0.15:.1f}" width="{max(length, 1):.1f}" height="{row * 0.7:.1f}" '
            f'fill="{_colour(panel, value)}"/>'
        )
        yield _text(name_width + length + 6, y + row * 0.7, _amount(value, _unit(panel)))


def _states(
    panel: dict[str, Any], series: Sequence[Series], limits: tuple[float, float], width: int, height: int
) -> Iterator[str]:
    top, left, (begin, end) = 30, 260, limits
    row, scale = (height - top - 6) / max(len(series), 1), (width - left - 8) / (end - begin)
    for number, each in enumerate(series):
        y = top + number * row
        yield _text(8, y + row * 0.7, each.name)
        for value, group in groupby(each.points[:-1], key=lambda point: point[1]):
            times = [at for at, _ in group]
            x, length = left + (times[0] - begin) * scale, (times[-1] + STEP - times[0]) * scale
            yield (
                f'<rect x="{x:.1f}" y="{y + row * 0.15:.1f}" width="{length:.1f}" height="{row * 0.7:.1f}" '
                f'fill="{_colour(panel, value)}"/>'
            )


def _lines(
    panel: dict[str, Any], series: Sequence[Series], limits: tuple[float, float], width: int, height: int
) -> Iterator[str]:
    top, left, (begin, end) = 30, 70, limits
    bottom = height - 12 - 15 * math.ceil(min(len(series), LEGENDS) / 2)
    largest = max([0.0, *(value for each in series for _, value in each.points)]) or 1.0
    across, up = (width - left - 8) / (end - begin), (bottom - top) / largest
    for share in (0, 0.5, 1):
        y = bottom - share * (bottom - top)
        yield f'<path d="M{left} {y:.1f}H{width - 8}" stroke="#e5e5e5"/>'
        yield _text(left - 6, y + 4, _amount(share * largest, _unit(panel)), end=True)
    for number, (each, colour) in enumerate(zip(series, cycle(COLOURS))):
        points = " ".join(f"{left + (x - begin) * across:.1f},{bottom - y * up:.1f}" for x, y in each.points)
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        if number < LEGENDS:
            x, y = 8 + number % 2 * width / 2, bottom + 16 + 15 * (number // 2)
            yield _text(x, y, f"— {each.name}", colour=colour)


def _text(x: float, y: float, text: str, *, bold: bool = False, end: bool = False, colour: str = "#333333") -> str:
    looks = (' font-weight="bold"' if bold else "") + (' text-anchor="end"' if end else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{looks}>{escape(text)}</text>'


def _unit(panel: dict[str, Any]) -> str:
    return str(panel["fieldConfig"]["defaults"]["unit"])


def _answer(panel: dict[str, Any], value: float) -> str:
    for mapping in panel["fieldConfig"]["defaults"].get("mappings", []):
        if found := mapping["options"].get(f"{value:.0f}"):
            return str(found["text"])
    return ""


def _colour(panel: dict[str, Any], value: float) -> str:
    names = {"green": "#37872d", "yellow": "#e0b400", "red": "#c4162a", "text": "#333333"}
    found = "text"
    for step in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", []):
        if step["value"] is None or value >= step["value"]:
            found = step["color"]
    return names[found]


def _amount(value: float, unit: str) -> str:
    """Write a value as Grafana would, more or less."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit in {"bytes", "Bps"}:
        size, names = value, ["B", "KiB", "MiB", "GiB"]
        while size >= 1024 and len(names) > 1:
            size, names = size / 1024, names[1:]
        return f"{size:.3g} {names[0]}" + ("/s" if unit == "Bps" else "")
    if unit == "s" and value >= 2 * 86400:
        return f"{value / 86400:.0f} days"
    return f"{value:.3g}{UNITS[unit]}"
