"""Somebody who asks whether the homeserver is there, and for how long it was not."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.service import Edge
from tests.e2e.deployment import Deployment
from tests.recording import ROOT

PAUSE_SECONDS = 0.1
DOCUMENT = ROOT / "docs" / "operations.md"
COLUMN = 4
"""Of its table of settings."""
WRITES = os.environ.get("WRITE_OUTAGES") == "1"


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a stack is asked."""

    edge: Edge
    port: int


def address_of(
    deployment: Deployment, *, host: str = "localhost", address: str = "127.0.0.1", port: int = 0
) -> Address:
    """Return where a stack is reached: as it was deployed, but for what is said otherwise."""
    edge = Edge(host=host, address=address, ca_file=Path(deployment.ca))
    return Address(edge=edge, port=port or deployment.ports[1])


@contextmanager
def watched(addresses: Sequence[Address]) -> Iterator[list[tuple[float, bool]]]:
    """Ask ten times a second, at one address after the other, and keep whether one answered and when."""
    seen: list[tuple[float, bool]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(PAUSE_SECONDS):
            answered = any(each.edge.get(each.port, "/_matrix/client/versions").status == 200 for each in addresses)
            seen.append((time.monotonic(), answered))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def outage(seen: list[tuple[float, bool]]) -> float:
    """Return how long the longest time without an answer was, in seconds; 0 where every question was answered."""
    if all(answered for _, answered in seen):
        return 0.0
    longest, last_answer = 0.0, seen[0][0]
    for moment, answered in seen:
        if answered:
            longest, last_answer = max(longest, moment - last_answer), moment
    return longest


def write_outages(outages: Mapping[str, float]) -> None:
    """Put the seconds without an answer into the table of settings."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        cells = line.split("|")
        key = cells[1].strip(" `") if line.startswith("| `") else ""
        if key in outages:
            cells[COLUMN] = f" {outages[key]:.1f} s " if outages[key] else " 0 "
            lines[index] = "|".join(cells)
    DOCUMENT.write_text("\n".join(lines) + "\n", encoding="utf-8")
