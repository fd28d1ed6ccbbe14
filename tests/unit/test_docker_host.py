"""A host over ssh, with an ssh of the tests: options, the key, what is waited for, what is said when it never comes."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ops import docker_host
from ops.docker_host import DockerHost
from toolchain.steps import StepFailed

HOST = DockerHost(
    address="203.0.113.9",
    user="matrix",
    port=22,
    host_key="ssh-ed25519 AAAAhost comment",
    private_key="-----BEGIN OPENSSH PRIVATE KEY-----\nvery-secret\n-----END OPENSSH PRIVATE KEY-----\n",
)


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(docker_host.KEYS_VARIABLE, str(tmp_path / "keys"))
    return tmp_path / "keys"


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that puts an ssh with that shell script on PATH; the file it returns gets the arguments."""

    def install(script: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        log = tmp_path / "arguments"
        program = folder / "ssh"
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{log}\nfor last; do :; done\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        monkeypatch.setattr(docker_host, "_POLL_SECONDS", 0)
        return log

    return install


def test_the_options_are_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    here = docker_host.ssh_options(HOST.host_key, "i-1/ecs.e-c1m1.large")
    monkeypatch.setenv("HOME", "/home/other")
    monkeypatch.setenv(docker_host.KEYS_VARIABLE, "/elsewhere")
    assert docker_host.ssh_options(HOST.host_key, "i-1/ecs.e-c1m1.large") == here
    assert all(each == "-o" for each in here[::2])


def test_the_host_key_is_pinned_and_no_file_of_the_machine_has_a_say() -> None:
    options = docker_host.ssh_options(HOST.host_key)
    assert "StrictHostKeyChecking=yes" in options
    assert "KnownHostsCommand=/bin/echo matrix-host ssh-ed25519 AAAAhost" in options
    assert {"UserKnownHostsFile=none", "GlobalKnownHostsFile=none", "BatchMode=yes"} <= {*options}


def test_another_boot_of_the_host_is_another_set_of_options() -> None:
    # That is an update of the provider, and with it the hook that waits.
    one, other = (docker_host.ssh_options(HOST.host_key, each) for each in ("i-1/small", "i-1/large"))
    assert [after for before, after in zip(one, other, strict=True) if before != after] == [
        "KnownHostsCommand=/bin/echo matrix-host ssh-ed25519 AAAAhost i-1/large"
    ]


def test_the_key_is_for_its_owner_only_and_where_ssh_looks(keys: Path) -> None:
    docker_host.write_key(HOST)
    (file,) = keys.iterdir()
    assert f"IdentityFile=${{{docker_host.KEYS_VARIABLE}}}/{file.name}" in docker_host.ssh_options(HOST.host_key)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert file.read_text() == HOST.private_key
    file.chmod(0o644)
    docker_host.write_key(replace(HOST, private_key="another without an end"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == "another without an end\n"


def test_without_the_environment_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(docker_host.KEYS_VARIABLE, raising=False)
    with pytest.raises(StepFailed, match=r"\. \./activate"):
        docker_host.write_key(HOST)


@pytest.mark.parametrize(
    ("script", "waits_for"),
    [
        ("exit 0", ""),
        ("echo 'ssh: connect to host 203.0.113.9 port 22: Connection refused' >&2; exit 255", "the host to boot"),
        ("echo 'matrix@203.0.113.9: Permission denied (publickey).' >&2; exit 255", "the user matrix"),
        ("echo 'Host key verification failed.' >&2; exit 255", "to show the host key"),
        ("echo \"timeout: failed to run command 'docker': No such file or directory\" >&2; exit 127", "install Docker"),
        ("exit 124", "data disk"),
        ("echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 1", "data disk"),
    ],
)
def test_it_says_what_it_waits_for(ssh: Callable[[str], Path], script: str, waits_for: str) -> None:
    ssh(script)
    found = docker_host.missing(HOST)
    assert waits_for in found
    assert bool(found) == bool(waits_for)


def test_a_host_that_answers_at_last_is_waited_for(ssh: Callable[[str], Path], tmp_path: Path) -> None:
    turn = tmp_path / "turn"
    ssh(
        f"echo x >>{turn}; case $(wc -l <{turn}) in 1|2) echo 'Connection refused' >&2; exit 255;; "
        "3) echo 'docker: No such file or directory' >&2; exit 127;; esac"
    )
    said: list[str] = []
    asyncio.run(docker_host.wait(HOST, said.append, 60))
    assert said == [
        "waiting for the host to boot (Connection refused)",
        "waiting for the host to install Docker",
    ]


def test_a_host_that_never_answers_is_told_with_its_own_log(ssh: Callable[[str], Path]) -> None:
    arguments = ssh('case $last in *cloud-init*) echo "E: no package mirror answers";; *) exit 124;; esac')
    with pytest.raises(StepFailed) as failed:
        asyncio.run(docker_host.wait(HOST, lambda _: None, 0))
    assert "| E: no package mirror answers" in str(failed.value)
    assert "adminCidrs" in failed.value.remedy
    assert "very-secret" not in str(failed.value) + arguments.read_text() + repr(HOST)


def test_without_a_way_in_there_is_no_log_and_it_says_so(ssh: Callable[[str], Path]) -> None:
    ssh("echo 'Connection timed out' >&2; exit 255")
    with pytest.raises(StepFailed, match="no log: ssh does not get in"):
        asyncio.run(docker_host.wait(HOST, lambda _: None, 0))
