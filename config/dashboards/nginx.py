"""What goes through Nginx. It is counted from its log, by mtail."""

from __future__ import annotations

from config.dashboards.panel import Dashboard, Limits, Panel, Query
from config.settings import Settings


def nginx(settings: Settings) -> Dashboard:
    """Return the dashboard."""
    errors = settings.alerting.alert_error_percent / 100

    def quantile(share: float) -> Query:
        return Query(
            expr=f"histogram_quantile({share}, "
            "sum by (le) (rate(nginx_http_request_duration_seconds_bucket[$__rate_interval])))",
            legend=f"{share:.0%} are faster",
        )

    return Dashboard(
        name="nginx",
        title="Matrix: Nginx",
        panels=(
            Panel(
                title="How many requests, with which answer?",
                about="By HTTP status. 499: the client did not wait. 502 and 504: the homeserver did not answer.",
                kind="lines",
                unit="reqps",
                queries=[
                    Query(
                        expr="sum by (status) (rate(nginx_http_responses_total[$__rate_interval]))",
                        legend="{{status}}",
                    )
                ],
                needs=("nginx",),
            ),
            Panel(
                title="What share fails with an error of the server?",
                about=f"HTTP 500 to 599. Alerted on above {errors:.0%}.",
                kind="lines",
                unit="percentunit",
                queries=[
                    Query(
                        expr='(sum(rate(nginx_http_responses_total{status=~"5.."}[$__rate_interval])) or vector(0)) '
                        "/ sum(rate(nginx_http_responses_total[$__rate_interval]))",
                        legend="failed",
                    )
                ],
                needs=("nginx",),
                limits=Limits(warning=errors, critical=2 * errors),
            ),
            Panel(
                title="How long do answers take?",
                about="Until the last byte. A client that waits for news (/sync) gets it when there is some, or "
                "after 30 s: the slow ones are no fault.",
                kind="lines",
                unit="s",
                queries=[quantile(0.5), quantile(0.95)],
                needs=("nginx",),
            ),
            Panel(
                title="How much is sent?",
                about="Bodies of answers, by the name that was asked for.",
                kind="lines",
                unit="Bps",
                queries=[
                    Query(
                        expr="sum by (vhost) (rate(nginx_http_response_bytes_total[$__rate_interval]))",
                        legend="{{vhost}}",
                    )
                ],
                needs=("nginx",),
            ),
            Panel(
                title="What do clients do?",
                about="GET reads, PUT and POST write, OPTIONS comes from browsers.",
                kind="lines",
                unit="reqps",
                queries=[
                    Query(
                        expr="sum by (method) (rate(nginx_http_responses_total[$__rate_interval]))",
                        legend="{{method}}",
                    )
                ],
                needs=("nginx",),
            ),
        ),
    )
