"""The relay's program, and the file that has the receivers with their addresses and secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.alert_settings import AlertSettings


def render_program() -> str:
    """Return the program that takes Alertmanager's notifications."""
    return (Path(__file__).parent / "relay.py").read_text(encoding="utf-8")


def render_receivers(alerting: AlertSettings, server: str, secrets: Mapping[str, str]) -> str:
    """Return the file with the receivers, which is secret as a whole.

    Args:
        alerting: who is told, and in which language.
        server: which homeserver it is about; messages name it.
        secrets: those that the receivers need, by their keys in the stack's config.

    """
    described: dict[str, dict[str, Any]] = {
        "dingtalk": {"address": "dingtalkAddress", "secret": "dingtalkSecret"},
        "wecom": {"address": "wecomAddress"},
        "feishu": {"address": "feishuAddress", "secret": "feishuSecret"},
        "webhook": {"address": "webhookAddress", "secret": "webhookSecret"},
        "heartbeat": {"address": "heartbeatAddress"},
    }
    receivers: dict[str, dict[str, Any]] = {
        name: {field: secrets[key] for field, key in described[name].items()}
        for name in alerting.alerts
        if name != "smtp"
    }
    if "smtp" in alerting.alerts:
        receivers["smtp"] = {
            "host": alerting.smtp_host,
            "port": alerting.smtp_port,
            "user": alerting.smtp_user,
            "password": secrets.get("smtpPassword", ""),
            "from": alerting.smtp_from,
            "to": list(alerting.smtp_to),
        }
    return json.dumps(
        {"language": alerting.alert_language, "server": server, "receivers": receivers}, ensure_ascii=False
    )
