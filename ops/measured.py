"""What Prometheus has measured of a stack, in a few checks: parts, alerts, disks, the last write.

It is asked inside its container: it listens on the loopback interface of the Docker engine's machine, which may be
another one, and the Docker API is there already.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final
from urllib.parse import quote

from docker.errors import APIError
from docker.models.containers import Container

from components.container import BUSYBOX
from config.alerts import all_rules
from config.project import PROJECT
from config.scraping import PROMETHEUS_PORT, WRITE_SECONDS
from config.settings import Settings
from ops import engine
from ops.check import Check
from toolchain.steps import StepFailed

_SERIES: Final = (
    "up",
    "ALERTS",
    "matrix_canary_success",
    "matrix_canary_timestamp_seconds",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
)
_GIB: Final = 1 << 30
_CONTAINERS: Final[Mapping[str, str]] = {
    "node": "node-exporter",
    "blackbox": "blackbox-exporter",
    "nginx": "mtail",
    "redis": "redis-exporter",
}
"""Where the container is not called as the job that asks it."""
_WHICH: Final = ("name", "mountpoint", "vhost", "probe", "job", "integration", "instance")
"""Labels that tell which one an alert is about; the first that is there is enough."""


@final
@dataclass(frozen=True, kw_only=True)
class Sample:
    """The value of one series now."""

    name: str
    labels: Mapping[str, str]
    value: float
    at: float
    """Seconds since 1970, by the clock of Prometheus' machine."""


def ask(prometheus: Container) -> Sequence[Sample] | None:
    """Return the samples that the checks are made of; None: Prometheus does not answer."""
    query = quote(f'{{__name__=~"{"|".join(_SERIES)}"}}')
    url = f"http://127.0.0.1:{PROMETHEUS_PORT}/api/v1/query?query={query}"
    try:
        # Without `wget -T`: with it, Debian's static busybox crashes.
        code, output = engine.execute(prometheus, [BUSYBOX, "wget", "-q", "-O", "-", url])
        return parse(output) if code == 0 else None
    except (APIError, OSError, ValueError, StepFailed):  # it does not run, or says something else
        return None


def parse(answer: str) -> Sequence[Sample]:
    """Return the samples of an answer of Prometheus' API; raises ValueError for anything else."""
    try:
        return [
            Sample(
                name=each["metric"]["__name__"],
                labels=each["metric"],
                at=float(each["value"][0]),
                value=float(each["value"][1]),
            )
            for each in json.loads(answer)["data"]["result"]
        ]
    except (KeyError, TypeError) as error:
        raise ValueError("no answer of Prometheus") from error


def checks(samples: Sequence[Sample] | None, settings: Settings) -> list[Check]:
    """Return the checks of a monitored stack.

    Args:
        samples: as :func:`ask` returns them.
        settings: of the stack.

    """
    if samples is None:
        return [
            Check(
                kind="monitoring",
                what="monitoring",
                works=False,
                seen="Prometheus does not answer: nothing that it measures is known",
                remedy=f"docker logs {_container(settings, 'prometheus')}; make up STACK={settings.stack}",
            )
        ]
    found = [_parts(samples, settings), *_alerts(samples, settings), _disks(samples, settings)]
    if settings.canary:
        found.append(_writes(samples, settings))
    return found


def _named(samples: Iterable[Sample], name: str) -> list[Sample]:
    return [each for each in samples if each.name == name]


def _container(settings: Settings, name: str) -> str:
    return f"{PROJECT}-{settings.stack}-{name}"


def _parts(samples: Sequence[Sample], settings: Settings) -> Check:
    """Return whether everything answers that Prometheus asks."""
    asked = {each.labels["job"] for each in _named(samples, "up")}
    down = sorted({each.labels["job"] for each in _named(samples, "up") if not each.value})
    names = {**_CONTAINERS, "homeserver": settings.homeserver}
    first = names.get(down[0], down[0]) if down else "prometheus"
    return Check(
        kind="monitoring",
        what="measured",
        works=bool(asked) and not down,
        seen=f"{', '.join(down)}: no answer" if down else f"{len(asked)} parts answer",
        remedy=f"docker logs {_container(settings, first)}; make up STACK={settings.stack}",
    )


def _alerts(samples: Sequence[Sample], settings: Settings) -> list[Check]:
    """Return a check for each alert that fires."""
    firing: dict[str, list[Sample]] = {}
    for each in _named(samples, "ALERTS"):
        if each.labels["alertstate"] == "firing":
            firing.setdefault(each.labels["alertname"], []).append(each)
    # It always fires, and nobody is told of it.
    if not firing.pop("Watchdog", None):
        seen = "the rules have not been evaluated yet"
        wait = f"make status STACK={settings.stack} again in half a minute"
        return [Check(kind="monitoring", what="alerts", works=False, seen=seen, remedy=wait, matters=False)]
    if not firing:
        return [Check(kind="monitoring", what="alerts", works=True, seen="none fires")]
    rules = {rule.name: rule for rule in all_rules(settings)}
    found = []
    for name, alerts in sorted(firing.items()):
        which = sorted({label for each in alerts if (label := _which(each.labels))})
        rule = rules.get(name)  # None: of another version of this project
        found.append(
            Check(
                kind="alert",
                what=name,
                works=False,
                seen=(rule.meaning.en if rule else "fires") + (f" ({', '.join(which)})" if which else ""),
                remedy=rule.action.en if rule else f"make up STACK={settings.stack}",
                matters=any(each.labels.get("severity") == "critical" for each in alerts),
            )
        )
    return sorted(found, key=lambda check: not check.matters)


def _which(labels: Mapping[str, str]) -> str:
    return next((labels[name] for name in _WHICH if name in labels), "")


def _disks(samples: Sequence[Sample], settings: Settings) -> Check:
    """Return how much room the disks have: the data's, and the system's."""
    sizes = {each.labels["mountpoint"]: each.value for each in _named(samples, "node_filesystem_size_bytes")}
    free = {each.labels["mountpoint"]: each.value for each in _named(samples, "node_filesystem_avail_bytes")}
    shares = {mount: free[mount] / size for mount, size in sizes.items() if size and mount in free}
    told = [
        f"{mount.rpartition('/')[2]} {share:.0%} free ({free[mount] / _GIB:.1f} GiB)"
        for mount, share in sorted(shares.items())
    ]
    return Check(
        kind="monitoring",
        what="disk",
        works=bool(shares) and min(shares.values()) * 100 >= settings.alerting.alert_disk_percent,
        seen=", ".join(told) or "not known",
        remedy="docker system df, docker image prune"
        if told
        else f"docker logs {_container(settings, 'node-exporter')}",
        matters=False,
    )


def _writes(samples: Sequence[Sample], settings: Settings) -> Check:
    """Return when a message was last written and read back."""
    success = [each.value for each in _named(samples, "matrix_canary_success")]
    ages = [each.at - each.value for each in _named(samples, "matrix_canary_timestamp_seconds")]
    seen = f"a message was read back {min(ages):.0f} s ago" if ages else "no message was read back yet"
    if success and not min(success):
        seen = f"the last attempt failed; {seen}"
    return Check(
        kind="monitoring",
        what="writes",
        works=bool(success and ages) and bool(min(success)) and min(ages) <= WRITE_SECONDS,
        seen=seen,
        remedy=f"docker logs {_container(settings, 'canary')}; df -h; "
        f"docker restart {_container(settings, settings.homeserver)}",
    )
