"""`make preview` of dev and prod: the real Pulumi engine and plugins, with nothing else there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops.scratch import preview_steps
from tests.recording import ROOT, record
from tests.samples import SECRETS, stack_file

STACKS = ["dev", "prod"]
CREDENTIALS = ("ALICLOUD_", "ALIBABA_CLOUD_", "ALIBABACLOUD_", "DOCKER_")


def isolated(tmp_path: Path, *command: str, **variables: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    report = tmp_path / "packets.json"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(CREDENTIALS)}
    home = tmp_path / "home"
    home.mkdir()
    result = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-m", "tests.provider.isolation", str(report), *command],
        cwd=ROOT,
        # An empty home: no key, no known host, no credentials of Aliyun's own tools.
        env={**environment, "HOME": str(home), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), f"no isolated place could be made: {result.stderr}"
    return result, json.loads(report.read_text())


def test_a_connection_would_be_seen(tmp_path: Path) -> None:
    program = "import socket; s = socket.socket(); s.settimeout(0.5); s.connect(('198.51.100.7', 22))"
    result, packets = isolated(tmp_path, sys.executable, "-c", program)
    assert result.returncode != 0
    assert "protocol 6 to 198.51.100.7:22" in packets


@pytest.mark.parametrize("stack", STACKS)
def test_a_preview_needs_no_account_no_host_and_no_network(stack: str, tmp_path: Path) -> None:
    files = {path: path.read_bytes() for path in ROOT.glob("Pulumi*.yaml")}
    result, packets = isolated(tmp_path, sys.executable, "-m", "ops.preview", "--stack", stack)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert packets == []
    assert "alicloud:ecs/instance:Instance" in result.stdout
    assert "docker:index/container:Container" in result.stdout
    assert {path: path.read_bytes() for path in ROOT.glob("Pulumi*.yaml")} == files, "a file of a stack was changed"


@pytest.mark.parametrize("stack", STACKS)
def test_a_preview_shows_every_resource(stack: str) -> None:
    keys = stack_file(stack)
    shown = {step["urn"].partition("::matrix::")[2] for step in preview_steps(ROOT, stack, keys)}
    declared = record(keys, SECRETS, stack=stack).registrations
    expected = {urn.partition("::matrix::")[2] for urn, each in declared.items() if "providers:" not in each.type}
    assert expected <= shown


def test_wrong_settings_are_refused_in_sentences(tmp_path: Path) -> None:
    project = tmp_path / "project"
    ignored = shutil.ignore_patterns(".git", ".state", "inputs", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, project, ignore=ignored, symlinks=True)
    file = project / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace("198.51.100.1/32", "0.0.0.0/0").replace("cn-hangzhou-k", "cn-beijing-a"))
    result = subprocess.run(
        [sys.executable, "-m", "ops.preview", "--stack", "dev"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "2 settings are wrong in Pulumi.dev.yaml; nothing was changed." in result.stderr
    assert "whole internet" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the project as it is, with one commit of its own."""
    folder = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".git", ".state", "inputs", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=ignored, symlinks=True)
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "base"]):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)
    return folder


def summary(clone: Path, base: str) -> str:
    file = clone / "summary.md"
    result = subprocess.run(
        [sys.executable, "-m", "ops.preview", "--stack", "dev"],
        cwd=clone,
        env={**os.environ, "MATRIX_PREVIEW_SUMMARY": str(file), "MATRIX_PREVIEW_BASE": base},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return file.read_text()


def test_a_pull_request_that_changes_nothing_says_so(clone: Path) -> None:
    text = summary(clone, "HEAD")
    assert "no resource changes" in text
    assert "It does not change." in text


def test_a_pull_request_is_told_what_it_makes_changes_replaces_and_costs(clone: Path) -> None:
    file = clone / "Pulumi.dev.yaml"
    text = file.read_text().replace("cn-hangzhou-k", "cn-hangzhou-j").replace("198.51.100.1/32", "198.51.100.2/32")
    file.write_text(f'{text}  matrix:dataDiskSize: "60"\n')
    found = summary(clone, "HEAD").splitlines()
    titles = [line.split("<summary>")[1].split("<")[0] for line in found if "<summary>" in line]
    assert titles == ["Replaced", "Removed", "Created"]
    lines = {line.split("`")[1]: line for line in found if line.startswith("- ")}
    # The plugin says so, and what hangs on them follows.
    assert "`zoneId`" in lines["data"]
    assert "`availabilityZone`" in lines["host"]
    assert "`instanceId`" in lines["public-address-of-host"]
    assert "ingress-ssh-198.51.100.2/32" in lines
    assert any("a change of +0.00 to +" in line for line in found)
    assert not [line for line in found if "worktree" in line]


def test_a_base_that_is_not_there_is_said_in_a_sentence(clone: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "ops.preview", "--stack", "dev"],
        cwd=clone,
        env={**os.environ, "MATRIX_PREVIEW_SUMMARY": str(clone / "s.md"), "MATRIX_PREVIEW_BASE": "no-such-branch"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "name a version that this clone has in BASE" in result.stderr
    assert "Traceback" not in result.stderr
