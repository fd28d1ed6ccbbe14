"""Alertmanager's config file and command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from components.templates import render
from config.alert_settings import Receiver
from config.alerts import INHIBITIONS, Severity
from config.alerts.rule import HOUR, MINUTE, SECOND


@final
@dataclass(frozen=True, kw_only=True)
class Route:
    """How soon and how often people are told of alerts of one severity; seconds."""

    severity: Severity
    wait: int
    """For more alerts of the same name, before the first message."""
    interval: int
    """Between two messages on alerts of the same name, when something has changed."""
    repeat: int
    """Until people are told again of what has not changed."""


ROUTES: Final[Sequence[Route]] = (
    Route(severity="critical", wait=10 * SECOND, interval=1 * MINUTE, repeat=4 * HOUR),
    Route(severity="warning", wait=30 * SECOND, interval=5 * MINUTE, repeat=12 * HOUR),
    Route(severity="info", wait=5 * MINUTE, interval=15 * MINUTE, repeat=24 * HOUR),
)
"""Every message counts against the 20 a minute that a bot may send."""
WATCHDOG: Final = (0, 1 * MINUTE, 5 * MINUTE)
"""The same of the Watchdog. An interval of five minutes would now and then make ten of the five between two beats."""


@final
@dataclass(frozen=True, kw_only=True)
class AlertmanagerConfig:
    """What differs between stacks."""

    port: int
    relay: str
    """Host name and port; empty: nobody is told of anything."""
    receivers: Sequence[Receiver]
    time_scale: float
    """Multiplies every duration."""


def render_files(config: AlertmanagerConfig) -> Mapping[str, str]:
    """Return the files of the config volume."""
    text = render(
        "alertmanager",
        "alertmanager.yml",
        relay=config.relay,
        people=[each for each in config.receivers if each != "heartbeat"],
        heartbeat="heartbeat" in config.receivers,
        watchdog=[_duration(seconds, config.time_scale) for seconds in WATCHDOG],
        routes=[
            {
                "severity": route.severity,
                **{
                    name: _duration(seconds, config.time_scale)
                    for name, seconds in (("wait", route.wait), ("interval", route.interval), ("repeat", route.repeat))
                },
            }
            for route in ROUTES
        ],
        inhibitions=INHIBITIONS,
    )
    return {"alertmanager.yml": text}


def _duration(seconds: int, scale: float) -> str:
    # Zero is refused for anything but the wait.
    return f"{max(round(seconds * scale), min(seconds, 1))}s"


def render_command(config: AlertmanagerConfig, config_folder: str, data_folder: str) -> Sequence[str]:
    """Return Alertmanager's arguments."""
    return [
        f"--config.file={config_folder}/alertmanager.yml",
        f"--storage.path={data_folder}",
        f"--web.listen-address=:{config.port}",
        # There is one of it: nobody to agree with.
        "--cluster.listen-address=",
    ]
