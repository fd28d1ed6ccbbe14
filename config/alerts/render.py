"""Prometheus' rule file, from what is deployed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import yaml

from config.alerts import containers, homeserver, host
from config.alerts.rule import Language, Part, RecordingRule, Rule, duration, scaled
from config.scraping import SCRAPE_INTERVAL
from config.settings import Settings

_LITE: Final[frozenset[Part]] = frozenset({"alertmanager", "blackbox", "node"})
_FULL: Final[frozenset[Part]] = _LITE | {"cadvisor", "facts", "nginx"}


def parts_of(settings: Settings) -> frozenset[Part]:
    """Return what a stack has that rules can be about."""
    parts = {"off": frozenset[Part](), "lite": _LITE, "full": _FULL}[settings.monitoring]
    if settings.federation:
        parts |= {"federation"}
    if settings.monitoring != "off" and settings.certificates != "self-signed":
        parts |= {"acme"}
    if settings.monitoring == "full" and settings.redis:
        parts |= {"redis"}
    if settings.canary:
        parts |= {"canary"}
    return parts


def all_rules(settings: Settings) -> Sequence[Rule]:
    """Return every rule there is, with the thresholds of a stack, whatever it has deployed."""
    alerting = settings.alerting
    return (*homeserver.rules(alerting), *containers.rules(alerting), *host.rules(alerting))


def rules_for(settings: Settings) -> Sequence[Rule]:
    """Return the alert rules of a stack, its durations scaled as it says."""
    parts = parts_of(settings)
    return tuple(
        scaled(rule, settings.alerting.alert_time_scale) for rule in all_rules(settings) if parts.issuperset(rule.needs)
    )


@final
@dataclass(frozen=True, kw_only=True)
class RuleFile:
    """What Prometheus' rule file says that differs between stacks."""

    alerts: Sequence[Rule]
    recorded: Sequence[RecordingRule]
    language: Language


def rule_file(settings: Settings) -> RuleFile:
    """Return what a stack's rule file says."""
    parts = parts_of(settings)
    return RuleFile(
        alerts=rules_for(settings),
        recorded=[rule for rule in containers.RECORDED if parts.issuperset(rule.needs)],
        language=settings.alerting.alert_language,
    )


def render_rules(file: RuleFile) -> str:
    """Return Prometheus' ``rules.yml``."""
    groups: dict[str, list[dict[str, Any]]] = {}
    if file.recorded:
        groups["recorded"] = [{"record": rule.record, "expr": rule.expr} for rule in file.recorded]
    for rule in file.alerts:
        groups.setdefault(rule.group, []).append(_alert(rule, file.language))
    return yaml.safe_dump(
        {
            "groups": [
                {"name": name, "interval": duration(SCRAPE_INTERVAL), "rules": rules} for name, rules in groups.items()
            ]
        },
        sort_keys=False,
        allow_unicode=True,
        width=120,
    )


def _alert(rule: Rule, language: Language) -> dict[str, Any]:
    return {
        "alert": rule.name,
        "expr": rule.expr,
        **({"for": duration(rule.lasts)} if rule.lasts else {}),
        **({"keep_firing_for": duration(rule.keeps)} if rule.keeps else {}),
        "labels": {"severity": rule.severity},
        "annotations": {
            "summary": rule.meaning.in_language(language),
            **({"description": rule.detail} if rule.detail else {}),
            "action": rule.action.in_language(language),
        },
    }
