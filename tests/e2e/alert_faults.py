"""Faults of a running stack, each with the alert that has to tell of it and what else people may be told of.

Each alert is proven by one of them but for those in ``UNPROVEN``.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from docker.models.containers import Container

from components.container import BUSYBOX, CONFIG_MOUNT
from components.services.alertmanager.render import WATCHDOG
from tests.e2e import disk
from tests.e2e.alerted import Fault, Outcome, Scene, Told, nothing_else_told
from tests.e2e.faults import exhaust_memory
from tests.e2e.inbox import Message
from tests.services.images import built

UNPROVEN: Mapping[str, str] = {
    "CPUStealHigh": "a machine cannot take processor time from itself",
    "DiskFillsWithin24h": "its line goes through six hours",
    "CertificateNotRenewed": "it waits for six hours; the ACME client's part is tested with CAs that fail "
    "(`tests/services/test_acme.py`)",
}
"""Alerts that only promtool lets fire, and why."""

SMALL_SHARE = 0.1
"""Of a processor core."""
NEAR_LIMIT = 0.93
"""Share of a container's memory. What its health check takes for a moment has to fit in beside it."""
DISK_LEFT = 0.1
"""Share of a disk; people are told below 15 %."""
CERTIFICATE_DAYS = 5
"""People are told below 14."""
UPLOAD_SECONDS = 1
SHORTAGE = "16m"
ENDS_SECONDS = 240
"""After which Alertmanager takes an alert for resolved that Prometheus has ceased to send."""
LATE_SECONDS = 15


def service(scene: Scene, name: str) -> Container:
    """Return the container of a service."""
    return scene.deployed.deployment.container(name)


def config_of(container: Container) -> Path:
    """Return where a service's config volume lies on this machine."""
    (found,) = [each["Source"] for each in container.attrs["Mounts"] if each["Destination"] == CONFIG_MOUNT]
    return Path(found)


@contextmanager
def other_text(file: Path, change: Callable[[str], str], apply: Callable[[], None]) -> Iterator[None]:
    """Change a file of a running service, whose owner it keeps, and change it back."""
    right = file.read_text(encoding="utf-8")
    wrong = change(right)
    assert wrong != right, f"{file} has nothing to change"
    file.write_text(wrong, encoding="utf-8")
    try:
        apply()
        yield
    finally:
        file.write_text(right, encoding="utf-8")
        apply()


def stopped(name: str) -> Callable[[Scene], AbstractContextManager[None]]:
    """Stop a service by hand."""

    @contextmanager
    def going_on(scene: Scene) -> Iterator[None]:
        service(scene, name).stop(timeout=30)
        try:
            yield
        finally:
            service(scene, name).start()

    return going_on


def nginx_without(line: str) -> Callable[[Scene], AbstractContextManager[None]]:
    """Leave a line out of Nginx' config, which it reads anew without an interruption."""

    @contextmanager
    def going_on(scene: Scene) -> Iterator[None]:
        nginx = service(scene, "nginx")
        with other_text(
            config_of(nginx) / "nginx.conf", lambda text: text.replace(line, ""), lambda: nginx.kill(signal="HUP")
        ):
            yield

    return going_on


@contextmanager
def certificate_ends_soon(scene: Scene) -> Iterator[None]:
    """Have the stack's own CA sign a certificate that is valid for a few days."""
    nginx = service(scene, "nginx")
    key = ca_key(scene)
    with other_text(
        config_of(nginx) / "tls" / "fullchain.pem",
        lambda text: short_lived(text, key),
        lambda: nginx.kill(signal="HUP"),
    ):
        yield


