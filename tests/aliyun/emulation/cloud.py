"""The emulated account: its state, its clock, its limits, and how its things change."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import final

from tests.aliyun.emulation.errors import ApiError
from tests.aliyun.emulation.hypervisor import Hypervisor, HypervisorError
from tests.aliyun.emulation.state import Changing, State, Store
from tests.aliyun.emulation.work import Job, Work

EIP_POOL = IPv4Network("198.51.100.128/25")
"""Where elastic addresses come from: TEST-NET-2, upper half; the lower half is for what the rehearsal itself needs."""


@final
@dataclass(kw_only=True)
class Limits:
    """Quotas. Aliyun's defaults for a new account, by its documentation; tests lower them."""

    vpcs: int = 10
    switches: int = 150
    groups: int = 100
    rules: int = 200
    eips: int = 20
    disks: int = 100
    instances: int = 30
    key_pairs: int = 500
    policies: int = 100
    records: int = 1000


@final
@dataclass(kw_only=True)
class Cloud:
    """An account in one region.

    Attributes:
        region: such as ``cn-hangzhou``; other regions do not exist.
        account: the account's number.
        domains: the zones that Alidns hosts for the account.
        hypervisor: what makes the instances true.
        work: how it is called.
        store: where the state lives.
        settle: seconds that a change takes at least.
        now: the clock, in seconds.
    """

    region: str
    account: str
    domains: Sequence[str]
    hypervisor: Hypervisor
    work: Work
    store: Store
    settle: float
    now: Callable[[], float] = time.time
    limits: Limits = field(default_factory=Limits)
    state: State = field(default_factory=State)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def time(self) -> str:
        """Return the time as VPC and EIP write it."""
        return datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def minute(self) -> str:
        """Return the time as ECS writes it."""
        return datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%MZ")

    def new_id(self, prefix: str) -> str:
        """Return an id such as ``i-bp1...``: the region's mark, then 17 characters."""
        return f"{prefix}-bp1{uuid.uuid4().hex[:17]}"

    def check_zone(self, zone: str) -> None:
        """Raise :class:`ApiError` unless the region has such a zone."""
        letter = zone.removeprefix(f"{self.region}-")
        if letter == zone or len(letter) != 1 or letter not in "bcdefghijk":
            raise ApiError(404, "InvalidZoneId.NotFound", "The specified zone does not exist.")

    def shown(self, thing: Changing) -> str:
        """Return a thing's status as of now."""
        return thing.shown(self.now())

    def change(self, thing: Changing, *, through: str, to: str) -> None:
        """Let a thing say ``through`` for the time a change takes, and ``to`` from then on."""
        thing.passing, thing.status, thing.until = through, to, self.now() + self.settle

    def run(
        self, thing: Changing, what: str, job: Job, *, failed: str = "", after: Callable[[], None] | None = None
    ) -> None:
        """Have the hypervisor do a job, during which the thing keeps its passing status.

        Args:
            thing: what changes.
            what: the job, for people.
            job: calls the hypervisor; must not touch the state.
            failed: the status to fall back to where the job fails; empty: none.
            after: what else to do with the state when the job has succeeded.
        """
        thing.busy = True

        def then(error: HypervisorError | None) -> None:
            with self.lock:
                thing.busy = False
                if error is not None and failed:
                    thing.status = failed
                elif error is None and after is not None:
                    after()
                self.save()

        self.work.do(what, job, then)

    def save(self) -> None:
        """Store the state."""
        self.store.save(self.state)
