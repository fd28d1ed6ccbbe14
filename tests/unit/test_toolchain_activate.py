"""The activated environment, in a POSIX shell and in bash."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from toolchain import activation
from toolchain.activation import Purpose
from toolchain.places import Places

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sh", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder like a clone, with a space in its name, and an environment file for running."""
    root = tmp_path / "my clone"
    (root / "toolchain").mkdir(parents=True)
    (root / "toolchain/provide.py").touch()
    shutil.copyfile(ROOT / "activate", root / "activate")
    places = Places(root=root, cache=tmp_path / "the cache")
    places.make()
    purposes = {"run": Purpose.LOCAL, "aliyun": Purpose.ALIYUN, "test": Purpose.TESTS}
    for name, purpose in purposes.items():
        python = tmp_path / name / "bin/python"
        python.parent.mkdir(parents=True)
        python.symlink_to("/bin/true")
        activation.write(places, tmp_path / name, [tmp_path / "pulumi bin"], purpose)
    return root


def activated(shell: str, clone: Path, script: str, before: str = "") -> subprocess.CompletedProcess[str]:
    command = [shell, "-c", f"set -eu; {before}\n. ./activate\n{script}"]
    # Whoever runs the tests may have chosen an environment already.
    environment = {name: value for name, value in os.environ.items() if name != "MATRIX_ENV"}
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)


def test_the_environment_is_set(shell: str, clone: Path, tmp_path: Path) -> None:
    names = ["PULUMI_HOME", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "MATRIX_CACHE", "PATH"]
    answer = activated(shell, clone, "".join(f'printenv {name} || echo "no {name}"\n' for name in names))
    assert answer.stderr == ""
    home, backend, passphrase, cache, path = answer.stdout.splitlines()
    assert home == f"{tmp_path}/the cache/pulumi-home"
    assert backend == f"file://{clone}/.state/pulumi"
    assert passphrase == f"{clone}/.state/passphrase"
    assert cache == f"{tmp_path}/the cache"
    assert path.startswith(f"{tmp_path}/run/bin:{tmp_path}/pulumi bin:")


@pytest.mark.parametrize("name", ["run", "aliyun", "test"])
def test_the_environment_is_chosen_by_a_variable(shell: str, clone: Path, tmp_path: Path, name: str) -> None:
    answer = activated(shell, clone, "echo $MATRIX_VENV", before=f"MATRIX_ENV={name}")
    assert answer.stdout.strip() == str(tmp_path / name)


def test_what_would_hide_a_mistake_is_unset(shell: str, clone: Path) -> None:
    before = "export PULUMI_CONFIG_PASSPHRASE=x PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK=1"
    answer = activated(shell, clone, "env", before=before)
    assert "PULUMI_CONFIG_PASSPHRASE=" not in answer.stdout
    assert "SKIP_VERSION_CHECK" not in answer.stdout


def test_the_passphrase_is_made_once_and_for_this_user_only(shell: str, clone: Path) -> None:
    answer = activated(shell, clone, "true", before="umask 000")
    assert answer.returncode == 0
    state = clone / ".state"
    first = (state / "passphrase").read_text()
    assert len(first) == 64
    assert (state / "passphrase").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "pulumi").stat().st_mode & 0o777 == 0o700
    assert first not in answer.stdout + answer.stderr
    activated(shell, clone, "true")
    assert (state / "passphrase").read_text() == first
    assert sorted(path.name for path in state.iterdir()) == ["passphrase", "pulumi"]


@pytest.mark.parametrize("gone", [".toolchain/env.sh", "../run/bin/python"])
def test_a_missing_toolchain_is_one_line_that_says_what_to_run(shell: str, clone: Path, gone: str) -> None:
    (clone / gone).unlink()
    answer = activated(shell, clone, "echo went on")
    assert answer.stderr.startswith("activate: the toolchain is not there yet; run: make toolchain (")
    assert "export MATRIX_ENV=aliyun" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert "went on" not in answer.stdout
    assert not (clone / ".state").exists()


def test_no_variable_of_the_script_is_left_behind(shell: str, clone: Path) -> None:
    answer = activated(shell, clone, "set")
    left = answer.stdout.lower()
    for ours in ("matrix_cache", "matrix_venv", "matrix_ssh_keys"):
        left = left.replace(ours, "")
    assert "matrix_" not in left
