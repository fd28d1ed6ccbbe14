"""Does what the hypervisor has to do, outside of the call that asked: a guest that boots must not hold up the API."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, final

from tests.aliyun.emulation.hypervisor import HypervisorError

Job = Callable[[], None]
Then = Callable[[HypervisorError | None], None]


class Work(Protocol):
    """Takes jobs and does them in the order in which they came."""

    def do(self, what: str, job: Job, then: Then) -> None:
        """Run ``job``, then tell ``then`` what became of it. ``what`` names it for people."""

    def wait(self) -> None:
        """Wait until everything is done that was asked for so far."""

    def finish(self) -> None:
        """Wait likewise, and take no more."""


@final
class AtOnce:
    """Does a job within the call: for a hypervisor that runs nothing."""

    def do(self, what: str, job: Job, then: Then) -> None:
        then(_result(what, job))

    def wait(self) -> None:
        """There is never anything left."""

    def finish(self) -> None:
        """Nor then."""


@final
class Queue:
    """One thread, so that what concerns one guest happens in order."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hypervisor")

    def do(self, what: str, job: Job, then: Then) -> None:
        self._thread.submit(lambda: then(_result(what, job)))

    def wait(self) -> None:
        self._thread.submit(lambda: None).result()

    def finish(self) -> None:
        self._thread.shutdown(wait=True)


def _result(what: str, job: Job) -> HypervisorError | None:
    try:
        job()
    except HypervisorError as error:
        print(f"emulated Aliyun: {what}: {error}", file=sys.stderr, flush=True)
        return error
    except Exception as error:  # noqa: BLE001 - a thread's exception would otherwise be lost, and the guest busy for ever
        print(f"emulated Aliyun: {what}: {error!r}", file=sys.stderr, flush=True)
        return HypervisorError(f"{what}: {error!r}")
    return None
