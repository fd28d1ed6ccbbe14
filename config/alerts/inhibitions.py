"""Which alert keeps quiet about which other: one fault is one notification, or a few that each say something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final


@final
@dataclass(frozen=True, kw_only=True)
class Inhibition:
    """While ``source`` fires, nobody is told of the targets."""

    source: str
    """Name of an alert."""
    targets: tuple[str, ...]
    """Names of alerts."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Labels of the targets with regular expressions that match them whole."""
    equal: tuple[str, ...] = ()
    """Labels that source and target have in common."""
    because: str


INHIBITIONS: Final[Sequence[Inhibition]] = (
    Inhibition(
        source="HomeserverDown",
        targets=("FederationEndpointDown", "HomeserverWriteProbeFailing", "HighErrorRatio5xx"),
        because="what does not answer at all fails everything else too",
    ),
    Inhibition(
        source="HomeserverDown",
        targets=("TargetDown",),
        where={"job": "homeserver"},
        because="the homeserver's own metrics are gone with it",
    ),
    Inhibition(
        source="HomeserverDown",
        targets=("ContainerUnhealthy",),
        where={"name": ".+-(conduit|synapse|dendrite|nginx)"},
        because="the health check asks what the probe asks",
    ),
    Inhibition(
        source="RedisDown",
        targets=("ContainerUnhealthy",),
        where={"name": ".+-redis"},
        because="the health check asks what the exporter asks",
    ),
    Inhibition(
        source="TargetDown",
        targets=("ContainerUnhealthy",),
        where={"name": ".+-(acme|prometheus|alertmanager|canary|cadvisor|mtail|.+-exporter)"},
        because="a part of the monitoring that is ill does not answer either",
    ),
    Inhibition(
        source="ContainerOOMKilled",
        targets=("HostOOMKill",),
        because="the machine counts the same kill",
    ),
    Inhibition(
        source="ContainerOOMKilled",
        targets=("ContainerMemoryNearLimit", "ContainerRestartLoop", "ContainerUnhealthy"),
        equal=("name",),
        because="they have the same cause and the same remedy",
    ),
    Inhibition(
        source="ContainerRestartLoop",
        targets=("ContainerUnhealthy",),
        equal=("name",),
        because="what ends again and again is never healthy",
    ),
    Inhibition(
        source="DiskSpaceLow",
        targets=("DiskFillsWithin24h",),
        equal=("device",),
        because="the remedy is the same",
    ),
)
