"""Keys, folders that are whole or not there, and the lock between two runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from toolchain import golang
from toolchain.cache import key_of, whole, write_atomically
from toolchain.places import Places, System
from toolchain.steps import StepFailed

ROOT = Path(__file__).parents[2]
LINUX = System(os="linux", arch="amd64")


def test_a_key_does_not_depend_on_where_the_clone_lies(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(golang.MODULES, tmp_path / name)
    keys = {golang.key(golang.DOCKER, LINUX, tmp_path / name) for name in ("a", "b")}
    assert keys == {golang.key(golang.DOCKER, LINUX)}


@pytest.mark.parametrize("file", ["docker/main.go", "docker/go.mod", "docker/go.sum", "propertynames/names.go"])
def test_a_key_changes_with_every_file_that_is_built_in(tmp_path: Path, file: str) -> None:
    shutil.copytree(golang.MODULES, tmp_path / "go")
    with (tmp_path / "go" / file).open("a") as sink:
        sink.write("\n")
    assert golang.key(golang.DOCKER, LINUX, tmp_path / "go") != golang.key(golang.DOCKER, LINUX)


def test_a_key_of_one_part_does_not_change_with_another_part(tmp_path: Path) -> None:
    shutil.copytree(golang.MODULES, tmp_path / "go")
    (tmp_path / "go/tls/main.go").write_text("package main\n")
    assert golang.key(golang.PULUMI, LINUX, tmp_path / "go") == golang.key(golang.PULUMI, LINUX)


def test_a_key_changes_with_the_machine() -> None:
    assert golang.key(golang.TLS, LINUX) != golang.key(golang.TLS, System(os="linux", arch="arm64"))


def test_a_key_changes_with_a_further_program() -> None:
    assert golang.key(replace(golang.TLS, also=("example/cmd",)), LINUX) != golang.key(golang.TLS, LINUX)


def test_facts_that_only_look_alike_when_joined_have_different_keys() -> None:
    assert key_of([], ["a", "bc"]) != key_of([], ["ab", "c"])


def test_an_interrupted_build_leaves_nothing_that_could_be_taken_for_whole(tmp_path: Path) -> None:
    target = tmp_path / "part-0123"

    def build() -> None:
        with whole(target) as partial:
            (partial / "program").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_build_left_is_not_used_and_removed_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "part-0123"
    script = (
        "import os, signal, sys; from pathlib import Path; from toolchain.cache import whole\n"
        "with whole(Path(sys.argv[1])) as p:\n"
        "    (p / 'program').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, target], cwd=ROOT, check=False)
    assert not target.exists()
    assert len(list(tmp_path.iterdir())) == 1
    with whole(target) as partial:
        (partial / "program").write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["part-0123"]
    assert (target / "program").read_text() == "whole"


def test_a_file_is_replaced_in_one_go_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "env.sh"
    write_atomically(path, "one", 0o600)
    write_atomically(path, "two", 0o600)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["env.sh"]


def test_the_cache_follows_xdg_and_else_lies_below_home() -> None:
    assert Places.of({"XDG_CACHE_HOME": "/x", "HOME": "/h"}).cache == Path("/x/matrix-homeserver")
    assert Places.of({"HOME": "/h"}).cache == Path("/h/.cache/matrix-homeserver")
    assert Places.of({"XDG_CACHE_HOME": "relative", "HOME": "/h"}).cache == Path("/h/.cache/matrix-homeserver")


def test_a_cache_that_cannot_be_written_names_the_folder_and_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = Places(root=tmp_path, cache=tmp_path / "file" / "cache")
    with pytest.raises(StepFailed, match="XDG_CACHE_HOME") as caught:
        places.make()
    assert str(places.cache) in str(caught.value)


def test_a_second_run_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from toolchain.places import only_one\n"
        "with only_one(Path(sys.argv[1]) / 'lock', 'providing the toolchain'):\n"
        "    print('in', flush=True); time.sleep(float(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*command, "2"], stdout=subprocess.PIPE, text=True, env=environment) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "in\n"
        started = time.monotonic()
        second = subprocess.run([*command, "0"], capture_output=True, text=True, check=True, env=environment)
        assert time.monotonic() - started > 1
    assert second.stdout.splitlines() == [
        f"Another run (process {first.pid}) is providing the toolchain; waiting for it.",
        "in",
    ]
