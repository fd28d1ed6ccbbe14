"""What an alert rule is, and how its durations are scaled."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Final, Literal, final

from config.scraping import SCRAPE_INTERVAL

Severity = Literal["critical", "warning", "info", "none"]
Part = Literal[
    "acme", "alertmanager", "blackbox", "cadvisor", "canary", "facts", "federation", "nginx", "node", "redis"
]
"""What has to be deployed for a rule to mean anything: a source of metrics, or federation itself."""
Language = Literal["en", "zh"]

SECOND: Final = 1
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE

SHORTEST_RANGE: Final = 4 * SCRAPE_INTERVAL
"""Seconds; a shorter range can hold fewer than the two samples that ``increase`` needs, after one lost scrape."""

SHORTEST_KEPT: Final = MINUTE
"""Seconds; what follows from a fault clears with health checks, whose interval is not scaled."""

_RANGE: Final = re.compile(r"\[(\d+)([smh])\]")
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR}


@final
@dataclass(frozen=True, kw_only=True)
class Text:
    """One sentence or two in both languages."""

    en: str
    zh: str

    def in_language(self, language: Language) -> str:
        """Return the text in one of the languages."""
        return self.zh if language == "zh" else self.en


@final
@dataclass(frozen=True, kw_only=True)
class Rule:
    """One alert rule of Prometheus."""

    name: str
    group: Literal["matrix", "containers", "host", "meta"]
    severity: Severity
    expr: str
    lasts: int = 0
    """Seconds for which the expression has to hold before anybody is told (Prometheus' ``for``)."""
    keeps: int = 0
    """Seconds for which the alert stays after the expression has ceased to hold (``keep_firing_for``)."""
    needs: tuple[Part, ...]
    """The parts without which the rule is left out: its ``absent()`` would fire for what was never there."""
    meaning: Text
    detail: str = ""
    """Which one and how much: a template of Prometheus, the same in every language."""
    action: Text


@final
@dataclass(frozen=True, kw_only=True)
class RecordingRule:
    """One series that Prometheus computes from others."""

    record: str
    expr: str
    needs: tuple[Part, ...]


def scaled(rule: Rule, factor: float) -> Rule:
    """Return a rule with all its durations multiplied: how long a fault lasts before it is told, and ranges.

    Tests let faults happen in less time with it. Thresholds stay, no range gets too short for its function, and no
    alert ends before what it keeps quiet about.
    """

    def shorter(match: re.Match[str]) -> str:
        seconds = int(match[1]) * _UNITS[match[2]]
        return f"[{duration(max(round(seconds * factor), min(seconds, SHORTEST_RANGE)))}]"

    return dataclasses.replace(
        rule,
        expr=rule.expr if factor == 1 else _RANGE.sub(shorter, rule.expr),
        lasts=round(rule.lasts * factor),
        keeps=max(round(rule.keeps * factor), min(rule.keeps, SHORTEST_KEPT)),
    )


def duration(seconds: int) -> str:
    """Return seconds as Prometheus writes a duration, in the largest unit that gives a whole number."""
    for unit, size in (("h", HOUR), ("m", MINUTE)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
