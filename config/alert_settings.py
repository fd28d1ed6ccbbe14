"""The keys that say what is alerted on, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, final, get_args

from config import alert_parsing, parsing
from config.errors import Problem, problem
from config.keys import key

Receiver = Literal["dingtalk", "wecom", "feishu", "smtp", "webhook", "heartbeat"]
RECEIVERS: Final[tuple[Receiver, ...]] = get_args(Receiver)
SECRETS_OF: Final[Mapping[Receiver, Mapping[str, str]]] = MappingProxyType(
    {
        "dingtalk": {"address": "dingtalkAddress", "secret": "dingtalkSecret"},
        "wecom": {"address": "wecomAddress"},
        "feishu": {"address": "feishuAddress", "secret": "feishuSecret"},
        "webhook": {"address": "webhookAddress", "secret": "webhookSecret"},
        "heartbeat": {"address": "heartbeatAddress"},
        "smtp": {"password": "smtpPassword"},
    }
)
"""What the relay has to know of each receiver, and the secret keys of the config that say it."""


@final
@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """Receivers of alerts, and thresholds where people differ."""

    alerts: tuple[Receiver, ...] = key(alert_parsing.some_of(*RECEIVERS), "")
    """Who is told. ``heartbeat`` is the dead-man's switch: something outside that misses us when we are gone."""
    alert_language: Literal["en", "zh"] = key(parsing.one_of("en", "zh"), "en")
    alert_certificate_days: int = key(parsing.whole_number(1, 60, "days", "14"), "14")
    """Days before the end of a certificate. One for six days is renewed when two are left, so it needs 1."""
    alert_disk_percent: int = key(parsing.whole_number(1, 50, "percent", "15"), "15")
    """Free space of a disk, below which people are told."""
    alert_memory_percent: int = key(parsing.whole_number(50, 99, "percent", "90"), "90")
    """Share of a container's memory limit, above which people are told."""
    alert_error_percent: int = key(parsing.whole_number(1, 100, "percent", "5"), "5")
    """Share of answers with status 500 to 599, above which people are told."""
    alert_time_scale: float = key(alert_parsing.time_scale, "1")
    """Multiplies every duration of rules and notifications, so that tests need not wait as people do."""
    smtp_host: str = key(alert_parsing.optional_host_name, "")
    smtp_port: int = key(parsing.port, "465")
    """465 is TLS from the first byte; at any other port STARTTLS is required."""
    smtp_user: str = key(alert_parsing.mail_user, "")
    smtp_from: str = key(alert_parsing.mail_address, "")
    smtp_to: tuple[str, ...] = key(alert_parsing.mail_addresses, "")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret keys that the receivers need."""
        return tuple(
            key
            for receiver in self.alerts
            for key in SECRETS_OF[receiver].values()
            if key != "smtpPassword" or self.smtp_user
        )


_MAIL: Final = {
    "smtpHost": ("the host name of a mail server", "smtp.example.com"),
    "smtpFrom": ("the address that mail is sent from", "alerts@example.com"),
    "smtpTo": ("the addresses that mail is sent to", "admin@example.com"),
}


def problems(values: Mapping[str, object]) -> list[Problem]:
    """Return what is wrong between the settings; a setting that is wrong itself is not there."""
    receivers = values.get("alerts")
    if not isinstance(receivers, tuple) or not receivers:
        return []
    found = []
    if values.get("monitoring") == "off":
        found.append(problem("monitoring", "off", "lite or full: alerts come from it", "lite"))
    if "smtp" in receivers:
        found += [
            problem(name, "(not set)", f"{expected}, since alerts names smtp", example)
            for name, (expected, example) in _MAIL.items()
            if name in values and not values[name]
        ]
    return found


def tells(receiver: Receiver, values: Mapping[str, object]) -> bool:
    """Return whether a receiver is among those of a stack's settings."""
    receivers = values.get("alerts")
    return isinstance(receivers, tuple) and receiver in receivers
