"""A host whose Docker engine is reached over ssh: the key, the options of ssh, waiting for it, a way in for commands.

The hook of the Docker provider (components/docker_engine.py) and the commands use the same functions: a hook does not
run while its resource stays as it is, so `make up` brings the key and waits by itself before later runs, also on
machines that have only the state.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from toolchain.cache import write_atomically
from toolchain.steps import StepFailed, step

KEYS_VARIABLE: Final = "MATRIX_SSH_KEYS"
"""Names the folder of keys; ./activate sets it. It is outside the repository, and differs between machines."""
WAIT_SECONDS: Final = 900
"""The first boot installs packages: one to three minutes with a mirror in the same network."""
COMMAND_SECONDS: Final = 30
"""For a host that was made before: it answers, or something is wrong."""
_POLL_SECONDS: Final = 3
_ANSWER_SECONDS: Final = 30
_LOG_LINES: Final = 15
_NAME: Final = "matrix-host"
"""Under which ssh looks for the host's key, whatever its address and port are."""
_SOCKET: Final = "/var/run/docker.sock"
_LOG: Final = (
    "cloud-init status --long; "
    f"sudo -n tail -n {_LOG_LINES} /var/log/cloud-init-output.log; "
    f"sudo -n journalctl --no-pager --output=cat --lines={_LOG_LINES} --unit=data-disk --unit=docker"
)


@final
@dataclass(frozen=True, kw_only=True)
class DockerHost:
    """A host, and all it takes to log in there."""

    address: str
    user: str
    port: int
    host_key: str
    """Its public key, ``ssh-ed25519 AAAA...``."""
    private_key: str = field(repr=False)
    """Ours, in OpenSSH's format."""

    @property
    def url(self) -> str:
        """The address of the Docker engine as its clients write it."""
        return f"ssh://{self.user}@{self.address}:{self.port}"


def ssh_options(host_key: str, incarnation: str = "") -> list[str]:
    """Return the options of ssh: the same on every machine, since they are inputs of the provider.

    They stand in error messages, so nothing secret is in them; and nothing has to lie on the disk but the private key,
    in a folder that ssh learns from the environment. OpenSSH 8.5 or newer.

    Args:
        host_key: public key of the host.
        incarnation: a word that changes when the host is booted anew; it stands as the comment of the host key.

    """
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "10",
        # Not ControlMaster: it gains nothing, and a socket's folder that is not there would be fatal.
        "ControlMaster": "no",
        "ControlPath": "none",
        "GlobalKnownHostsFile": "none",
        "HostKeyAlias": _NAME,
        "IdentitiesOnly": "yes",
        "IdentityFile": f"${{{KEYS_VARIABLE}}}/{key_name(host_key)}",
        "KnownHostsCommand": f"/bin/echo {' '.join([_NAME, *host_key.split()[:2], incarnation]).strip()}",
        "ServerAliveInterval": "15",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": "none",
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def key_name(host_key: str) -> str:
    """Return the name of the private key's file: hosts do not share one, clones of one stack do."""
    return hashlib.sha256(" ".join(host_key.split()[:2]).encode()).hexdigest()[:16]


def write_key(host: DockerHost) -> None:
    """Put the private key where ssh looks for it, readable by its owner only.

    Raises:
        StepFailed: the folder is not known, or cannot be written.

    """
    folder = os.environ.get(KEYS_VARIABLE, "")
    if not folder:
        raise StepFailed(
            step="ssh key",
            reason=f"{KEYS_VARIABLE} is not set: the project's environment is not active",
            remedy="run the command through make, or first: . ./activate",
        )
    path = Path(folder) / key_name(host.host_key)
    # ssh takes no key whose last line has no end.
    text = host.private_key.rstrip("\n") + "\n"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (path.is_file() and path.read_text() == text and path.stat().st_mode & 0o777 == 0o600):  # noqa: PLR2004
        write_atomically(path, text, mode=0o600)


def command(host: DockerHost, *words: str, options: Sequence[str] = ()) -> list[str]:
    """Return the command line that runs something on the host."""
    return [
        *("ssh", *ssh_options(host.host_key), *options, "-T", "-l", host.user, "-p", str(host.port)),
        *("--", host.address, *words),
    ]


