"""What people are told while something is wrong with a running stack, and how soon."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Any, TypeVar

from components.services.facts.docker_facts import KernelLog
from config.addresses import address_plan
from config.alerts.rule import MINUTE
from tests.e2e.deployed import Deployed, brought_up
from tests.e2e.deployment import Deployment
from tests.e2e.inbox import Inbox, Message, open_inbox
from tests.e2e.panels import Prometheus

T = TypeVar("T")
LOOKS_EVERY = 1.0
QUIET = {"Watchdog"}
"""What fires while all is well."""
CHECKS_OF_THE_MACHINE = re.compile(r"Disk.*|disk|HostOOMKill|CPUStealHigh")
"""What `make status` says of the machine that runs the tests, where it may be so: others exhaust memory wilfully."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """Something that people may be told of: a name, and regular expressions that match whole labels."""

    alert: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Return whether an alert is meant."""
        return name == self.alert and all(
            re.fullmatch(pattern, labels.get(label, "")) for label, pattern in self.labels.items()
        )


@dataclass
class Scene:
    """A running stack whose alerts arrive here, its durations scaled."""

    deployed: Deployed
    inbox: Inbox
    prometheus: Prometheus
    scale: float
    own_containers: set[str] = field(default_factory=set)
    """Ids of those that the faults start beside the stack."""
    kernel: KernelLog = field(default_factory=KernelLog)
    """Kept open: what it has read is counted although the kernel has no room for it any more."""
    killed_before: int = -1
    """How many processes of others had been killed for want of memory when the faults began."""
    given_up: threading.Event = field(default_factory=threading.Event)

    def until(self, look: Callable[[], T | None], seconds: float, what: str | Callable[[], str]) -> T:
        """Wait for something that is not false, and return it."""
        deadline = time.monotonic() + seconds
        while not (found := look()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{what if isinstance(what, str) else what()}: not within {seconds:.0f} s")
            assert not self.given_up.wait(LOOKS_EVERY), "given up"
        return found

    def alerts(self) -> Sequence[Mapping[str, Any]]:
        """Return Prometheus' alerts, those that are not told yet among them; asked again while it does not answer."""
        deadline = time.monotonic() + MINUTE
        while True:
            try:
                found: Sequence[Mapping[str, Any]] = self.prometheus.get("alerts")["alerts"]
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOKS_EVERY)
            else:
                return found

    def fires(self, told: Told) -> bool:
        """Return whether one of the alerts that are meant fires."""
        return any(
            each["state"] == "firing" and told.matches(each["labels"]["alertname"], each["labels"])
            for each in self.alerts()
        )

    def told(self, told: Told, since: float) -> Message | None:
        """Return the first message since then that what is meant fires."""
        return next(
            (
                each
                for each in list(self.inbox.messages)
                if each.at >= since and each.firing and told.matches(each.name, each.labels)
            ),
            None,
        )

    def told_so(self, message: Message) -> Message | None:
        """Return the first message that what was told is over."""
        return next(
            (
                each
                for each in list(self.inbox.messages)
                if each.at > message.at and not each.firing and each.labels == message.labels
            ),
            None,
        )

    @property
    def machines_disk(self) -> str:
        """The device of the machine's own disk, which may be full whatever the faults do; empty: not measured yet."""
        found = self.prometheus.get("query", query='node_filesystem_size_bytes{mountpoint="/fs/system"}')["result"]
        return str(found[0]["metric"]["device"]) if found else ""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong, and what people have to be told of it."""

    what: str
    repaired_by: str
    """Empty: it is over as soon as it has happened."""
    told: Told
    also: tuple[Told, ...] = ()
    """What else people may be told of it."""
    hurried: tuple[Told, ...] = ()
    """The same with shorter durations than are shipped: where two alerts wait no longer than the fifteen seconds
    between two looks at them, either may be the first, and what keeps quiet about the other may be late."""
    going_on: Callable[[Scene], AbstractContextManager[None]]
    """Breaks something, and puts it right at the end."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """When people were told of a fault: seconds from its beginning, and then from its end."""

    fault: Fault
    also: tuple[Told, ...]
    """What else people may be told of it, with the durations that the stack has."""
    began: float
    ended: float
    """Both as seconds since the epoch."""
    firing: float
    told: float
    resolved: float
    told_so: float
    besides: tuple[str, ...] = ()
    """The names of the other alerts that people were told of."""

    def __str__(self) -> str:
        return (
            f"{self.fault.told.alert} fires after {self.firing:.0f} s, is told after {self.told:.0f}; "
            f"it is resolved after {self.resolved:.0f} and told so after {self.told_so:.0f}"
        )

    def accounts_for(self, message: Message) -> bool:
        """Return whether people may be told so because of this fault."""
        if self.fault.told.matches(message.name, message.labels):
            return self.began <= message.at <= self.ended
        return self.began <= message.at and any(each.matches(message.name, message.labels) for each in self.also)


def suffer(scene: Scene, fault: Fault) -> Outcome:
    """Let something go wrong, have it repaired when people were told, and wait until they are told that it is over."""
    patience = 10 * MINUTE + 40 * MINUTE * scene.scale
    scene.until(lambda: not scene.fires(fault.told), patience, f"{fault.what}: {fault.told.alert} is over")
    struck = time.time()
    with fault.going_on(scene):
        scene.until(lambda: scene.fires(fault.told), patience, f"{fault.what}: {fault.told.alert} fires")
        firing = time.time()
        told = scene.until(lambda: scene.told(fault.told, struck), patience, f"{fault.what}: people are told")
        repaired = time.time() if fault.repaired_by else struck
    scene.until(lambda: not scene.fires(fault.told), patience, f"{fault.what}: {fault.told.alert} is resolved")
    resolved = time.time()
    told_so = scene.until(lambda: scene.told_so(told), patience, f"{fault.what}: people are told so")
    outcome = Outcome(
        fault=fault,
        also=fault.also if scene.scale == 1 else (*fault.also, *fault.hurried),
        began=struck,
        ended=told_so.at,
        firing=firing - struck,
        told=told.at - struck,
        resolved=resolved - repaired,
        told_so=told_so.at - repaired,
    )
    print(f"{fault.what}: {outcome}", flush=True)
    return outcome


def suffer_together(scene: Scene, lanes: Sequence[Sequence[Fault]]) -> list[Outcome]:
    """Let independent faults strike side by side, those of a lane one after the other."""
    outcomes: list[Outcome] = []

    def accounted_for(message: Message) -> bool:
        return any(each.accounts_for(message) for each in outcomes)

    with nothing_else_told(scene, accounted_for) as began, ThreadPoolExecutor(len(lanes)) as pool, interruptible(scene):
        lanes_of = pool.map(lambda lane: [suffer(scene, fault) for fault in lane], lanes)
        outcomes += [outcome for lane in lanes_of for outcome in lane]
    return [
        with_besides(each, [message for message in scene.inbox.messages if message.at >= began]) for each in outcomes
    ]


@contextmanager
def interruptible(scene: Scene) -> Iterator[None]:
    """Have all that goes on put right at once when the run is interrupted; a fault that fails lets the others end."""
    try:
        yield
    except KeyboardInterrupt:
        scene.given_up.set()
        raise


@contextmanager
def nothing_else_told(scene: Scene, accounted_for: Callable[[Message], bool]) -> Iterator[float]:
    """Hold that from one time when all is quiet to the next nobody is told of anything else; gives when that began."""
    wait_until_quiet(scene)
    began, scene.killed_before = time.time(), strangers_killed(scene)
    yield began
    # What clears later than it is kept quiet about would be told by now.
    wait_until_quiet(scene, 10 + MINUTE * scene.scale)
    # That something is over is also said of what fired before, beside what is new of the same name.
    strange = [each for each in scene.inbox.messages if each.at >= began and each.firing and not accounted_for(each)]
    told = [str(each) for each in strange if not of_the_machine(scene, each.name, each.labels)]
    assert not told, told
    assert not scene.inbox.forged, "a signature is wrong"


def with_besides(outcome: Outcome, messages: Sequence[Message]) -> Outcome:
    """Return an outcome with what people were told besides."""
    told = {each.name for each in messages if outcome.accounts_for(each)} - {outcome.fault.told.alert}
    return replace(outcome, besides=tuple(sorted(told)))


def of_the_machine(scene: Scene, name: str, labels: Mapping[str, str]) -> bool:
    """Return whether an alert is about the machine that runs the tests, where it may be true."""
    if name == "HostOOMKill":
        return strangers_killed(scene) > scene.killed_before
    return name == "CPUStealHigh" or labels.get("device") == scene.machines_disk


def strangers_killed(scene: Scene) -> int:
    """Return how many processes in containers of others the kernel's log says were killed for want of memory."""
    scene.kernel.read()
    ours = {str(each.id) for each in scene.deployed.deployment.containers()} | scene.own_containers
    return sum(count for container, count in scene.kernel.kills.items() if container not in ours)


