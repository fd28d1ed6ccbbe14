"""The containers of the stack, by name."""

from __future__ import annotations

from config.dashboards.panel import Dashboard, Limits, Panel, Query
from config.settings import Settings


def containers(settings: Settings) -> Dashboard:
    """Return the dashboard."""
    near = settings.alerting.alert_memory_percent / 100
    return Dashboard(
        name="containers",
        title="Matrix: containers",
        panels=(
            Panel(
                title="Which containers are well, and since when?",
                about="What their health checks say, as the Docker engine keeps it.",
                kind="states",
                unit="none",
                queries=[Query(expr="matrix_container_health", legend="{{name}}")],
                needs=("facts",),
                answers=("Ill", "Well"),
                width=24,
            ),
            Panel(
                title="How close is each to its memory limit?",
                about=f"At the limit the kernel kills it. Alerted on above {near:.0%}.",
                kind="bars",
                unit="percentunit",
                queries=[
                    Query(
                        expr="sort_desc(matrix:container_memory_working_set_bytes "
                        "/ matrix:container_spec_memory_limit_bytes)",
                        legend="{{name}}",
                    )
                ],
                needs=("cadvisor", "facts"),
                limits=Limits(warning=near, critical=(1 + near) / 2),
            ),
            Panel(
                title="How much memory does each use?",
                about="Without what the kernel could take back at once.",
                kind="lines",
                unit="bytes",
                queries=[Query(expr="matrix:container_memory_working_set_bytes", legend="{{name}}")],
                needs=("cadvisor", "facts"),
            ),
            Panel(
                title="How many processor cores does each use?",
                about="1 is one core, all the time.",
                kind="lines",
                unit="none",
                queries=[
                    Query(
                        expr="sum by (name) (rate(matrix:container_cpu_usage_seconds_total[$__rate_interval]))",
                        legend="{{name}}",
                    )
                ],
                needs=("cadvisor", "facts"),
            ),
            Panel(
                title="Who has to wait for its share of the processor?",
                about="Share of the tenths of a second in which it had used up its share. People notice it at the "
                "homeserver and Nginx only.",
                kind="lines",
                unit="percentunit",
                queries=[
                    Query(
                        expr="sum by (name) (rate(matrix:container_cpu_cfs_throttled_periods_total[$__rate_interval])) "
                        "/ (sum by (name) (rate(matrix:container_cpu_cfs_periods_total[$__rate_interval])) > 0)",
                        legend="{{name}}",
                    )
                ],
                needs=("cadvisor", "facts"),
            ),
            Panel(
                title="Who was started again in this time?",
                about="By the Docker engine, after it had ended.",
                kind="bars",
                unit="none",
                queries=[
                    Query(
                        expr="sort_desc(round(increase(matrix_container_restarts_total[$__range])))", legend="{{name}}"
                    )
                ],
                needs=("facts",),
                limits=Limits(warning=1, critical=3),
            ),
            Panel(
                title="Who ran out of memory in this time?",
                about="Processes that the kernel killed, by the container they were in.",
                kind="bars",
                unit="none",
                queries=[
                    Query(
                        expr="sort_desc(round(increase(matrix_container_oom_kills_total[$__range])))", legend="{{name}}"
                    )
                ],
                needs=("facts",),
                limits=Limits(warning=1, critical=1),
            ),
        ),
    )
