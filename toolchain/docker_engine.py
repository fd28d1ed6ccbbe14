"""A Docker Engine that answers: the one there is, or Debian's, installed and started."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolchain import distribution, versions
from toolchain.steps import StepFailed, step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolchain.places import Places
    from toolchain.steps import Step

DEFAULT_SOCKET: Final = Path("/var/run/docker.sock")
_PID_FILES: Final = {
    "dockerd": Path("/var/run/docker.pid"),
    "containerd": Path("/var/run/docker/containerd/containerd.pid"),
}
_SYSTEMD: Final = Path("/run/systemd/system")
_ANSWER_WITHIN = 5.0  # seconds
_START_WITHIN = 60.0  # seconds; a cold start takes 2 to 5
_STOP_WITHIN = 60.0  # seconds; containers have 30 to end
_TAIL_LINES = 12


class NoAnswer(Exception):  # noqa: N818 - an answer about the engine, not an error of ours
    """The Docker Engine does not answer; ``str()`` says why."""


class Refused(NoAnswer):
    """The socket is there and this user may not use it."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_ANSWER_WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ping(address: str) -> str:
    """Ask an engine whether it is there; return its API version, e.g. ``1.41`` ("" where only a port was tried).

    Args:
        address: ``unix:///path``, ``tcp://host:port`` or another form of DOCKER_HOST. With TLS
            (DOCKER_TLS_VERIFY) only the connection is tried; ``ssh://`` is left to Docker's own client.

    Raises:
        NoAnswer: nobody answers there.
    """
    url = urllib.parse.urlsplit(address)
    try:
        if url.scheme == "unix":
            connection: http.client.HTTPConnection = _UnixConnection(url.path)
        elif url.scheme in {"tcp", "http"} and not os.environ.get("DOCKER_TLS_VERIFY"):
            connection = http.client.HTTPConnection(url.hostname or "", url.port or 2375, timeout=_ANSWER_WITHIN)
        elif url.scheme in {"tcp", "https"}:
            socket.create_connection((url.hostname or "", url.port or 2376), timeout=_ANSWER_WITHIN).close()
            return ""
        else:
            return ""
        with contextlib.closing(connection):
            connection.request("GET", "/_ping")
            response = connection.getresponse()
            response.read()
    except PermissionError as error:
        message = f"this user may not use {url.path}"
        raise Refused(message) from error
    except FileNotFoundError as error:
        message = f"there is no {url.path}"
        raise NoAnswer(message) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        message = f"{address} does not answer: {error}"
        raise NoAnswer(message) from error
    if response.status != http.HTTPStatus.OK:
        message = f"{address} answers {response.status} {response.reason}"
        raise NoAnswer(message)
    return response.headers.get("Api-Version", "")


def provide_engine(places: Places, environ: Mapping[str, str], default: Path = DEFAULT_SOCKET) -> None:
    """See to it that a Docker Engine answers, where the containers of the local stack will run.

    The one of DOCKER_HOST, else of the default socket. Without one it is started as root, after being
    installed on Debian and Ubuntu.

    Raises:
        StepFailed: none answers and none can be started; the remedy is the command to run.
    """
    chosen = environ.get("DOCKER_HOST", "")
    address = chosen or f"unix://{default}"
    with step("Docker Engine") as running:
        try:
            api = ping(address)
        except NoAnswer as answer:
            _raise_if_not_ours_to_start(answer, chosen)
            running.outcome(f"not running: {answer}")
        else:
            _check_api(api, address)
            running.reused()
            return
    missing = [name for name, program in (("docker.io", "dockerd"), ("iptables", "iptables")) if not _which(program)]
    if missing:
        distribution.install(missing, "no Docker Engine answers and this machine lacks it", places)
    with step("Starting the Docker Engine") as running:
        _start(running, places, address)
        _check_api(ping(address), address)


