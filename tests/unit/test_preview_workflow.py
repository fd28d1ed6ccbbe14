"""The workflow of pull requests: what it may do, and that it does what people can do by hand."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.recording import ROOT

FILE = ROOT / ".github" / "workflows" / "preview.yml"
TEXT = FILE.read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["preview"]["steps"]
COMMANDS = [step["run"] for step in STEPS if "run" in step]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_stack_on_aliyun_is_previewed() -> None:
    files = sorted(ROOT.glob("Pulumi.*.yaml"))
    stacks = {path.name.split(".")[1] for path in files if "matrix:target: aliyun" in path.read_text(encoding="utf-8")}
    assert stacks == {"dev", "prod"}
    previewed = {found[1] for command in COMMANDS if (found := re.match(r"make preview STACK=(\S+) ", command))}
    assert previewed == stacks


def test_a_preview_is_the_command_that_people_run() -> None:
    for command in COMMANDS:
        if command.startswith("make preview"):
            assert re.fullmatch(r'make preview STACK=(\w+) BASE="\$BASE" SUMMARY=preview-\1\.md', command)
    for variable in ("SUMMARY", "BASE"):
        assert f"$(origin {variable})" in MAKEFILE


def test_the_summary_of_each_stack_is_posted() -> None:
    (written,) = [command for command in COMMANDS if command.startswith("cat ")]
    assert set(re.findall(r"preview-\w+\.md", written)) == set(re.findall(r"preview-\w+\.md", " ".join(COMMANDS[:-2])))
    assert any("gh pr comment" in command and "preview.md" in command for command in COMMANDS)


def test_it_has_no_credentials_and_few_rights() -> None:
    assert "secrets." not in TEXT
    assert "ALICLOUD" not in TEXT
    assert WORKFLOW["permissions"] == {"contents": "read", "pull-requests": "write"}
    # YAML takes the key `on` for a boolean. With pull_request_target, code of strangers would run with our rights.
    assert set(WORKFLOW[True]) == {"pull_request"}


def test_nothing_that_a_stranger_can_name_reaches_a_shell() -> None:
    for command in COMMANDS:
        assert "${{" not in command, command


def test_only_actions_of_github_itself_are_used() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v[0-9]+", each) for each in used)


def test_the_base_is_there_to_compare_with() -> None:
    (checkout,) = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["fetch-depth"] == 0


def test_the_summaries_stay_out_of_the_repository() -> None:
    assert "/preview*.md" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()