def ca_key(scene: Scene) -> EllipticCurvePrivateKey:
    """Return the key of the stack's own CA, which only its state has."""
    exported: Mapping[str, Any] = json.loads(
        scene.deployed.deployment.pulumi("stack", "export", "--show-secrets").stdout
    )
    (found,) = [
        each["outputs"]["privateKeyPem"]["plaintext"]
        for each in exported["deployment"]["resources"]
        if each["type"] == "tls:index/privateKey:PrivateKey" and each["urn"].endswith("-ca-key")
    ]
    key = load_pem_private_key(json.loads(found).encode(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key


def short_lived(chain: str, key: EllipticCurvePrivateKey) -> str:
    """Return a chain whose first certificate is signed anew, for a few days."""
    leaf, *authorities = x509.load_pem_x509_certificates(chain.encode())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(extensions=list(leaf.extensions))
        .subject_name(leaf.subject)
        .issuer_name(leaf.issuer)
        .public_key(leaf.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
    )
    signed = builder.sign(key, hashes.SHA256())
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in (signed, *authorities))


@contextmanager
def database_locked(scene: Scene) -> Iterator[None]:
    """Let another process hold the lock that writing needs: reading goes on."""
    connection = sqlite3.connect(disk.data_of(scene.deployed) / "homeserver.db", timeout=60, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def uploads_fail(scene: Scene) -> Iterator[None]:
    """Let somebody upload one file after the other, while Synapse may not write where it keeps them."""
    media, ended = disk.data_of(scene.deployed) / "media", threading.Event()
    account, matrix = scene.deployed.new_account(), scene.deployed.matrix
    headers = {"Authorization": f"Bearer {account.access_token}"}
    url = f"{matrix.url}/_matrix/media/v3/upload"

    def upload() -> None:
        while not ended.wait(UPLOAD_SECONDS):
            requests.post(url, data=os.urandom(1024), headers=headers, verify=matrix.ca, timeout=30)

    media.mkdir(exist_ok=True)
    mode = media.stat().st_mode
    media.chmod(0)
    thread = threading.Thread(target=upload)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        media.chmod(mode)


def resident(container: Container) -> int:
    """Return how much memory a service's process has, in bytes, as the kernel knows it at this moment."""
    status = Path(f"/proc/{container.attrs['State']['Pid']}/status").read_text(encoding="utf-8")
    (found,) = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found) << 10


@contextmanager
def beside(container: Container, command: str) -> Iterator[None]:
    """Let a shell's command go on in a service's container."""
    container.exec_run([BUSYBOX, "sh", "-c", command], detach=True)
    try:
        yield
    finally:
        # In full: ps cuts lines at the COLUMNS that the Docker engine was started with, if it was in a terminal.
        running = container.top(ps_args="-ww -eo pid,args")["Processes"]
        ended = [int(number) for number, text in running if text in command or command in text]
        assert ended, f"it had ended by itself: {running}"
        for number in ended:
            os.kill(number, signal.SIGKILL)


@contextmanager
def greedy_for_processors(scene: Scene) -> Iterator[None]:
    """Let a process want more than its container may have. With the usual share, a busy machine would not give that."""
    container = service(scene, "redis-exporter")
    usual = container.attrs["HostConfig"]["NanoCpus"] / 1e9
    give_processors(container, SMALL_SHARE)
    try:
        with beside(container, "while :; do :; done"):
            yield
    finally:
        give_processors(container, usual)


def give_processors(container: Container, cores: float) -> None:
    """Change a container's share; the library does not know how."""
    subprocess.run(["docker", "update", f"--cpus={cores}", str(container.name)], check=True, capture_output=True)


@contextmanager
def near_its_memory_limit(scene: Scene) -> Iterator[None]:
    """Let a process take memory until little is left: what has no end of line is kept whole."""
    container = service(scene, "synapse")
    wanted = int(container.attrs["HostConfig"]["Memory"] * NEAR_LIMIT) - resident(container)
    with beside(container, f"({BUSYBOX} head -c {wanted} /dev/zero; {BUSYBOX} sleep 86400) | {BUSYBOX} tail"):
        yield


def killed_for_memory(name: str) -> Callable[[Scene], AbstractContextManager[None]]:
    """Let the kernel kill a service at its memory limit."""

    @contextmanager
    def going_on(scene: Scene) -> Iterator[None]:
        exhaust_memory(service(scene, name))
        yield

    return going_on


@contextmanager
def stranger_killed_for_memory(scene: Scene) -> Iterator[None]:
    """Let the kernel kill a process that is no part of the stack."""
    client = scene.deployed.deployment.client
    stranger = client.containers.run(
        built(client, "toolbox"),
        ["busybox", "tail", "/dev/zero"],
        mem_limit=SHORTAGE,
        memswap_limit=SHORTAGE,
        network_mode="none",
        detach=True,
    )
    scene.own_containers.add(str(stranger.id))
    try:
        assert stranger.wait(timeout=60)["StatusCode"] == 137, "it was not killed"
        yield
    finally:
        stranger.remove(force=True)


@contextmanager
def canary_ends_at_once(scene: Scene) -> Iterator[None]:
    """Let a service end right after its start."""
    canary = service(scene, "canary")
    with other_text(
        config_of(canary) / "canary" / "canary.py",
        lambda _: "raise SystemExit('broken')\n",
        lambda: canary.restart(timeout=30),
    ):
        yield


@contextmanager
def data_disk_nearly_full(scene: Scene) -> Iterator[None]:
    """Fill the disk of the homeserver's data but for a tenth."""
    data = disk.data_of(scene.deployed)
    disk.fill(data, leave=int(disk.size(data) * DISK_LEFT))
    try:
        yield
    finally:
        disk.free(data)


@contextmanager
def heartbeat_refused(scene: Scene) -> Iterator[None]:
    """Let one of the receivers refuse what it gets."""
    scene.inbox.misses_beats = True
    try:
        yield
    finally:
        scene.inbox.misses_beats = False


def named(container: str) -> Mapping[str, str]:
    return {"name": f"matrix-.+-{container}"}


def unhealthy(container: str) -> Told:
    return Told(alert="ContainerUnhealthy", labels=named(container))


START, RELOAD = "`docker start`", "config put right, reload"
HOMESERVER_STOPPED = Fault(
    what="homeserver stopped",
    repaired_by=START,
    told=Told(alert="HomeserverDown"),
    hurried=(Told(alert="TargetDown", labels={"job": "homeserver"}), unhealthy("synapse")),
    going_on=stopped("synapse"),
)
REDIS_STOPPED = Fault(what="Redis stopped", repaired_by=START, told=Told(alert="RedisDown"), going_on=stopped("redis"))
MTAIL_STOPPED = Fault(
    what="a part of the monitoring stopped (mtail), so that Prometheus cannot ask it",
    repaired_by=START,
    told=Told(alert="TargetDown", labels={"job": "nginx"}),
    hurried=(unhealthy("mtail"),),
    going_on=stopped("mtail"),
)
FACTS_STOPPED = Fault(
    what="container of Docker facts stopped",
    repaired_by=START,
    told=Told(alert="ContainerStateStale"),
    going_on=stopped("facts"),
)
SIDE_BY_SIDE: Sequence[Sequence[Fault]] = (
    (
        Fault(
            what="a container wants more processor time than it may have (Redis exporter)",
            repaired_by="process ended",
            told=Told(alert="ContainerCPUThrottled", labels=named("redis-exporter")),
            going_on=greedy_for_processors,
        ),
    ),
    (
        Fault(
            what="certificate that is valid for five days",
            repaired_by="another certificate",
            told=Told(alert="CertificateExpiresSoon"),
            going_on=certificate_ends_soon,
        ),
    ),
    (
        Fault(
            what="federation port closed in Nginx, the clients' open",
            repaired_by=RELOAD,
            told=Told(alert="FederationEndpointDown"),
            going_on=nginx_without("listen 8448 ssl http2 default_server;"),
        ),
        Fault(
            what="health check of Nginx fails, Nginx serves",
            repaired_by=RELOAD,
            told=unhealthy("nginx"),
            going_on=nginx_without("listen 127.0.0.1:8081;"),
        ),
    ),
    (
        Fault(
            what="a receiver refuses what it gets (the dead-man's switch)",
            repaired_by="receiver takes it",
            told=Told(alert="NotificationsFailing"),
            going_on=heartbeat_refused,
        ),
    ),
    (
        Fault(
            what="a container ends at each start (canary)",
            repaired_by="program put right, `docker restart`",
            told=Told(alert="ContainerRestartLoop", labels=named("canary")),
            also=(Told(alert="TargetDown", labels={"job": "canary"}),),
            going_on=canary_ends_at_once,
        ),
        Fault(
            what="database locked by another process: reading works, writing does not",
            repaired_by="lock given back",
            told=Told(alert="HomeserverWriteProbeFailing"),
            going_on=database_locked,
        ),
    ),
    (
        Fault(
            what="a container killed at its memory limit (blackbox exporter)",
            repaired_by="",
            told=Told(alert="ContainerOOMKilled", labels=named("blackbox-exporter")),
            going_on=killed_for_memory("blackbox-exporter"),
        ),
        Fault(
            what="a process outside the stack killed for want of memory",
            repaired_by="",
            told=Told(alert="HostOOMKill"),
            going_on=stranger_killed_for_memory,
        ),
    ),
    (
        Fault(
            what="a container's memory at 93 % of its limit (Synapse)",
            repaired_by="process ended",
            told=Told(alert="ContainerMemoryNearLimit", labels=named("synapse")),
            going_on=near_its_memory_limit,
        ),
    ),
    (REDIS_STOPPED,),
    (
        Fault(
            what="uploads end with HTTP 500: Synapse may not write its media",
            repaired_by="rights given back",
            told=Told(alert="HighErrorRatio5xx"),
            going_on=uploads_fail,
        ),
        MTAIL_STOPPED,
    ),
    (
        Fault(
            what="disk of the homeserver's data full to nine tenths",
            repaired_by="space given back",
            told=Told(alert="DiskSpaceLow", labels={"device": "/dev/loop.+"}),
            going_on=data_disk_nearly_full,
        ),
    ),
)
"""Faults that do not touch each other; those of a lane share something and strike one after the other."""
BATCHES: Mapping[str, Sequence[Sequence[Fault]]] = {
    "side-by-side": SIDE_BY_SIDE,
    "homeserver": [[HOMESERVER_STOPPED]],
    # Meanwhile nobody knows how containers are.
    "facts": [[FACTS_STOPPED]],
}
FAULTS = [fault for lanes in BATCHES.values() for lane in lanes for fault in lane]


def row(outcome: Outcome) -> str:
    """Return an outcome as a row of a table."""
    fault = outcome.fault
    cells = [
        fault.what,
        fault.told.alert,
        ", ".join(outcome.besides),
        f"{outcome.firing:.0f}",
        f"{outcome.told:.0f}",
        fault.repaired_by or "itself",
        f"{outcome.resolved:.0f}",
        f"{outcome.told_so:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


@dataclass(frozen=True, kw_only=True)
class Silence:
    """How the dead-man's switch notices that nobody could be told: beats stay away."""

    what: str
    service: str
    also: tuple[Told, ...] = ()
    """What people may be told of once it is back."""


SILENCES = (
    Silence(what="Prometheus stopped", service="prometheus"),
    Silence(
        what="Alertmanager stopped",
        service="alertmanager",
        # It has forgotten what fired, and is told of the one now and of the other up to a minute later.
        also=(
            Told(alert="TargetDown", labels={"job": "alertmanager"}),
            unhealthy("alertmanager"),
        ),
    ),
)


def silence_row(scene: Scene, silence: Silence) -> str:
    """Stop what beats until nothing comes, start it again, and return as a row when beats ended and began."""
    beats, (_, interval, repeat) = scene.inbox.beats, (scene.scale * seconds for seconds in WATCHDOG)
    longest = repeat + interval + LATE_SECONDS
    patience = ENDS_SECONDS + 4 * longest

    def accounted_for(message: Message) -> bool:
        return any(each.matches(message.name, message.labels) for each in silence.also)

    with nothing_else_told(scene, accounted_for) as began:
        scene.until(lambda: sum(each > began for each in beats) > 1, patience, "it beats")
        assert beats[-1] - beats[-2] < longest
        struck = time.time()
        with stopped(silence.service)(scene):
            scene.until(lambda: time.time() - max(struck, beats[-1]) > longest, patience, f"{silence.what}: beats end")
            last, repaired = max(0.0, beats[-1] - struck), time.time()
        scene.until(lambda: beats[-1] > repaired, patience, f"{silence.what}: it beats again")
        again = next(each for each in beats if each > repaired) - repaired
    return f"| {silence.what} | {f'{last:.0f}' if last else 'none came'} | {again:.0f} |"
