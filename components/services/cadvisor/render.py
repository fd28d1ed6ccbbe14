"""cAdvisor's command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

CONTROL_GROUPS: Final = ("/docker/", "/system.slice/docker-")
"""Where the Docker engine puts containers, with the cgroupfs and with the systemd driver. The name ends in the id."""
CONTAINER_ID: Final = f"({'|'.join(CONTROL_GROUPS)})[0-9a-f]{{64}}([.]scope)?"
"""The control groups of containers. Not the whole machine, nor what BuildKit leaves behind below ``/docker/``, nor the
groups that a container has made inside its own: rules that join by id would find the same one many times."""

_NOT_MEASURED: Final = (
    "advtcp,app,cpu_topology,cpuLoad,cpuset,disk,hugetlb,memory_numa,network,percpu,perf_event,process,"
    "oom_event,pressure,referenced_memory,resctrl,sched,tcp,udp"
)


def render_command(port: int) -> Sequence[str]:
    """Return the arguments, in the words of the published program."""
    return [
        f"-port={port}",
        "-docker_only",
        f"-raw_cgroup_prefix_whitelist={','.join(CONTROL_GROUPS)}",
        "-store_container_labels=false",
        # It measures by itself, however seldom it is asked: most of what it costs.
        "-housekeeping_interval=15s",
        "-max_housekeeping_interval=30s",
        f"-disable_metrics={_NOT_MEASURED}",
    ]
