"""Finding, starting and refusing a Docker Engine, with fakes: no engine is touched."""

from __future__ import annotations

import http.server
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from toolchain import distribution, docker_engine
from toolchain.places import Places
from toolchain.steps import StepFailed

PLACES_ROOT = Path(__file__).parents[2]
FAKE_DOCKERD = """#!{python}
import http.server, os, socketserver, sys
open({pid!r}, "w").write(str(os.getpid()))
class Server(socketserver.UnixStreamServer):
    def get_request(self):
        request, _ = super().get_request()
        return request, ("", 0)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Api-Version", "1.41"); self.end_headers()
print("dockerd is up", flush=True)
Server({socket!r}, Handler).serve_forever()
"""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self) -> tuple[object, tuple[str, int]]:  # type: ignore[override]
        request, _ = super().get_request()
        return request, ("", 0)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    found = Places(root=tmp_path / "root", cache=tmp_path / "cache")
    found.make()
    return found


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Return a function that starts a fake engine and returns its socket."""
    running: list[_Server] = []

    def start(*, api: str = "1.41", status: int = 200) -> Path:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Api-Version", api)
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        path = tmp_path / f"engine{len(running)}.sock"
        server = _Server(str(path), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return path

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Pretend to be root on a machine without systemd; return the folder on PATH for fake programs."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(docker_engine, "_SYSTEMD", tmp_path / "no-systemd")
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "iptables", "#!/bin/sh\n")
    monkeypatch.setattr(docker_engine, "_which", lambda name: str(folder / name) if (folder / name).exists() else None)
    return folder


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_an_engine_that_answers_is_used(
    places: Places, engine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    docker_engine.provide_engine(places, {}, engine())
    assert "Docker Engine ... reused" in capsys.readouterr().out


def test_docker_host_is_asked_instead_of_the_default_socket(
    places: Places, engine: Callable[..., Path], tmp_path: Path
) -> None:
    docker_engine.provide_engine(places, {"DOCKER_HOST": f"unix://{engine()}"}, tmp_path / "nothing.sock")


def test_an_engine_that_is_too_old_is_refused_with_its_version(places: Places, engine: Callable[..., Path]) -> None:
    with pytest.raises(StepFailed, match=r"speaks API 1\.38; 1\.41 \(Docker 20\.10\)"):
        docker_engine.provide_engine(places, {}, engine(api="1.38"))


def test_an_engine_of_docker_host_is_never_started_by_us(places: Places, tmp_path: Path, as_root: Path) -> None:
    program(as_root / "dockerd", "#!/bin/sh\nexit 0\n")
    with pytest.raises(StepFailed, match="unset DOCKER_HOST") as caught:
        docker_engine.provide_engine(places, {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert f"there is no {tmp_path}/none.sock" in str(caught.value)


def test_a_port_that_does_not_answer_is_named(places: Places) -> None:
    with pytest.raises(StepFailed, match=r"tcp://127\.0\.0\.1:9 does not answer"):
        docker_engine.provide_engine(places, {"DOCKER_HOST": "tcp://127.0.0.1:9"})


def test_a_socket_that_this_user_may_not_use_names_the_group(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_address: str) -> str:
        message = "this user may not use /var/run/docker.sock"
        raise docker_engine.Refused(message)

    monkeypatch.setattr(docker_engine, "ping", refuse)
    with pytest.raises(StepFailed, match="usermod --append --groups docker"):
        docker_engine.provide_engine(places, {}, tmp_path / "docker.sock")


@pytest.mark.parametrize(
    ("installed", "debian", "remedy"),
    [(True, True, "sudo dockerd"), (False, True, "apt-get install"), (False, False, "Install Docker Engine 20.10")],
)
def test_a_user_who_is_not_root_gets_the_command_to_run(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remedy: str, *, installed: bool, debian: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(docker_engine, "_SYSTEMD", tmp_path / "no-systemd")
    monkeypatch.setattr(docker_engine, "_which", lambda _: "/usr/sbin/dockerd" if installed else None)
    monkeypatch.setattr(distribution, "is_debian_like", lambda: debian)
    with pytest.raises(StepFailed) as caught:
        docker_engine.provide_engine(places, {}, tmp_path / "none.sock")
    assert remedy in caught.value.remedy


def test_a_missing_engine_is_installed_with_what_it_needs(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_root: Path
) -> None:
    asked: list[list[str]] = []

    def install(packages: list[str], _why: str, _places: Places) -> None:
        asked.append(packages)
        raise StepFailed("Packages", "enough for this test")

    (as_root / "iptables").unlink()
    monkeypatch.setattr(distribution, "install", install)
    with pytest.raises(StepFailed, match="enough"):
        docker_engine.provide_engine(places, {}, tmp_path / "none.sock")
    assert asked == [["docker.io", "iptables"]]


def test_without_systemd_dockerd_runs_in_a_session_of_its_own(places: Places, tmp_path: Path, as_root: Path) -> None:
    socket, pid = tmp_path / "started.sock", tmp_path / "pid"
    program(as_root / "dockerd", FAKE_DOCKERD.format(python=sys.executable, pid=str(pid), socket=str(socket)))
    docker_engine.provide_engine(places, {}, socket)
    number = int(pid.read_text())
    try:
        assert os.getsid(number) == number
        assert "dockerd is up" in (places.logs / "dockerd.log").read_text()
    finally:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)


def test_a_dockerd_that_ends_shows_the_end_of_its_log(places: Places, tmp_path: Path, as_root: Path) -> None:
    program(as_root / "dockerd", "#!/bin/sh\necho 'failed to mount overlay: operation not permitted'\nexit 1\n")
    with pytest.raises(StepFailed) as caught:
        docker_engine.provide_engine(places, {}, tmp_path / "none.sock")
    text = str(caught.value)
    assert "dockerd ended with 1." in text
    assert "| failed to mount overlay: operation not permitted" in text
    assert f"Log: {places.logs / 'dockerd.log'}" in text


def test_a_dockerd_that_never_answers_is_given_up_and_ended(
    places: Places, tmp_path: Path, as_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    program(as_root / "dockerd", f"#!/bin/sh\necho $$ >{pid}\nexec sleep 600\n")
    monkeypatch.setattr(docker_engine, "_START_WITHIN", 1.0)
    with pytest.raises(StepFailed, match="does not answer within 1 s"):
        docker_engine.provide_engine(places, {}, tmp_path / "none.sock")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_with_systemd_the_service_is_started(
    places: Places, tmp_path: Path, as_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(as_root / "dockerd", "#!/bin/sh\n")
    program(as_root / "systemctl", '#!/bin/sh\necho "$@"; echo "Job for docker.service failed"; exit 1\n')
    monkeypatch.setattr(docker_engine, "_SYSTEMD", tmp_path)
    monkeypatch.setenv("PATH", f"{as_root}:{os.environ['PATH']}")
    with pytest.raises(StepFailed, match="journalctl --unit docker") as caught:
        docker_engine.provide_engine(places, {}, tmp_path / "none.sock")
    assert "enable --now docker.service" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [('ID=debian\nVERSION_ID="12"\n', True), ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', True), ("ID=fedora\n", False)],
)
def test_debian_and_what_is_like_it_are_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, *, expected: bool
) -> None:
    (tmp_path / "os-release").write_text(text)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/apt-get")
    assert distribution.is_debian_like(tmp_path / "os-release") is expected


def test_packages_are_not_installed_for_a_user_who_is_not_root(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(distribution, "is_debian_like", lambda: True)
    with pytest.raises(StepFailed, match=r"As root, run: apt-get update && apt-get install .* docker.io iptables"):
        distribution.install(["docker.io", "iptables"], "no engine answers", places)


def test_the_pid_file_of_a_dockerd_that_is_no_more_does_not_keep_a_new_one_from_starting(tmp_path: Path) -> None:
    file = tmp_path / "docker.pid"
    file.write_text(str(os.getpid()))
    docker_engine.remove_stale_pid_file(file, "dockerd")
    assert not file.exists(), "the number belongs to another program"

    program = tmp_path / "dockerd"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "30"]) as running:
        file.write_text(str(running.pid))
        docker_engine.remove_stale_pid_file(file, "dockerd")
        assert file.exists(), "that one lives"
        running.kill()
        deadline = time.monotonic() + 30
        while file.exists() and time.monotonic() < deadline:
            # Not waited for: a zombie.
            docker_engine.remove_stale_pid_file(file, "dockerd")
        assert not file.exists()


@pytest.mark.usefixtures("as_root")
def test_a_restart_stops_no_other_program_that_has_the_number_of_a_dockerd_by_now(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "docker.pid"
    monkeypatch.setitem(docker_engine._PID_FILES, "dockerd", file)
    with subprocess.Popen(["/bin/sleep", "30"]) as other:
        file.write_text(str(other.pid))
        with pytest.raises(StepFailed, match=f"Process {other.pid}, which .*docker.pid names, is none"):
            docker_engine.restart_engine(places, f"unix://{tmp_path}/docker.sock")
        assert other.poll() is None
        other.kill()
