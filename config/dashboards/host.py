"""The machine. Its network is not there: the node exporter sees its own container's only."""

from __future__ import annotations

from config.dashboards.overview import DISK_USED, MEMORY_USED
from config.dashboards.panel import Dashboard, Limits, Panel, Query
from config.settings import Settings


def host(settings: Settings) -> Dashboard:
    """Return the dashboard."""
    full = 1 - settings.alerting.alert_disk_percent / 100
    return Dashboard(
        name="host",
        title="Matrix: host",
        panels=(
            Panel(
                title="What do the processors do?",
                about="Share of all of them. iowait: they wait for a disk. steal: the machine's neighbours have them.",
                kind="lines",
                unit="percentunit",
                queries=[
                    Query(
                        expr='sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[$__rate_interval])) '
                        '/ scalar(count(node_cpu_seconds_total{mode="idle"}))',
                        legend="{{mode}}",
                    )
                ],
            ),
            Panel(
                title="How many wait for a processor or a disk?",
                about="Load, averaged over five minutes, for each processor core; above 1 something waits.",
                kind="lines",
                unit="none",
                queries=[
                    Query(
                        expr='node_load5 / scalar(count(node_cpu_seconds_total{mode="idle"}))',
                        legend="load for each core",
                    )
                ],
            ),
            Panel(
                title="How much memory is used?",
                about="Memory that the system could give away at once counts as free.",
                kind="lines",
                unit="percentunit",
                queries=[Query(expr=MEMORY_USED, legend="memory")],
            ),
            Panel(
                title="How full are the disks?",
                about=f"Those with the stack's data and the system. Alerted on above {full:.0%}.",
                kind="lines",
                unit="percentunit",
                queries=[Query(expr=DISK_USED, legend="{{device}}")],
                limits=Limits(warning=full, critical=(1 + full) / 2),
            ),
            Panel(
                title="How much is read and written?",
                about="By disk of the machine.",
                kind="lines",
                unit="Bps",
                queries=[
                    Query(
                        expr="sum by (device) (rate(node_disk_read_bytes_total[$__rate_interval]))",
                        legend="{{device}} read",
                    ),
                    Query(
                        expr="sum by (device) (rate(node_disk_written_bytes_total[$__rate_interval]))",
                        legend="{{device}} written",
                    ),
                ],
            ),
            Panel(
                title="How busy are the disks?",
                about="Share of the time in which a disk had something to do.",
                kind="lines",
                unit="percentunit",
                queries=[
                    Query(
                        expr="sum by (device) (rate(node_disk_io_time_seconds_total[$__rate_interval]))",
                        legend="{{device}}",
                    )
                ],
            ),
            Panel(
                title="How many processes were killed for want of memory in this time?",
                about="On the whole machine, also such as have nothing to do with the stack.",
                kind="number",
                unit="none",
                queries=[Query(expr="round(increase(node_vmstat_oom_kill[$__range]))")],
                limits=Limits(warning=1, critical=1),
            ),
        ),
    )
