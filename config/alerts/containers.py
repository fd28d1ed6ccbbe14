"""Alert rules on containers, and the recorded series that give cAdvisor's measures the names of containers.

Without the Docker socket cAdvisor knows containers by their control group only, whose name ends in the container's id.
What Docker itself says (restarts, health, names) comes from the container of Docker facts, out-of-memory kills from the
kernel's log: ``container_oom_events_total`` stays 0 and ``container_start_time_seconds`` does not change at a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from config.alert_settings import AlertSettings
from config.alerts.rule import MINUTE, RecordingRule, Rule, Text

_NAMED: Final = (
    "container_memory_working_set_bytes",
    "container_spec_memory_limit_bytes",
    "container_cpu_usage_seconds_total",
    "container_cpu_cfs_periods_total",
    "container_cpu_cfs_throttled_periods_total",
)
"""What cAdvisor measures and rules or dashboards need by the name of the container."""


def _with_name(series: str) -> RecordingRule:
    # "/docker/<id>", or "/system.slice/docker-<id>.scope" with the systemd cgroup driver, and nothing below: where a
    # container has control groups of its own, two series would get one id, which is an error. Those of removed
    # containers linger for a while: the join leaves them out.
    own = r".*[/-]([0-9a-f]{64})([.]scope)?"
    id_only = f'label_replace({series}{{id=~"{own}"}}, "id", "$1", "id", "{own}")'
    return RecordingRule(
        record=f"matrix:{series}",
        expr=f"sum by (id) ({id_only}) * on (id) group_left (name) max by (id, name) (matrix_container_info)",
        needs=("cadvisor", "facts"),
    )


RECORDED: Final[Sequence[RecordingRule]] = tuple(_with_name(series) for series in _NAMED)


def rules(alerting: AlertSettings) -> Sequence[Rule]:
    """Return the rules of the group ``containers``."""
    return (
        Rule(
            name="ContainerMemoryNearLimit",
            group="containers",
            severity="warning",
            expr=(
                "matrix:container_memory_working_set_bytes / (matrix:container_spec_memory_limit_bytes > 0) "
                f"> {alerting.alert_memory_percent / 100:g}"
            ),
            lasts=5 * MINUTE,
            needs=("cadvisor", "facts"),
            meaning=Text(
                en="A container is close to its memory limit, at which the kernel kills it.",
                zh="容器内存接近上限，达到上限时会被内核终止。",
            ),
            detail="{{ $labels.name }}: {{ $value | humanizePercentage }}",
            action=Text(
                en="If it stays so, the machine is too small for its use: `pulumi config set tier`, `make up`.",
                zh="若持续如此，说明机器规格不足：用 `pulumi config set tier` 选用更大的规格，再执行 `make up`。",
            ),
        ),
        Rule(
            name="ContainerOOMKilled",
            group="containers",
            severity="critical",
            expr="increase(matrix_container_oom_kills_total[10m]) > 0",
            needs=("facts",),
            meaning=Text(
                en="The kernel killed a process of a container that was out of memory.",
                zh="容器内存耗尽，内核终止了其中的进程。",
            ),
            detail="{{ $labels.name }}",
            action=Text(
                en="It has been started again. If it comes back: a larger tier (`pulumi config set tier`, `make up`).",
                zh="容器已自动重启。若再次发生，用 `pulumi config set tier` 选用更大的规格，再执行 `make up`。",
            ),
        ),
        Rule(
            name="ContainerRestartLoop",
            group="containers",
            severity="critical",
            expr="increase(matrix_container_restarts_total[15m]) > 2",
            needs=("facts",),
            meaning=Text(
                en="A container ends again and again shortly after its start.",
                zh="容器启动后不久反复退出。",
            ),
            detail="{{ $labels.name }}",
            action=Text(
                en="`docker logs` of the container says why it ends.",
                zh="用该容器的 `docker logs` 查看退出原因。",
            ),
        ),
        Rule(
            name="ContainerUnhealthy",
            group="containers",
            severity="critical",
            expr="matrix_container_health == 0",
            lasts=3 * MINUTE,
            needs=("facts",),
            meaning=Text(
                en="A container runs, and its health check fails.",
                zh="容器在运行，但健康检查失败。",
            ),
            detail="{{ $labels.name }}",
            action=Text(
                en="`docker logs` of the container says why; the Docker engine does not restart it. `make up` repairs.",
                zh="用该容器的 `docker logs` 查看原因；Docker 不会自动重启它。用 `make up` 修复。",
            ),
        ),
        Rule(
            name="ContainerStateStale",
            group="containers",
            severity="warning",
            expr=(
                "time() - matrix_container_state_timestamp_seconds > 300\n"
                'or (absent(matrix_container_state_timestamp_seconds) unless on () up{job="node"} == 0)'
            ),
            lasts=5 * MINUTE,
            needs=("facts",),
            meaning=Text(
                en="Nobody knows how the containers are: restarts, health and OOM kills are no longer collected.",
                zh="容器状态未知：重启、健康与内存终止信息已停止采集。",
            ),
            action=Text(
                en="`docker logs` of the container of Docker facts says why; `make up` repairs.",
                zh="用采集 Docker 状态的容器的 `docker logs` 查看原因；用 `make up` 修复。",
            ),
        ),
        Rule(
            name="ContainerCPUThrottled",
            group="containers",
            severity="info",
            # The 25 % of kubernetes-mixin.
            expr=(
                "sum by (name) (increase(matrix:container_cpu_cfs_throttled_periods_total[5m]))\n"
                "  / (sum by (name) (increase(matrix:container_cpu_cfs_periods_total[5m])) > 0) > 0.25"
            ),
            lasts=15 * MINUTE,
            needs=("cadvisor", "facts"),
            meaning=Text(
                en="A container often has to wait for its share of the processor.",
                zh="容器经常因处理器配额而等待。",
            ),
            detail="{{ $labels.name }}: {{ $value | humanizePercentage }}",
            action=Text(
                en="Nothing, unless people find it slow: then a larger tier (`pulumi config set tier`, `make up`).",
                zh="若用户未感到缓慢则无需处理；否则用 `pulumi config set tier` 选用更大的规格，再执行 `make up`。",
            ),
        ),
    )
