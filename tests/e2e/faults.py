"""Things that break in a running stack, and how to tell whether it came back and what was lost."""

from __future__ import annotations

import io
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
from docker.models.containers import Container

from components.container import BUSYBOX, CONFIG_MOUNT
from config.homeservers import HomeserverName
from ops.engine import has_image
from tests.e2e import disk
from tests.e2e.deployed import Deployed
from tests.e2e.deployment import Deployment
from tests.e2e.machine import may_stop_docker_engine, stop_docker_engine
from tests.e2e.matrix import Account, Matrix

PAUSE_SECONDS = 0.1
WORDS_EVERY = 50
"""Synapse lets a user say one thing in five seconds, and ten at once."""
RECOVERED_WITHIN = 150.0
UPLOAD_BYTES = 1 << 18
LASTS_SECONDS = 12.0
"""How long a fault lasts that somebody has to end."""
A_DAY = 24 * 60 * 60

_PAGE_SECONDS = 60


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
            self._fail()
        if self._count % WORDS_EVERY == 0:
            words = f"word {self._count}"
            path = f"/_matrix/client/v3/rooms/{self.room}/send/m.room.message/{self._count}"
            if self._answered("PUT", path, json={"msgtype": "m.text", "body": words}):
                self.acknowledged.add(words)
            else:
                self._fail()

    def writes(self) -> bool:
        """Return whether a file can be uploaded: it needs new space on the disk, which a message may not."""
        return self._answered("POST", "/_matrix/media/v3/upload", data=os.urandom(UPLOAD_BYTES))

    def clock_is_off(self) -> bool:
        """Return whether the newest message is of another day, although the user is known and can log in."""
        path = f"/_matrix/client/v3/rooms/{self.room}/messages?dir=b&limit=1"
        (newest,) = self.matrix.ask("GET", path, token=self.account.access_token).json()["chunk"]
        off = abs(newest["origin_server_ts"] / 1000 - time.time()) > A_DAY / 2
        return off and bool(self.matrix.account(self.account.user_id, self.account.password))

    def _fail(self) -> None:
        self.failed += 1
        self.last_failure = time.monotonic()

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
            page = self._page(f"/_matrix/client/v3/rooms/{self.room}/messages?dir=b&limit=500{start}")
            found |= {event["content"].get("body", "") for event in page["chunk"]}
            if not page.get("end") or not page["chunk"]:
                return self.acknowledged - found
            start = f"&from={page['end']}"

    def _page(self, path: str) -> dict[str, Any]:
        """Return a page of messages. A homeserver that has just come back may still answer 502 for a while."""
        deadline = time.monotonic() + _PAGE_SECONDS
        while True:
            try:
                answer = self.matrix.ask("GET", path, token=self.account.access_token)
            except requests.RequestException:
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.ok:
                    page: dict[str, Any] = answer.json()
                    return page
                assert time.monotonic() < deadline, f"{answer.status_code} {answer.text[:300]}"
            time.sleep(1)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that breaks."""

    what: str
    strike: Callable[[Deployed], None]
    lift: Callable[[Deployed], None] | None = None
    """Ends what goes on breaking it until then."""
    shown_by: Callable[[Talk], bool] | None = None
    """Whether it is seen before it is lifted; otherwise nothing was tried."""
    repaired_by: str = ""
    """The command that repairs it; empty: it comes back by itself."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a fault."""

    seconds: float
    """From the fault, or its end where it lasts, until requests are answered again and all containers are healthy."""
    failed: int
    lost: int


def _kill(service: str) -> Callable[[Deployed], None]:
    def strike(deployed: Deployed) -> None:
        process = deployed.deployment.container(service).attrs["State"]["Pid"]
        # From outside: a process that is killed through Docker counts as stopped by hand.
        os.kill(process, signal.SIGKILL)
        # The Docker engine calls the container healthy until it has noticed.
        while deployed.deployment.container(service).attrs["State"]["Pid"] == process:
            time.sleep(0.02)

    return strike


def _restart(service: str) -> Callable[[Deployed], None]:
    return lambda deployed: deployed.deployment.container(service).restart(timeout=30)


def exhaust_memory(container: Container) -> None:
    """Let the kernel kill a service at its memory limit."""
    process = container.attrs["State"]["Pid"]
    for each in [process, *_children(process)]:
        Path(f"/proc/{each}/oom_score_adj").write_text("1000", encoding="utf-8")
    # A process beside the service takes what is left up to the limit, since a line without an end has to be kept
    # whole; the system ends the service.
    container.exec_run([BUSYBOX, "tail", "/dev/zero"], detach=True)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{process}").exists(), "the limit did not end the service"


def _children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8")
    return [int(each) for each in listed.split()]


def _remove_container(service: str) -> Callable[[Deployed], None]:
    return lambda deployed: deployed.deployment.container(service).remove(force=True)


def _remove_network(deployed: Deployed) -> None:
    deployment = deployed.deployment
    network = deployment.client.networks.get(f"matrix-{deployment.stack}-edge")
    for container in network.containers:
        network.disconnect(container, force=True)
    network.remove()


def _stop(service: str) -> Callable[[Deployed], None]:
    return lambda deployed: deployed.deployment.container(service).stop(timeout=30)


