"""Writes what Docker knows of the stack's containers as metrics: restarts, health, and kills for want of memory.

No exporter has these right: Docker's own flag for such a kill stays false on some kernels, cAdvisor's counter stays 0,
and its start time does not change at a restart. So they are read where they are: in the files in which Docker
keeps each container, and in the kernel's log. For this it is root without rights, in a container without a network;
what it writes, the node exporter tells.

Runs in a container of its own, with nothing but the standard library. Reads ``STACK`` from the environment.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

CONTAINERS: Final = Path("/docker/containers")
KERNEL_LOG: Final = "/dev/kmsg"
METRICS: Final = Path("/textfiles/containers.prom")
INTERVAL_SECONDS: Final = 15
LABEL_STACK: Final = "matrix.stack"

# "oom-kill:constraint=...,task_memcg=/docker/<id>,task=...": also "/system.slice/docker-<id>.scope".
_KILL: Final = re.compile(r"oom-kill:.*\btask_memcg=[^,]*?([0-9a-f]{64})(?![0-9a-f])")


class KernelLog:
    """Counts kills in the kernel's log by container id, from as far back as the log goes."""

    def __init__(self, path: str = KERNEL_LOG) -> None:
        self.kills: Counter[str] = Counter()
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            print(f"No source of kills for want of memory: {path}: {error.strerror}", file=sys.stderr, flush=True)
            self._file = -1

    @property
    def is_read(self) -> bool:
        """Whether there is such a log."""
        return self._file >= 0

    def read(self) -> None:
        """Take in what is new."""
        while self.is_read:
            try:
                record = os.read(self._file, 8192)
            except BlockingIOError:
                return
            except BrokenPipeError:
                continue  # some of it was overwritten before it was read
            if not record:
                return
            if found := _KILL.search(record.decode(errors="replace")):
                self.kills[found[1]] += 1


def containers(folder: Path, stack: str) -> list[dict[str, Any]]:
    """Return what the Docker engine has written down of the stack's services."""
    found = []
    for path in sorted(folder.glob("*/config.v2.json")):
        try:
            known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # just removed
        labels = (known.get("Config") or {}).get("Labels") or {}
        if labels.get(LABEL_STACK) == stack and labels.get("matrix.role") == "service":
            found.append(known)
    return found


def is_healthy(known: dict[str, Any]) -> bool | None:
    """Return whether a container serves; None while it is starting."""
    state = known.get("State") or {}
    status = (state.get("Health") or {}).get("Status")
    if not state.get("Running"):
        return False
    return None if status == "starting" else status == "healthy"


def render(found: list[dict[str, Any]], log: KernelLog, now: float) -> str:
    """Return the metrics in Prometheus' text format."""
    info, restarts, kills, health = [], [], [], []
    for known in found:
        name, identifier = str(known["Name"]).lstrip("/"), str(known["ID"])
        info.append(f'matrix_container_info{{id="{identifier}",name="{name}"}} 1')
        restarts.append(f'matrix_container_restarts_total{{name="{name}"}} {int(known.get("RestartCount") or 0)}')
        if log.is_read:
            kills.append(f'matrix_container_oom_kills_total{{name="{name}"}} {log.kills[identifier]}')
        healthy = is_healthy(known)
        if healthy is not None:
            health.append(f'matrix_container_health{{name="{name}"}} {int(healthy)}')
    families = [
        ("matrix_container_info", "gauge", "Joins a name to the id that control groups have.", info),
        ("matrix_container_restarts_total", "counter", "Times that Docker started it again by itself.", restarts),
        ("matrix_container_oom_kills_total", "counter", "Processes in it that were killed for want of memory.", kills),
        ("matrix_container_health", "gauge", "1: its health check passes; 0: it fails, or it does not run.", health),
        ("matrix_container_oom_source", "gauge", "1: the kernel's log can be read.",
         [f"matrix_container_oom_source {int(log.is_read)}"]),
        ("matrix_container_state_timestamp_seconds", "gauge", "When this was written.",
         [f"matrix_container_state_timestamp_seconds {now:.3f}"]),
    ]  # fmt: skip
    lines = []
    for name, kind, text, samples in families:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *samples]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the metrics again and again."""
    # The first process of a container has no default for this signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    stack, log = os.environ["STACK"], KernelLog()
    while True:
        log.read()
        text = render(containers(CONTAINERS, stack), log, time.time())
        partial = METRICS.with_suffix(".part")
        partial.write_text(text, encoding="utf-8")
        partial.chmod(0o444)
        partial.replace(METRICS)
        time.sleep(INTERVAL_SECONDS)


if __name__ == "__main__":
    main()