def restart_engine(places: Places, address: str) -> None:
    """Stop the Docker Engine of this machine in order, as root, and start it again.

    Raises:
        StepFailed: it does not stop, or does not answer afterwards.
    """
    with step("Restarting the Docker Engine") as running:
        if _SYSTEMD.is_dir():
            remedy = "Look at `journalctl --unit docker.service`, put right what it says, and run this again."
            command = ["systemctl", "restart", "docker.service"]
            running.run(command, log=places.logs / "docker-systemd.log", remedy=remedy)
            _wait(address, None, None, remedy)
            return
        remedy = "Restart it, and run this again."
        try:
            number = int(_PID_FILES["dockerd"].read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StepFailed("", f"It cannot be found: {error}.", None, remedy) from error
        # The number may be another program's by now.
        if not _runs(number, "dockerd"):
            raise StepFailed("", f"Process {number}, which {_PID_FILES['dockerd']} names, is none.", None, remedy)
        os.kill(number, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_WITHIN
        while _runs(number, "dockerd"):
            if time.monotonic() > deadline:
                reason = f"Process {number} does not end within {_STOP_WITHIN:.0f} s."
                raise StepFailed("", reason, None, remedy)
            time.sleep(0.1)
        _start(running, places, address)


def _runs(number: int, program: str) -> bool:
    """Return whether the process of that number is this program, and no zombie of it."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return name == program and rest.split()[0] != "Z"


def _raise_if_not_ours_to_start(answer: NoAnswer, chosen: str) -> None:
    """Stop with the command to run where an engine cannot or must not be started by us."""
    if chosen:
        remedy = "Start that engine, or unset DOCKER_HOST to use the one of this machine."
        raise StepFailed("", f"DOCKER_HOST is {chosen}, but {answer}.", None, remedy)
    if isinstance(answer, Refused):
        remedy = "Run `sudo usermod --append --groups docker $USER`, log out and in again, and run this again."
        raise StepFailed("", f"A Docker Engine may be running, but {answer}.", None, remedy)
    reason = f"No Docker Engine answers: {answer}."
    if sys.platform != "linux":
        raise StepFailed("", reason, None, "Start Docker Desktop (or Colima, OrbStack ...), and run this again.")
    if os.geteuid() != 0:
        start = "sudo systemctl start docker" if _SYSTEMD.is_dir() else "sudo dockerd"
        if _which("dockerd"):
            remedy = f"Run `{start}`, and run this again."
        elif distribution.is_debian_like():
            remedy = f"Run `sudo sh -c '{distribution.command_for(['docker.io', 'iptables'])}'`, and run this again."
        else:
            remedy = "Install Docker Engine 20.10 or newer, start it, and run this again."
        remedy += "\nAn engine elsewhere is named by DOCKER_HOST, for example unix:///run/user/1000/docker.sock."
        raise StepFailed("", reason, None, remedy)


def _check_api(api: str, address: str) -> None:
    if api and not versions.at_least(api, versions.DOCKER_API_MINIMUM):
        minimum = ".".join(map(str, versions.DOCKER_API_MINIMUM))
        reason = f"The Docker Engine at {address} speaks API {api}; {minimum} (Docker 20.10) is the oldest that works."
        raise StepFailed("", reason, None, "Upgrade that Docker Engine.")


def _which(program: str) -> str | None:
    """Find a program of the system: a root shell made with `su` has no sbin on its PATH."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin")


def _start(running: Step, places: Places, address: str) -> None:
    if _SYSTEMD.is_dir():
        running.note("Starting it with systemd: docker.service.")
        command = ["systemctl", "enable", "--now", "docker.service"]
        remedy = "Look at `journalctl --unit docker.service`, put right what it says, and run this again."
        running.run(command, log=places.logs / "docker-systemd.log", remedy=remedy)
        _wait(address, None, None, remedy)
        return
    log = places.logs / "dockerd.log"
    running.note(f"Starting dockerd in the background (there is no systemd here); its log: {log}")
    dockerd = _which("dockerd")
    assert dockerd is not None  # noqa: S101 - installed just before; for the type checker
    remedy = (
        "Look at the log. In a container the Docker Engine needs --privileged; otherwise start an engine\n"
        "elsewhere, set DOCKER_HOST to it, and run this again."
    )
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    for program, file in _PID_FILES.items():
        remove_stale_pid_file(file, program)
    with log.open("wb") as sink:
        # Its own session: it must outlive make, and a Ctrl-C at the terminal is not meant for it.
        process = subprocess.Popen(
            [dockerd],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env={**os.environ, "PATH": path},
        )
    try:
        _wait(address, process, log, remedy)
    except BaseException:
        # Not left half started: the next run would find a dockerd that holds the pid file and never answers.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        raise


def remove_stale_pid_file(path: Path, program: str) -> None:
    """Remove the pid file of a program that was killed, where its number now belongs to a zombie or to another one.

    dockerd only looks whether there is a process of that number: it refuses to start beside another dockerd, and waits
    for a containerd that never answers.
    """
    try:
        number = int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if Path(f"/proc/{number}").exists() and not _runs(number, program):
        path.unlink(missing_ok=True)


def _wait(address: str, process: subprocess.Popen[bytes] | None, log: Path | None, remedy: str) -> None:
    deadline = time.monotonic() + _START_WITHIN
    while True:
        try:
            ping(address)
        except NoAnswer as answer:
            if process is not None and process.poll() is not None:
                reason = f"dockerd ended with {process.returncode}."
            elif time.monotonic() > deadline:
                reason = f"It does not answer within {_START_WITHIN:.0f} s: {answer}."
            else:
                time.sleep(0.3)
                continue
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:] if log else []
            raise StepFailed("", "\n".join([reason, *(f"| {line}" for line in lines)]), log, remedy) from answer
        return
