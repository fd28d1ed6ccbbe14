"""Prometheus' config files and command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final
from urllib.parse import urlsplit

from components.templates import render
from config.scraping import SCRAPE_INTERVAL, Probe, ScrapeJob


@final
@dataclass(frozen=True, kw_only=True)
class PrometheusConfig:
    """What differs between stacks."""

    port: int
    url: str
    """Where people open it: the links in notifications lead there."""
    stack: str
    jobs: Sequence[ScrapeJob]
    probes: Sequence[Probe]
    blackbox: str
    """Host name and port of the blackbox exporter."""
    alertmanager: str
    """Host name and port; empty: there is none."""
    rules: str
    """Text of the file with the rules."""
    days: int
    size: int
    """MiB of disk for what is kept. The oldest goes first, when it is too old or too much."""


def render_files(config: PrometheusConfig) -> Mapping[str, str]:
    """Return the files of the config volume."""
    text = render(
        "prometheus",
        "prometheus.yml",
        interval=SCRAPE_INTERVAL,
        stack=config.stack,
        jobs=config.jobs,
        probes=config.probes,
        blackbox=config.blackbox,
        alertmanager=config.alertmanager,
    )
    return {"prometheus.yml": text, "rules.yml": config.rules}


def render_command(config: PrometheusConfig, config_folder: str, data_folder: str) -> Sequence[str]:
    """Return Prometheus' arguments."""
    return [
        f"--config.file={config_folder}/prometheus.yml",
        f"--storage.tsdb.path={data_folder}",
        f"--storage.tsdb.retention.time={config.days}d",
        f"--storage.tsdb.retention.size={config.size}MB",
        f"--web.listen-address=0.0.0.0:{config.port}",
        f"--web.external-url={config.url}",
        # What is below that is Nginx' matter: on loopback, and for Prometheus itself, everything stays where it is.
        *(["--web.route-prefix=/"] if urlsplit(config.url).path else []),
        # One question cannot take all memory: the process would be killed, and with it the alerts.
        "--query.max-concurrency=4",
        "--query.max-samples=2000000",
        "--query.timeout=30s",
    ]
