"""Alert rules on the machine, and on the monitoring itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from config.alert_settings import AlertSettings
from config.alerts.rule import HOUR, MINUTE, Rule, Text

_WATCHED: Final = 'mountpoint=~"/fs/.+"'
"""The node exporter has each watched volume there, read-only: so ``node_filesystem_readonly`` says nothing."""
_FREE: Final = f"min by (device) (node_filesystem_avail_bytes{{{_WATCHED}}} / node_filesystem_size_bytes{{{_WATCHED}}})"
"""One value a disk: several volumes lie on one, and one message is enough."""


def rules(alerting: AlertSettings) -> Sequence[Rule]:
    """Return the rules of the groups ``host`` and ``meta``."""
    return (
        Rule(
            name="HostOOMKill",
            # Evaluated together with ContainerOOMKilled, which keeps quiet about it.
            group="containers",
            severity="critical",
            # It also counts processes that are no business of the stack.
            expr="increase(node_vmstat_oom_kill[10m]) > 0",
            # Docker facts tell of the same kill up to half a minute later.
            lasts=1 * MINUTE,
            needs=("node",),
            meaning=Text(
                en="The kernel killed a process because memory ran out, in a container or on the whole machine.",
                zh="因内存耗尽（容器或整机），内核终止了某个进程。",
            ),
            action=Text(
                en="`journalctl -k` on the machine names it. If it comes back, choose a larger `tier`.",
                zh="在机器上用 `journalctl -k` 查看是哪个进程。若再次发生，请选用更大的 `tier`。",
            ),
        ),
        Rule(
            name="DiskSpaceLow",
            group="host",
            severity="warning",
            expr=f"{_FREE} < {alerting.alert_disk_percent / 100:g}",
            lasts=10 * MINUTE,
            needs=("node",),
            meaning=Text(
                en="A disk of the stack is nearly full. On a full one the homeserver stops writing.",
                zh="磁盘空间即将用尽。磁盘写满后主服务器将停止写入。",
            ),
            detail="{{ $labels.device }}: {{ $value | humanizePercentage }}",
            action=Text(
                en="Make room (`docker system df` says what Docker holds) or grow the disk (`dataDiskSize` on Aliyun).",
                zh="清理空间（`docker system df` 显示 Docker 占用），或扩容磁盘（阿里云上为 `dataDiskSize`）。",
            ),
        ),
        Rule(
            name="DiskFillsWithin24h",
            group="host",
            severity="warning",
            # node-mixin: below 40 % free, and the straight line through six hours ends at nothing within a day.
            expr=(
                f"{_FREE} < 0.4\n"
                f"and min by (device) (predict_linear(node_filesystem_avail_bytes{{{_WATCHED}}}[6h], 24 * 3600)) < 0"
            ),
            lasts=1 * HOUR,
            needs=("node",),
            meaning=Text(
                en="At the speed of the last six hours a disk of the stack is full within a day.",
                zh="按最近六小时的速度，磁盘将在一天内写满。",
            ),
            detail="{{ $labels.device }}: {{ $value | humanizePercentage }}",
            action=Text(
                en="Find out what grows (`docker system df -v`); make room or grow the disk before it is full.",
                zh="在影响主服务器之前查明增长来源（`docker system df -v`）；清理空间或扩容磁盘。",
            ),
        ),
        Rule(
            name="CPUStealHigh",
            group="host",
            severity="info",
            expr='avg by (instance) (rate(node_cpu_seconds_total{mode="steal"}[5m])) > 0.1',
            lasts=15 * MINUTE,
            needs=("node",),
            meaning=Text(
                en="The machine gets less processor time than it asks for: its neighbours, or spent credits.",
                zh="机器获得的处理器时间少于所需：受邻居影响，或积分已用尽。",
            ),
            detail="{{ $value | humanizePercentage }}",
            action=Text(
                en="If it lasts for days: a type that shares none (`pulumi config set instanceType`, `make up`).",
                zh="若持续数日，用 `pulumi config set instanceType` 选用不共享处理器的实例规格，再执行 `make up`。",
            ),
        ),
        Rule(
            name="TargetDown",
            group="meta",
            severity="warning",
            expr="up == 0",
            lasts=2 * MINUTE,
            # The health check of what answers again takes a little longer to pass.
            keeps=1 * MINUTE,
            needs=(),
            meaning=Text(
                en="A part of the monitoring does not answer: what it measures is not known.",
                zh="监控的某一部分没有应答：其所测指标未知。",
            ),
            detail="{{ $labels.job }}{{ with $labels.probe }} {{ . }}{{ end }} ({{ $labels.instance }})",
            action=Text(
                en="`docker logs` of that container says why; `make up` repairs.",
                zh="用该容器的 `docker logs` 查看原因；用 `make up` 修复。",
            ),
        ),
        Rule(
            name="NotificationsFailing",
            group="meta",
            severity="warning",
            # Alertmanager 0.26 and newer has a series for each reason: one receiver can fail for several of them.
            expr="sum without (reason) (increase(alertmanager_notifications_failed_total[15m])) > 0",
            needs=("alertmanager",),
            meaning=Text(
                en="One of the receivers of alerts could not be told.",
                zh="某个告警接收方未能收到通知。",
            ),
            action=Text(
                en="`docker logs` of alert-relay names the receiver and its answer; correct its address or secret.",
                zh="用 alert-relay 容器的 `docker logs` 查看接收方及其应答；更正其地址或密钥。",
            ),
        ),
        Rule(
            name="Watchdog",
            group="meta",
            severity="none",
            expr="vector(1)",
            needs=("alertmanager",),
            meaning=Text(
                en="Always fires. It is what the dead-man's switch waits for, and goes to nobody else.",
                zh="始终触发，仅用于失联检测（心跳），不发送给其他接收方。",
            ),
            action=Text(
                en="When it stops coming, the machine, Prometheus or Alertmanager is down, or cut off.",
                zh="若心跳停止，说明机器、Prometheus 或 Alertmanager 停止或断网。",
            ),
        ),
    )