def run(host: DockerHost, *words: str, seconds: float = _ANSWER_SECONDS) -> subprocess.CompletedProcess[str]:
    """Run something on the host; exit code 255 and a reason on standard error where ssh itself fails."""
    try:
        return subprocess.run(
            command(host, *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 255, "", f"no answer within {seconds:g} s")
    except FileNotFoundError as error:
        raise StepFailed(
            step="ssh", reason="this machine has no ssh", remedy="install the OpenSSH client, 8.5 or newer"
        ) from error


def missing(host: DockerHost) -> str:
    """Return what the host's Docker engine is waiting for; "" once it answers."""
    # systemd takes connections for a Docker that waits itself: without a limit of its own, this would wait for it.
    done = run(host, "timeout", str(_ANSWER_SECONDS // 3), "docker", "version", "--format", "{{.Server.Version}}")
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""
    if "Host key verification failed" in done.stderr:
        return f"the machine at {host.address} to show the host key that this stack gave it ({said})"
    if "Permission denied" in said:
        return f"the host to make the user {host.user} ({said})"
    ssh_failed = 255
    if done.returncode == ssh_failed:
        return f"the host to boot ({said})"
    if "docker" in said and ("not found" in said or "No such file" in said):
        return "the host to install Docker"
    return "Docker, which starts once the data disk is mounted" + (f" ({said})" if said else "")


async def wait(host: DockerHost, say: Callable[[str], None], seconds: float = WAIT_SECONDS) -> None:
    """Wait until the host's Docker engine answers.

    Args:
        host: whose key has been written.
        say: called with what it waits for, whenever that changes.
        seconds: how long.

    Raises:
        StepFailed: it does not answer in time; with the last lines of the host's own log, if it can be had.

    """
    deadline = time.monotonic() + seconds
    before = ""
    while waiting := await asyncio.to_thread(missing, host):
        if time.monotonic() > deadline:
            raise await asyncio.to_thread(_too_late, host, waiting, seconds)
        if waiting.split("(")[0] != before:
            before = waiting.split("(")[0]
            say(f"waiting for {waiting}")
        await asyncio.sleep(_POLL_SECONDS)


def _too_late(host: DockerHost, waiting: str, seconds: float) -> StepFailed:
    log = run(host, _LOG)
    lines = log.stdout.strip().splitlines() if log.stdout.strip() else ["(no log: ssh does not get in)"]
    return StepFailed(
        step=f"Docker on {host.address}",
        reason="\n".join(
            [f"it does not answer within {seconds:g} s; still waiting for {waiting}", *(f"| {line}" for line in lines)]
        ),
        remedy="If ssh does not get in: is this machine's address among adminCidrs? An instance that was stopped is "
        "started by make up.\nIf ssh gets in: put right what the log says on the host, or restart the instance.\n"
        "Then run the same command again: what was made stays.",
    )


@contextlib.contextmanager
def reached(host: DockerHost, seconds: float = COMMAND_SECONDS) -> Iterator[str]:
    """Give the address of a local socket that leads to the host's Docker engine.

    Args:
        host: which one.
        seconds: how long to wait for it.

    Raises:
        StepFailed: it does not answer in time.

    """
    write_key(host)
    with step(f"Docker on {host.address}") as this:
        asyncio.run(wait(host, this.say, seconds))
        this.outcome("answers")
    # Short, in the system's own folder: the path of a socket has room for about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        path = Path(folder) / "docker.sock"
        forward = command(host, options=("-N", "-o", "ExitOnForwardFailure=yes", "-L", f"{path}:{_SOCKET}"))
        # Its own session: a Ctrl-C at the terminal is not meant for it, the command still has to clean up through it.
        process = subprocess.Popen(
            forward, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            _await_socket(path, process, host)
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.communicate()


def _await_socket(path: Path, process: subprocess.Popen[bytes], host: DockerHost) -> None:
    deadline = time.monotonic() + _ANSWER_SECONDS
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            _, said = process.communicate()
            raise StepFailed(
                step=f"Docker on {host.address}",
                reason=f"ssh does not forward its socket: {said.decode(errors='replace').strip()}",
                remedy="run the same command again",
            )
        time.sleep(0.1)
