"""Alert rules: which ones a stack has, in which language, and what a time scale changes."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from config.alerts import INHIBITIONS, all_rules, render_rules, rule_file, rules_for
from config.alerts.rule import SHORTEST_RANGE, duration
from config.settings import Settings
from tests.samples import settings

FULL = {"tier": "2C4G", "monitoring": "full"}
DURATION = re.compile(r"\[(\d+[smh])\]|^ *(?:for|keep_firing_for): (\d+[smh])$", re.MULTILINE)


def names(stack: Settings) -> set[str]:
    return {rule.name for rule in rules_for(stack)}


def rendered(stack: Settings) -> dict[str, Any]:
    return {
        rule.get("alert") or rule["record"]: rule
        for group in yaml.safe_load(render_rules(rule_file(stack)))["groups"]
        for rule in group["rules"]
    }


def test_lite_has_the_rules_whose_measures_it_has() -> None:
    assert names(settings(monitoring="lite")) == {
        "HomeserverDown",
        "FederationEndpointDown",
        "CertificateExpiresSoon",
        "HostOOMKill",
        "DiskSpaceLow",
        "DiskFillsWithin24h",
        "CPUStealHigh",
        "TargetDown",
        "NotificationsFailing",
        "Watchdog",
    }
    assert not rule_file(settings(monitoring="lite")).recorded


def test_what_is_not_deployed_is_not_alerted_on() -> None:
    everything = names(settings(**FULL))
    assert everything - names(settings(**FULL, redis="false")) == {"RedisDown"}
    assert everything - names(settings(**FULL, federation="false")) == {"FederationEndpointDown"}
    acme = {"certificates": "acme-http", "acmeDirectory": "https://ca.example.com/directory"}
    assert names(settings(**FULL, **acme)) - everything == {"CertificateNotRenewed"}
    assert "CertificateNotRenewed" in names(settings(monitoring="lite", **acme))
    # Without a token the canary gets no account on Conduit.
    assert everything - names(settings(**FULL, registration="closed")) == {"HomeserverWriteProbeFailing"}
    assert "RedisDown" not in names(settings(monitoring="lite"))
    assert not [name for name in everything if "Backup" in name or "Restore" in name], "there are no backups yet"


def test_every_rule_has_a_name_of_its_own_and_says_what_to_do_in_both_languages() -> None:
    rules = rules_for(settings(**FULL))
    assert len({rule.name for rule in rules}) == len(rules)
    english, chinese = rendered(settings(**FULL)), rendered(settings(**FULL, alertLanguage="zh"))
    for rule in rules:
        for annotation in ("summary", "action"):
            assert re.search(r"[\u4e00-\u9fff]", chinese[rule.name]["annotations"][annotation]), rule.name
            assert not re.search(r"[\u4e00-\u9fff]", english[rule.name]["annotations"][annotation]), rule.name
        assert {**chinese[rule.name], "annotations": {}} == {**english[rule.name], "annotations": {}}


def test_what_to_do_names_a_command() -> None:
    command = re.compile(r"`(make|docker|journalctl|df|pulumi) ?")
    for rule in rules_for(settings(**FULL)):
        for text in (rule.action.en, rule.action.zh):
            assert command.search(text) or rule.severity == "none", text


@pytest.mark.parametrize(
    ("key", "value", "rule", "threshold"),
    [
        ("alertCertificateDays", "2", "CertificateExpiresSoon", "< 2 * 86400"),
        ("alertDiskPercent", "20", "DiskSpaceLow", "< 0.2"),
        ("alertMemoryPercent", "95", "ContainerMemoryNearLimit", "> 0.95"),
        ("alertErrorPercent", "10", "HighErrorRatio5xx", "> 0.1\n"),
    ],
)
def test_a_threshold_is_the_one_of_the_settings(key: str, value: str, rule: str, threshold: str) -> None:
    before, after = rendered(settings(**FULL)), rendered(settings(**FULL, **{key: value}))
    assert threshold in after[rule]["expr"]
    assert {name for name in before if before[name] != after[name]} == {rule}


@pytest.mark.parametrize("factor", ["0.02", "0.1", "0.5"])
def test_a_time_scale_changes_durations_and_nothing_else(factor: str) -> None:
    shipped = render_rules(rule_file(settings(**FULL)))
    scaled = render_rules(rule_file(settings(**FULL, alertTimeScale=factor)))
    # Line breaks of the expressions depend on their length.
    without = [" ".join(DURATION.sub("", text).split()) for text in (shipped, scaled)]
    assert without[0] == without[1]
    assert scaled != shipped
    for rule in rules_for(settings(**FULL)):
        (other,) = [each for each in rules_for(settings(**FULL, alertTimeScale=factor)) if each.name == rule.name]
        assert other.lasts == round(rule.lasts * float(factor))
        # A minute is the shortest there is, and health checks do not come sooner because of a scale.
        assert other.keeps == rule.keeps
        assert (other.severity, other.needs, other.meaning, other.detail, other.action) == (
            rule.severity,
            rule.needs,
            rule.meaning,
            rule.detail,
            rule.action,
        )


def test_a_scaled_range_still_holds_several_samples() -> None:
    text = render_rules(rule_file(settings(**FULL, alertTimeScale="0.02")))
    units = {"s": 1, "m": 60, "h": 3600}
    ranges = [int(found[:-1]) * units[found[-1]] for found in re.findall(r"\[(\d+[smh])\]", text)]
    assert ranges
    assert min(ranges) == SHORTEST_RANGE


def test_inhibitions_name_alerts_that_there_are() -> None:
    known = {rule.name for rule in all_rules(settings())}
    for each in INHIBITIONS:
        assert {each.source, *each.targets} <= known
        assert each.source not in each.targets, "an alert cannot keep quiet about itself"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (45, "45s"), (60, "1m"), (90, "90s"), (7200, "2h")])
def test_a_duration_is_written_in_the_largest_whole_unit(seconds: int, text: str) -> None:
    assert duration(seconds) == text