def _in_config_of(service: str, deployed: Deployed, image: str, command: str) -> None:
    """Run a shell command as root in a container of this image, with the config of a service, and restart that."""
    container = deployed.deployment.container(service)
    (volume,) = [each["Name"] for each in container.attrs["Mounts"] if each["Destination"] == CONFIG_MOUNT]
    deployed.deployment.client.containers.run(
        image,
        ["-c", command],
        entrypoint=["sh"],
        user="0",
        volumes={volume: {"bind": CONFIG_MOUNT, "mode": "rw"}},
        remove=True,
    )
    container.restart(timeout=30)


def _damage_certificate(deployed: Deployed) -> None:
    image = deployed.deployment.container("nginx").attrs["Image"]
    _in_config_of("nginx", deployed, image, f"echo damaged > {CONFIG_MOUNT}/tls/fullchain.pem")


def _fill_disk(deployed: Deployed) -> None:
    disk.fill(disk.data_of(deployed))


def _free_disk(deployed: Deployed) -> None:
    disk.free(disk.data_of(deployed))


def _shift_clock(seconds: int) -> Callable[[Deployed], None]:
    """Let the clock of Synapse go wrong: for its programs only, since all containers share the machine's clock."""

    def strike(deployed: Deployed) -> None:
        image = _with_libfaketime(deployed)
        start = f"{CONFIG_MOUNT}/start.sh"
        settings = f"LD_PRELOAD={CONFIG_MOUNT}/libfaketime.so.1 FAKETIME={seconds:+d} FAKETIME_DONT_FAKE_MONOTONIC=1"
        _in_config_of(
            deployed.homeserver,
            deployed,
            image,
            f"cp /usr/lib/*/faketime/libfaketime.so.1 {CONFIG_MOUNT}/ && cp -p {start} {start}.right && "
            f"sed -i '2i export {settings}' {start}",
        )

    return strike


def _right_clock(deployed: Deployed) -> None:
    start = f"{CONFIG_MOUNT}/start.sh"
    _in_config_of(deployed.homeserver, deployed, _with_libfaketime(deployed), f"mv {start}.right {start}")


def _with_libfaketime(deployed: Deployed) -> str:
    """Return an image with the library that fits the libc of the homeserver's image."""
    client, tag = deployed.deployment.client, "matrix-homeserver-test/libfaketime"
    if not has_image(client, tag):
        base = deployed.deployment.container(deployed.homeserver).attrs["Config"]["Image"]
        recipe = f"FROM {base}\nUSER 0:0\nRUN install-packages libfaketime\n"
        client.images.build(fileobj=io.BytesIO(recipe.encode()), tag=tag, rm=True)
    return tag


def _stop_docker_engine(_: Deployed) -> None:
    stop_docker_engine()


def faults(homeserver: HomeserverName) -> list[Fault]:
    """Return the faults, the mildest first."""
    found = [
        *(
            Fault(what=f"process of {service} killed", strike=_kill(service))
            for service in (homeserver, "nginx", "redis")
        ),
        *(Fault(what=f"`docker restart` of {service}", strike=_restart(service)) for service in (homeserver, "nginx")),
        Fault(
            what=f"{homeserver} out of memory at its limit",
            strike=lambda deployed: exhaust_memory(deployed.deployment.container(deployed.homeserver)),
        ),
        Fault(
            what=f"disk of {homeserver}'s data full, then freed",
            strike=_fill_disk,
            lift=_free_disk,
            shown_by=lambda talk: not talk.writes(),
        ),
        Fault(what="redis stopped by hand", strike=_stop("redis"), repaired_by="make up"),
        Fault(
            what=f"container of {homeserver} removed by hand",
            strike=_remove_container(homeserver),
            repaired_by="make up",
        ),
        Fault(what="network removed by hand", strike=_remove_network, repaired_by="make up"),
        Fault(what="certificate file damaged, then nginx restarted", strike=_damage_certificate, repaired_by="make up"),
    ]
    if homeserver == "synapse":
        # The others are programs that ask the system for the time without a library in between, or bring their own.
        found += [
            Fault(
                what=f"clock of synapse a day {where}, then right",
                strike=_shift_clock(seconds),
                lift=_right_clock,
                shown_by=Talk.clock_is_off,
            )
            for where, seconds in (("ahead", A_DAY), ("behind", -A_DAY))
        ]
    if may_stop_docker_engine():
        found.append(Fault(what="Docker engine stopped", strike=_stop_docker_engine, repaired_by="make up"))
    return found


def suffer(deployed: Deployed, talk: Talk, fault: Fault) -> Outcome:
    """Let a fault strike while somebody talks, repair it, and tell what came of it."""
    talk.failed = 0
    with talk.going_on():
        time.sleep(1)
        struck = time.monotonic()
        fault.strike(deployed)
        if fault.lift:
            time.sleep(LASTS_SECONDS)
            while fault.shown_by and not fault.shown_by(talk):
                assert time.monotonic() - struck < RECOVERED_WITHIN, f"{fault.what}: nothing came of it"
                time.sleep(1)
            struck = time.monotonic()
            fault.lift(deployed)
        if fault.repaired_by:
            deployed.deployment.make("up")
        while not (
            _all_healthy(deployed.deployment) and talk.last_success > max(struck, talk.last_failure) and talk.writes()
        ):
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
