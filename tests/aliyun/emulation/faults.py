"""Things that go wrong on purpose, by action: the next calls fail, hang, or are done and then not answered."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from tests.aliyun.emulation.errors import ApiError, throttled

KINDS: Mapping[str, str] = {
    "error": "answer the error `code` with HTTP `status`, and do nothing",
    "throttle": "answer that there were too many calls, and do nothing",
    "timeout": "say nothing for `seconds`, do nothing, and close the connection",
    "slow": "wait `seconds`, then do it and answer",
    "lost": "do it, and close the connection without an answer",
    "failed": "do it, and answer the error all the same",
}


@final
@dataclass(frozen=True, kw_only=True)
class Fault:
    """One kind of trouble.

    Attributes:
        action: the action that it befalls; ``*`` is any.
        where: it befalls only calls that have this text in the value of a parameter; empty: all calls.
        kind: one of :data:`KINDS`.
        times: how many calls it befalls; -1: all of them.
        skip: how many calls it lets pass before.
        status, code, message: the error that is answered.
        seconds: for how long it is silent.
    """

    action: str
    where: str = ""
    kind: str = "error"
    times: int = 1
    skip: int = 0
    status: int = 500
    code: str = "InternalError"
    message: str = "The request processing has failed due to some unknown error."
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault of kind {self.kind!r}; there are: {', '.join(KINDS)}")

    def error(self) -> ApiError:
        return throttled() if self.kind == "throttle" else ApiError(self.status, self.code, self.message)


@final
class Faults:
    """The faults that wait for their call."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[dict[str, Any]]:
        """Return those that have not befallen all their calls yet."""
        with self._lock:
            return [dataclasses.asdict(fault) for fault in self._waiting]

    def take(self, action: str, given: Mapping[str, str]) -> Fault | None:
        """Return what befalls a call with these parameters, and count it."""
        with self._lock:
            for place, fault in enumerate(self._waiting):
                there = not fault.where or any(fault.where in value for value in given.values())
                if fault.action in {"*", action} and there:
                    return self._count(place, fault)
        return None

    def _count(self, place: int, fault: Fault) -> Fault | None:
        if fault.skip > 0:
            self._waiting[place] = dataclasses.replace(fault, skip=fault.skip - 1)
            return None
        if fault.times == 1:
            del self._waiting[place]
        elif fault.times > 1:
            self._waiting[place] = dataclasses.replace(fault, times=fault.times - 1)
        return fault
