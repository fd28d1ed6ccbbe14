"""Things that break in a running stack, and how to tell whether it came back and what was lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.e2e.deployment import Deployment
from tests.e2e.machine import docker_engine
from tests.e2e.matrix import Account, Matrix

PAUSE_SECONDS = 0.1
WORDS_EVERY = 50
"""Synapse lets a user say one thing in five seconds, and ten at once."""
RECOVERED_WITHIN = 150.0


@dataclass
class Talk:
    """Somebody who asks something ten times a second, now and then says something, and keeps what was acknowledged."""

    matrix: Matrix
    account: Account
    room: str
    acknowledged: set[str] = field(default_factory=set)
    failed: int = 0
    last_failure: float = 0.0
    last_success: float = 0.0
    _count: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        """Ask who one is, and now and then say something; keep whether it was answered and acknowledged."""
        self._count += 1
        if self._answered("GET", "/_matrix/client/v3/account/whoami"):
            self.last_success = time.monotonic()
        else:
            self.failed += 1
            self.last_failure = time.monotonic()
        if self._count % WORDS_EVERY == 0:
            words = f"word {self._count}"
            path = f"/_matrix/client/v3/rooms/{self.room}/send/m.room.message/{self._count}"
            if self._answered("PUT", path, json={"msgtype": "m.text", "body": words}):
                self.acknowledged.add(words)

    def _answered(self, method: str, path: str, **options: Any) -> bool:  # noqa: ANN401 (of a request)
        headers = {"Authorization": f"Bearer {self.account.access_token}"}
        url = f"{self.matrix.url}{path}"
        try:
            answer = requests.request(method, url, headers=headers, verify=self.matrix.ca, timeout=5, **options)
        except requests.RequestException:
            return False
        return answer.status_code == 200

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Go on talking while the block runs."""

        def talk() -> None:
            while not self._stop.wait(PAUSE_SECONDS):
                self.ask()

        self._stop.clear()
        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def lost(self) -> set[str]:
        """Return what was acknowledged and cannot be read any more."""
        found: set[str] = set()
        start = ""
        while True:
            path = f"/_matrix/client/v3/rooms/{self.room}/messages?dir=b&limit=500{start}"
            page = self.matrix.ask("GET", path, token=self.account.access_token).json()
            found |= {event["content"].get("body", "") for event in page["chunk"]}
            if not page.get("end") or not page["chunk"]:
                return self.acknowledged - found
            start = f"&from={page['end']}"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that breaks."""

    what: str
    strike: Callable[[Deployment], None]
    repaired_by: str = ""
    """The command that repairs it; empty: it comes back by itself."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a fault."""

    seconds: float
    """From the fault until requests are answered again and all containers are healthy."""
    failed: int
    lost: int


def _kill(service: str) -> Callable[[Deployment], None]:
    # From outside: a process that is killed through Docker counts as stopped by hand.
    return lambda deployment: os.kill(deployment.container(service).attrs["State"]["Pid"], signal.SIGKILL)


def _restart(service: str) -> Callable[[Deployment], None]:
    return lambda deployment: deployment.container(service).restart(timeout=30)


def _exhaust_memory(homeserver: str) -> Callable[[Deployment], None]:
    def strike(deployment: Deployment) -> None:
        container = deployment.container(homeserver)
        process = container.attrs["State"]["Pid"]
        Path(f"/proc/{process}/oom_score_adj").write_text("1000", encoding="utf-8")
        # A process beside the homeserver takes what is left up to the limit; the system ends the homeserver.
        container.exec_run(["python3", "-c", "b = bytearray(b'x') * (400 << 20)"], detach=True)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not Path(f"/proc/{process}").exists(), "the limit did not end the homeserver"

    return strike


def _remove_container(service: str) -> Callable[[Deployment], None]:
    return lambda deployment: deployment.container(service).remove(force=True)


def _remove_network(deployment: Deployment) -> None:
    network = deployment.client.networks.get(f"matrix-{deployment.stack}-edge")
    for container in network.containers:
        network.disconnect(container, force=True)
    network.remove()


def _stop(service: str) -> Callable[[Deployment], None]:
    return lambda deployment: deployment.container(service).stop(timeout=30)


def _damage_certificate(deployment: Deployment) -> None:
    nginx = deployment.container("nginx")
    (volume,) = [each["Name"] for each in nginx.attrs["Mounts"] if each["Destination"] == "/config"]
    deployment.client.containers.run(
        nginx.attrs["Image"],
        ["-c", "echo damaged > /config/tls/fullchain.pem"],
        entrypoint=["sh"],
        user="0",
        volumes={volume: {"bind": "/config", "mode": "rw"}},
        remove=True,
    )
    nginx.restart(timeout=5)


def _restart_docker_engine(_: Deployment) -> None:
    (process,) = docker_engine()
    os.kill(process, signal.SIGTERM)
    while Path(f"/proc/{process}").exists():
        time.sleep(0.1)


def faults(homeserver: str) -> list[Fault]:
    """Return the faults, the mildest first."""
    found = [
        *(
            Fault(what=f"process of {service} killed", strike=_kill(service))
            for service in (homeserver, "nginx", "redis")
        ),
        *(Fault(what=f"`docker restart` of {service}", strike=_restart(service)) for service in (homeserver, "nginx")),
        Fault(what=f"{homeserver} out of memory at its limit", strike=_exhaust_memory(homeserver)),
        Fault(what="redis stopped by hand", strike=_stop("redis"), repaired_by="make up"),
        Fault(
            what=f"container of {homeserver} removed by hand",
            strike=_remove_container(homeserver),
            repaired_by="make up",
        ),
        Fault(what="network removed by hand", strike=_remove_network, repaired_by="make up"),
        Fault(what="certificate file damaged, then nginx restarted", strike=_damage_certificate, repaired_by="make up"),
    ]
    if docker_engine():
        found.append(Fault(what="Docker engine stopped", strike=_restart_docker_engine, repaired_by="make up"))
    return found


def suffer(deployment: Deployment, talk: Talk, fault: Fault) -> Outcome:
    """Let a fault strike while somebody talks, repair it, and tell what came of it."""
    talk.failed = 0
    with talk.going_on():
        time.sleep(1)
        struck = time.monotonic()
        fault.strike(deployment)
        if fault.repaired_by:
            deployment.make("up")
        while not _all_healthy(deployment) or talk.last_success < max(struck, talk.last_failure):
            assert time.monotonic() - struck < RECOVERED_WITHIN, f"{fault.what}: it did not come back"
            time.sleep(0.2)
        seconds = time.monotonic() - struck
        time.sleep(1)
    return Outcome(seconds=seconds, failed=talk.failed, lost=len(talk.lost()))


def _all_healthy(deployment: Deployment) -> bool:
    states = [each.attrs["State"] for each in deployment.containers()]
    return all(
        state.get("Health", {}).get("Status") == "healthy" if state["Running"] else state["ExitCode"] == 0
        for state in states
        if state["Status"] != "restarting"
    ) and not any(state["Status"] == "restarting" for state in states)


def table(outcomes: Mapping[str, tuple[Fault, Outcome]]) -> str:
    """Return the outcomes as rows of a table."""
    return "\n".join(
        f"| {what} | {(fault.repaired_by and f'`{fault.repaired_by}`') or 'itself'} | {outcome.seconds:.0f} "
        f"| {outcome.failed} | {outcome.lost} |"
        for what, (fault, outcome) in outcomes.items()
    )
