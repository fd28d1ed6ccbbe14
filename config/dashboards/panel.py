"""What a dashboard is: plain data, of which :mod:`config.dashboards.render` makes Grafana's JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

from config.alerts import Part

DATASOURCE: Final = "prometheus"
"""The uid under which dashboards ask for Prometheus, and under which it is provisioned."""

Kind = Literal["number", "bars", "lines", "states"]
"""A number now, a bar for each series now, lines over time, or states over time."""
Unit = Literal["none", "percentunit", "bytes", "Bps", "reqps", "ops", "cps", "s", "ms"]
"""Grafana's names; ``percentunit`` is a share from 0 to 1."""

WIDTH: Final = 24
"""Of a dashboard, in columns."""


@final
@dataclass(frozen=True, kw_only=True)
class Query:
    """One question to Prometheus.

    ``$__rate_interval`` and ``$__range`` are Grafana's: a range that is never shorter than four scrapes, and the time
    that is being looked at.
    """

    expr: str
    legend: str = ""
    """Template of the name of each series: ``{{label}}``."""


@final
@dataclass(frozen=True, kw_only=True)
class Limits:
    """Where a value turns yellow and red. The red one is the smaller where little is bad."""

    warning: float
    critical: float


@final
@dataclass(frozen=True, kw_only=True)
class Panel:
    """One question of a person and its answer."""

    title: str
    """The question."""
    about: str
    """What a person has to know to read the answer."""
    kind: Kind
    unit: Unit
    queries: Sequence[Query]
    needs: tuple[Part, ...] = ()
    """The parts without which the panel is left out: it would be empty."""
    answers: tuple[str, str] | None = None
    """The words for 0, which is bad, and 1."""
    limits: Limits | None = None
    width: int = 12


@final
@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One page."""

    name: str
    """Of its file; with ``matrix-`` in front, its uid."""
    title: str
    panels: Sequence[Panel]
