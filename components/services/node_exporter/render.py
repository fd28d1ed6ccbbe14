"""The node exporter's command line: it has no config file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

WATCHED: Final = "/fs"
"""Each file system that is watched is mounted below it, as is nothing else."""

COLLECTORS: Final = (
    "cpu",
    "diskstats",
    "filesystem",
    "loadavg",
    "meminfo",
    "pressure",
    "stat",
    "textfile",
    "time",
    "timex",
    "uname",
    "vmstat",
)
"""Those that tell of the machine from inside a container. The network is left out: the container sees its own only."""

_NOT_WATCHED: Final = r"^/($|[^f]|f($|[^s])|fs($|[^/]))"
"""Everything that is not below ``/fs/``. Debian's own list of exceptions leaves out more than that."""


def render_command(port: int, textfiles: str) -> Sequence[str]:
    """Return the arguments."""
    return [
        "--collector.disable-defaults",
        *(f"--collector.{each}" for each in COLLECTORS),
        f"--collector.filesystem.mount-points-exclude={_NOT_WATCHED}",
        "--collector.filesystem.fs-types-exclude=^$",
        f"--collector.textfile.directory={textfiles}",
        # Metrics of the exporter itself: half of all it has to tell.
        "--web.disable-exporter-metrics",
        f"--web.listen-address=0.0.0.0:{port}",
        "--log.level=warn",
    ]
