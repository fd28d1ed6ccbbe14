"""The first page: is it up, for whom, how fast, how full."""

from __future__ import annotations

from config.alerts.rule import HOUR
from config.dashboards.panel import Dashboard, Limits, Panel, Query
from config.settings import Settings

DISK_USED = 'max by (device) (1 - node_filesystem_avail_bytes{mountpoint=~"/fs/.+"} / node_filesystem_size_bytes)'
"""One value a disk, as in the rules: several volumes lie on one."""
MEMORY_USED = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"

_DAY = 24 * HOUR


def overview(settings: Settings) -> Dashboard:
    """Return the dashboard. There is no panel on backups, since there are none yet."""
    alerting = settings.alerting
    days = alerting.alert_certificate_days
    full = 1 - alerting.alert_disk_percent / 100
    return Dashboard(
        name="overview",
        title="Matrix: overview",
        panels=(
            Panel(
                title="Do people get an answer?",
                about="Asked as a client asks, through Nginx, with the certificate checked.",
                kind="number",
                unit="none",
                queries=[Query(expr='probe_success{probe="matrix_client"}')],
                answers=("No", "Yes"),
                width=4,
            ),
            Panel(
                title="Can they write?",
                about="Whether the last test message was sent and read back.",
                kind="number",
                unit="none",
                queries=[Query(expr="matrix_canary_success")],
                needs=("canary",),
                answers=("No", "Yes"),
                width=4,
            ),
            Panel(
                title="Do other homeservers get an answer?",
                about="Asked as another homeserver asks, at the federation port.",
                kind="number",
                unit="none",
                queries=[Query(expr='probe_success{probe="matrix_federation"}')],
                needs=("federation",),
                answers=("No", "Yes"),
                width=4,
            ),
            Panel(
                title="How many alerts fire?",
                about="Without the Watchdog. The link Alerts leads to their list; docs/alerts.md says what to do.",
                kind="number",
                unit="none",
                queries=[Query(expr='count(ALERTS{alertstate="firing", severity!="none"}) or vector(0)')],
                limits=Limits(warning=1, critical=3),
                width=4,
            ),
            Panel(
                title="How long is the certificate valid?",
                about=f"Of the certificates that are served, the one that ends first. Alerted on below {days} days.",
                kind="number",
                unit="s",
                queries=[Query(expr="min(last_over_time(probe_ssl_earliest_cert_expiry[15m])) - time()")],
                limits=Limits(warning=days * _DAY, critical=days * _DAY / 2),
                width=4,
            ),
            Panel(
                title="How full is the fullest disk?",
                about=f"Of the disks with the stack's data and the system. Alerted on above {full:.0%}.",
                kind="number",
                unit="percentunit",
                queries=[Query(expr=f"max({DISK_USED})")],
                limits=Limits(warning=full, critical=(1 + full) / 2),
                width=4,
            ),
            Panel(
                title="Who got an answer, and when?",
                about="Asked every 15 seconds. Where matrix_client fails and matrix_client_internal does not, the "
                "fault is at Nginx or its certificate.",
                kind="states",
                unit="none",
                queries=[Query(expr="probe_success", legend="{{probe}}")],
                answers=("No", "Yes"),
            ),
            Panel(
                title="How long does an answer take?",
                about="To the smallest question there is, with and without Nginx and TLS.",
                kind="lines",
                unit="s",
                queries=[
                    Query(expr='probe_duration_seconds{probe="matrix_client"}', legend="through Nginx"),
                    Query(expr='probe_duration_seconds{probe="matrix_client_internal"}', legend="homeserver alone"),
                ],
            ),
            Panel(
                title="How long does it take to write a message and read it back?",
                about="Of the test message that is sent every five minutes.",
                kind="lines",
                unit="s",
                queries=[Query(expr="matrix_canary_duration_seconds", legend="test message")],
                needs=("canary",),
            ),
            Panel(
                title="How much is asked, and how much of it fails?",
                about="Nginx' answers; those that fail are the ones with an error of the server (HTTP 500 to 599).",
                kind="lines",
                unit="reqps",
                queries=[
                    Query(expr="sum(rate(nginx_http_responses_total[$__rate_interval]))", legend="all"),
                    Query(
                        expr='sum(rate(nginx_http_responses_total{status=~"5.."}[$__rate_interval])) or vector(0)',
                        legend="failed",
                    ),
                ],
                needs=("nginx",),
            ),
            Panel(
                title="How full are disks and memory?",
                about="Memory that the system could give away at once counts as free.",
                kind="lines",
                unit="percentunit",
                queries=[Query(expr=DISK_USED, legend="{{device}}"), Query(expr=MEMORY_USED, legend="memory")],
            ),
            Panel(
                title="How much of this time did people get an answer?",
                about="Share of the questions of a client that were answered in the time that is being looked at.",
                kind="number",
                unit="percentunit",
                queries=[Query(expr='avg_over_time(probe_success{probe="matrix_client"}[$__range])')],
                limits=Limits(warning=0.999, critical=0.99),
            ),
        ),
    )
