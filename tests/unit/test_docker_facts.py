"""Docker facts: what is made of the Docker engine's files and of the kernel's log."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from components.services.facts.docker_facts import KernelLog, containers, is_healthy, render

ID = "ab" * 32
OTHER_ID = "cd" * 32


def known(**changed: Any) -> dict[str, Any]:  # noqa: ANN401
    labels = {"matrix.stack": "local", "matrix.role": "service"}
    state = {"Running": True, "Health": {"Status": "healthy", "Log": []}}
    return {
        "ID": ID,
        "Name": "/matrix-local-nginx",
        "RestartCount": 2,
        "Config": {"Labels": labels, "Env": ["SECRET=1"]},
        "State": state,
        **changed,
    }


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir()
    (folder / name / "config.v2.json").write_text(text)


@pytest.fixture
def log(tmp_path: Path) -> KernelLog:
    path = tmp_path / "kmsg"
    path.write_text("")
    return KernelLog(str(path))


def kill(path: str) -> bytes:
    return (
        "6,1234,99,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,"
        f"oom_memcg=/docker,task_memcg={path},task=busybox,pid=26029,uid=2020\n"
    ).encode()


class Records:
    """Gives one record at each read, as the kernel's log does, and then has no more."""

    def __init__(self, *records: bytes | OSError) -> None:
        self._records = list(records)

    def __call__(self, _file: int, _size: int) -> bytes:
        if not self._records:
            raise BlockingIOError
        record = self._records.pop(0)
        if isinstance(record, OSError):
            raise record
        return record


@pytest.mark.parametrize(
    "path",
    [f"/docker/{ID}", f"/system.slice/docker-{ID}.scope", f"/docker/{ID}/inner", f"/docker/{OTHER_ID}/docker/{ID}"],
)
def test_a_kill_is_counted_for_the_container_it_was_in(
    log: KernelLog, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(os, "read", Records(b"6,1,1,-;eth0: renamed\n", kill(path), BrokenPipeError(), kill(path)))
    log.read()
    assert sum(log.kills.values()) == 2
    if OTHER_ID not in path:
        assert log.kills[ID] == 2


def test_a_kill_outside_of_containers_is_nobodys(log: KernelLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "read", Records(kill("/system.slice/ssh.service"), kill("/")))
    log.read()
    assert not log.kills


def test_a_kill_that_was_taken_in_is_not_counted_again(log: KernelLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "read", Records(kill(f"/docker/{ID}")))
    log.read()
    log.read()
    assert log.kills[ID] == 1


def test_only_services_of_the_stack_are_told_of(tmp_path: Path) -> None:
    def labelled(stack: str, role: str) -> str:
        return json.dumps(known(Config={"Labels": {"matrix.stack": stack, "matrix.role": role}}))

    write(tmp_path, "1", labelled("local", "service"))
    write(tmp_path, "2", labelled("local", "one-shot"))
    write(tmp_path, "3", labelled("other", "service"))
    write(tmp_path, "4", json.dumps(known(Config={"Labels": None})))
    write(tmp_path, "5", '{"half":')
    (tmp_path / "6").mkdir()
    assert len(containers(tmp_path, "local")) == 1


@pytest.mark.parametrize(
    ("running", "status", "healthy"),
    [
        (True, "healthy", True),
        (True, "unhealthy", False),
        (True, "starting", None),
        (False, "healthy", False),
        (False, "starting", False),
    ],
)
def test_healthy_is_what_runs_and_passes_its_check(*, running: bool, status: str, healthy: bool | None) -> None:
    assert is_healthy(known(State={"Running": running, "Health": {"Status": status}})) is healthy


def test_the_metrics_have_the_names_that_rules_use(log: KernelLog) -> None:
    log.kills[ID] = 3
    text = render([known()], log, 1795601047.5)
    assert f'matrix_container_info{{id="{ID}",name="matrix-local-nginx"}} 1\n' in text
    assert 'matrix_container_restarts_total{name="matrix-local-nginx"} 2\n' in text
    assert 'matrix_container_oom_kills_total{name="matrix-local-nginx"} 3\n' in text
    assert 'matrix_container_health{name="matrix-local-nginx"} 1\n' in text
    assert "matrix_container_oom_source 1\n" in text
    assert "matrix_container_state_timestamp_seconds 1795601047.500\n" in text
    assert "SECRET" not in text


def test_kills_are_counted_from_nought(log: KernelLog) -> None:
    # Without a value before the first kill, there would be no increase that a rule could see.
    assert 'matrix_container_oom_kills_total{name="matrix-local-nginx"} 0\n' in render([known()], log, 0)


def test_a_starting_container_is_neither_healthy_nor_not(log: KernelLog) -> None:
    starting = known(State={"Running": True, "Health": {"Status": "starting"}})
    assert "matrix_container_health{" not in render([starting], log, 0)


def test_without_a_kernel_log_nothing_is_claimed_about_kills(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = KernelLog(str(tmp_path / "nowhere"))
    log.read()
    text = render([known()], log, 0)
    assert "matrix_container_oom_source 0\n" in text
    assert "matrix_container_oom_kills_total{" not in text
    assert "No source of kills" in capsys.readouterr().err