def wait_until_quiet(scene: Scene, quiet_for: float = 0) -> None:
    """Wait until for so many seconds nothing has fired or been about to, but for what fires while all is well.

    That is waited for: a Prometheus that has just started knows of no alert, and all would seem quiet.
    """
    patience = 10 * MINUTE + 30 * MINUTE * scene.scale
    loud_at = time.monotonic()

    def quiet() -> bool:
        nonlocal loud_at
        if loud(scene) or not all(scene.fires(Told(alert=name)) for name in QUIET):
            loud_at = time.monotonic()
            return False
        return time.monotonic() - loud_at >= quiet_for

    scene.until(quiet, patience, lambda: f"it becomes quiet, without {loud(scene)}")


def loud(scene: Scene) -> list[str]:
    """Return the names of alerts that fire or are about to, but for what fires while all is well."""
    found = [(str(each["labels"]["alertname"]), each["labels"]) for each in scene.alerts()]
    return [name for name, labels in found if name not in QUIET and not of_the_machine(scene, name, labels)]


def fully_monitored(port: int, subnet: str, **more: str) -> dict[str, str]:
    """Return the settings of a stack with Synapse, all of the monitoring, and its Prometheus at this port."""
    return {
        "homeserver": "synapse",
        "imageSource": "packages",
        "tier": "2C4G",
        "monitoring": "full",
        "prometheusPort": str(port),
        "subnet": subnet,
        "alerts": "webhook,heartbeat",
        **more,
    }


@contextmanager
def brought_up_with_inbox(deployment: Deployment, port: int, scale: str) -> Iterator[Scene]:
    """Bring up a stack with Synapse that tells everything here; its Prometheus is at this port."""
    with open_inbox() as inbox:
        deployment.make("toolchain")
        deployment.pulumi("stack", "init")
        operators = address_plan(IPv4Network(deployment.settings["subnet"])).operators
        for key, value in inbox.secrets(str(operators.gateway)).items():
            deployment.configure(key, value)
        with brought_up("synapse", deployment) as running:
            yield Scene(deployed=running, inbox=inbox, prometheus=Prometheus(port), scale=float(scale))
