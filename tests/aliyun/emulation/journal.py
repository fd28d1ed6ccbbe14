"""Which calls were made: by that, tests count calls and derive what the deployer must be allowed to do."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import final


@final
@dataclass(frozen=True, kw_only=True)
class Entry:
    """One call. It has the names of the parameters only: values may be secret.

    Attributes:
        at: seconds since 1970 when the call came.
        product: ``ecs``, ``vpc``, ``alidns`` and so on, as RAM policies spell them.
        action: the action.
        client: ``tea`` or ``old``, the plugin's two; ``sdk`` for others.
        parameters: the names of its own parameters, sorted.
        code: the error that was answered; empty if it went well.
        fault: the kind of the fault that befell it; empty if none did.
        repeated: whether it was answered from an earlier call with the same ClientToken.
    """

    at: float
    product: str
    action: str
    client: str
    parameters: list[str]
    code: str = ""
    fault: str = ""
    repeated: bool = False


@final
class Journal:
    """All calls so far, also in a file with one JSON object a line."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        if path is not None and path.is_file():
            self._entries = [Entry(**json.loads(line)) for line in path.read_text().splitlines()]

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)
            if self._path is not None:
                with self._path.open("a") as file:
                    file.write(json.dumps(dataclasses.asdict(entry)) + "\n")

    def entries(self) -> list[Entry]:
        with self._lock:
            return list(self._entries)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            if self._path is not None:
                self._path.unlink(missing_ok=True)

    def count(self, action: str) -> int:
        """How often an action was called, whatever became of it."""
        return sum(entry.action == action for entry in self.entries())

    def actions(self) -> Counter[str]:
        """Count the calls by their RAM action, such as ``ecs:RunInstances``."""
        return Counter(f"{entry.product}:{entry.action}" for entry in self.entries())


def now() -> float:
    """Return the time of an entry."""
    return time.time()
