"""Alert rules with the real Prometheus' promtool: each fires when it should, and only then."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from docker.models.containers import Container

from config.alerts import RuleFile, all_rules, render_rules, rule_file
from config.alerts.containers import RECORDED
from tests.samples import settings
from tests.services.conftest import Bench, execute
from tests.services.rule_cases import CASES, Case, Firing

USER = 2300
MARK = "=== case"
FULL = {"tier": "2C4G", "monitoring": "full"}
ALWAYS = {"Watchdog"}
"""The alerts that have no case in which they are silent."""
STACKS = {
    "full": settings(**FULL),
    "lite": settings(monitoring="lite", alertLanguage="zh"),
    "scaled": settings(**FULL, alertTimeScale="0.02"),
    "acme": settings(monitoring="lite", certificates="acme-http", acmeDirectory="https://ca.example.com/directory"),
    "alone": settings(**FULL, redis="false", federation="false"),
}


ALL = all_rules(settings())


def rules_with_descriptions() -> str:
    """Return a file with all rules, whose only annotation is the description: the rest is the same every time."""
    document = yaml.safe_load(render_rules(RuleFile(alerts=ALL, recorded=RECORDED, language="en")))
    for group in document["groups"]:
        for rule in group["rules"]:
            if "annotations" in rule:
                rule["annotations"] = {k: v for k, v in rule["annotations"].items() if k == "description"}
    return yaml.safe_dump(document, allow_unicode=True)


def case_file(number: int, case: Case) -> str:
    severity = next(rule.severity for rule in ALL if rule.name == case.rule)
    expected = [expected_alert(each, severity) for each in case.fires]
    return yaml.safe_dump(
        {
            "rule_files": ["rules.yml"],
            "evaluation_interval": case.interval,
            "group_eval_order": ["recorded", "matrix", "containers", "host", "meta"],
            "tests": [
                {
                    "name": f"{number} {case.rule}: {case.what}",
                    "interval": case.interval,
                    "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                    "alert_rule_test": [{"eval_time": case.at, "alertname": case.rule, "exp_alerts": expected}],
                }
            ],
        },
        allow_unicode=True,
        width=100000,
    )


def expected_alert(firing: Firing, severity: str) -> dict[str, Any]:
    return {
        "exp_labels": {"severity": severity, **firing.labels},
        "exp_annotations": {"description": firing.says} if firing.says else {},
    }


@pytest.fixture(scope="module")
def promtool(bench: Bench) -> Container:
    files = {f"{number}.yml": case_file(number, case) for number, case in enumerate(CASES)}
    files |= {f"{name}-rules.yml": render_rules(rule_file(stack)) for name, stack in STACKS.items()}
    files["rules.yml"] = rules_with_descriptions()
    volume = bench.volume(files, USER)
    return bench.container(
        "prometheus",
        ["sleep", "infinity"],
        entrypoint=[],
        user=f"{USER}:{USER}",
        network_mode="none",
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
        environment={"TMPDIR": "/tmp"},  # noqa: S108 (in the container)
    )


@pytest.fixture(scope="module")
def results(promtool: Container) -> dict[int, str]:
    """What promtool says of each file. A newer one does not name the file, so each is asked for by itself."""
    # One pipe: it prints on one stream what is good and on the other what failed.
    every = (
        f'n=0; while [ $n -lt {len(CASES)} ]; do echo "{MARK} $n"; promtool test rules /config/$n.yml; n=$((n+1)); done'
    )
    _, output = execute(promtool, "sh", "-c", f"({every}) 2>&1")
    parts = [part.partition("\n") for part in output.split(MARK)[1:]]
    return {int(number): re.sub("^Unit Testing:.*", "", result) for number, _, result in parts}


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=[f"{case.rule}: {case.what}".replace(" ", "-") for case in CASES]
)
def test_a_rule_fires_when_it_should_and_only_then(results: dict[int, str], number: int) -> None:
    assert results[number].split() == ["SUCCESS"], results[number]


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_promtool_accepts_the_rules_of_every_kind_of_stack(promtool: Container, stack: str) -> None:
    code, output = execute(promtool, "promtool", "check", "rules", f"/config/{stack}-rules.yml")
    assert code == 0, output
    assert "FAILED" not in output


def test_every_rule_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    names = {rule.name for rule in ALL}
    assert {case.rule for case in CASES if case.fires} == names
    assert {case.rule for case in CASES if not case.fires} == names - ALWAYS
