"""The relay's program, and the file that has the receivers with their addresses and secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from config.alert_settings import SECRETS_OF, AlertSettings


def render_receivers(alerting: AlertSettings, server: str, secrets: Mapping[str, str]) -> str:
    """Return the file with the receivers, which is secret as a whole.

    Args:
        alerting: who is told, and in which language.
        server: which homeserver it is about; messages name it.
        secrets: those that the receivers need, by their keys in the stack's config.

    """
    receivers: dict[str, dict[str, Any]] = {
        # A mail server that nobody logs in to has no password.
        receiver: {field: secrets.get(key, "") for field, key in SECRETS_OF[receiver].items()}
        for receiver in alerting.alerts
    }
    if "smtp" in receivers:
        receivers["smtp"] |= {
            "host": alerting.smtp_host,
            "port": alerting.smtp_port,
            "user": alerting.smtp_user,
            "from": alerting.smtp_from,
            "to": list(alerting.smtp_to),
        }
    return json.dumps(
        {"language": alerting.alert_language, "server": server, "receivers": receivers}, ensure_ascii=False
    )
