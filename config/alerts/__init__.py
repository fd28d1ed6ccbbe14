"""What is alerted on: rules that follow from what is deployed, and which alert keeps quiet about which other."""

from config.alerts.inhibitions import INHIBITIONS, Inhibition
from config.alerts.render import RuleFile, all_rules, parts_of, render_rules, rule_file, rules_for
from config.alerts.rule import Language, Part, RecordingRule, Rule, Severity

__all__ = [
    "INHIBITIONS",
    "Inhibition",
    "Language",
    "Part",
    "RecordingRule",
    "Rule",
    "RuleFile",
    "Severity",
    "all_rules",
    "parts_of",
    "render_rules",
    "rule_file",
    "rules_for",
]
