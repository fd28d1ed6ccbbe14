"""What Prometheus asks, and what the blackbox exporter asks on its behalf. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, final

JobName = Literal[
    "prometheus", "alertmanager", "node", "blackbox", "acme", "cadvisor", "nginx", "redis", "homeserver", "canary"
]
"""The label ``job``, which rules and dashboards select by."""

SCRAPE_INTERVAL: Final = 15
"""Seconds between two scrapes, and between two evaluations of the rules."""


@final
@dataclass(frozen=True, kw_only=True)
class ScrapeJob:
    """A part that tells its metrics over HTTP."""

    name: JobName
    address: str
    """Host name and port on the monitoring network."""
    path: str = "/metrics"
    ids: str = ""
    """Regular expression: only series whose label ``id`` matches it are kept. Empty: all are."""


@final
@dataclass(frozen=True, kw_only=True)
class Probe:
    """A question that is asked again and again, from the network where Nginx and the homeserver are."""

    name: str
    """The label ``probe``."""
    instance: str
    """The label ``instance``: who is asked. Probes of one host share it, since they see one certificate."""
    url: str
    body: str
    """Regular expression that has to match the answer's body."""
    host: str = ""
    """Host name to ask for, and to find in the certificate, where the URL has another."""


LOG_MOUNT: Final = "/log"
LOG_SOCKET: Final = f"{LOG_MOUNT}/nginx.sock"
"""In the containers of Nginx, which writes a line for each answer, and of mtail, which counts them."""

PROMETHEUS_ALIAS: Final = "prometheus"
PROMETHEUS_PORT: Final = 9090
GRAFANA_ALIAS: Final = "grafana"
GRAFANA_PORT: Final = 3000
"""Host names and ports of what people look at, where Docker knows them."""

HOMESERVER_ALIAS: Final = "homeserver"
"""Name of the homeserver on the monitoring network, whichever it is."""

CANARY_PORT: Final = 8082
"""Where the canary tells its metrics, and Nginx whether the stack is well."""
WRITE_SECONDS: Final = 900
"""What the canary wrote and read back longer ago does not count: three attempts should have succeeded since."""
