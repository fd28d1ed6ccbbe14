"""The secret keys of a stack's config: which of them it needs, and what they have to look like."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

import pulumi

from config import acme, alert_parsing, calls, parsing
from config.alert_settings import Receiver, tells
from config.errors import Problem
from config.homeservers import HOMESERVERS
from config.project import PROJECT

_Condition = Callable[[Mapping[str, object]], bool]


def _on_synapse(values: Mapping[str, object]) -> bool:
    return values.get("homeserver") == "synapse"


def _on_dendrite(values: Mapping[str, object]) -> bool:
    return values.get("homeserver") == "dendrite"


def has_canary(values: Mapping[str, object]) -> bool:
    """Return whether an account of the monitoring writes and reads."""
    may_register = values.get("homeserver") != "conduit" or registers_by_token(values)
    return values.get("monitoring") == "full" and may_register


def has_grafana(values: Mapping[str, object]) -> bool:
    """Return whether Grafana runs."""
    # There is no package of it.
    return values.get("monitoring") == "full" and values.get("imageSource") == "registry"


def shows_dashboards_over_https(values: Mapping[str, object]) -> bool:
    """Return whether Nginx shows Prometheus and Grafana to who has the password."""
    return values.get("dashboards") == "https" and values.get("monitoring") in {"lite", "full"}


def registers_by_token(values: Mapping[str, object]) -> bool:
    """Return whether who has the registration token can make an account."""
    facts = next((facts for name, facts in HOMESERVERS.items() if name == values.get("homeserver")), None)
    return values.get("registration") == "token" and (facts is None or facts.registers_by_token)


def _tells(receiver: Receiver) -> _Condition:
    return lambda values: tells(receiver, values)


def _logs_in_to_mail_server(values: Mapping[str, object]) -> bool:
    return tells("smtp", values) and bool(values.get("smtpUser"))


@final
@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """One secret key of the config, and for which settings a stack needs it."""

    parse: Callable[[str], str]
    needed: _Condition
    placeholder: str = ""
    """What stands in for it in a preview without secrets. Unless it is empty the secret comes from somebody else, and
    `make secrets` cannot make it."""


SECRET_KEYS: Final[Mapping[str, SecretKey]] = MappingProxyType(
    {
        "registrationToken": SecretKey(parse=parsing.registration_token, needed=registers_by_token),
        "redisPassword": SecretKey(parse=parsing.secret, needed=lambda values: values.get("redis") is True),
        "synapseRegistrationSecret": SecretKey(parse=parsing.secret, needed=_on_synapse),
        "synapseMacaroonSecret": SecretKey(parse=parsing.secret, needed=_on_synapse),
        "synapseFormSecret": SecretKey(parse=parsing.secret, needed=_on_synapse),
        "synapseRegistrarPassword": SecretKey(parse=parsing.secret, needed=_on_synapse),
        "dendriteRegistrationSecret": SecretKey(parse=parsing.secret, needed=_on_dendrite),
        "turnSecret": SecretKey(parse=parsing.secret, needed=calls.needs_secret),
        "canaryPassword": SecretKey(parse=parsing.secret, needed=has_canary),
        "alidnsAccessKey": SecretKey(
            parse=acme.id_and_secret,
            needed=lambda values: values.get("certificates") == "acme-dns",
            placeholder="placeholder:alidns",
        ),
        "acmeBinding": SecretKey(parse=acme.id_and_secret, needed=lambda _: False, placeholder="placeholder:binding"),
        "dashboardsPassword": SecretKey(parse=parsing.secret, needed=shows_dashboards_over_https),
        "grafanaAdminPassword": SecretKey(parse=parsing.secret, needed=has_grafana),
        "grafanaSecretKey": SecretKey(parse=parsing.secret, needed=has_grafana),
        "dingtalkAddress": SecretKey(
            parse=alert_parsing.DINGTALK,
            needed=_tells("dingtalk"),
            placeholder="https://placeholder.invalid/robot/send?access_token=dingtalk",
        ),
        "dingtalkSecret": SecretKey(
            parse=alert_parsing.signing_secret, needed=_tells("dingtalk"), placeholder="placeholder-dingtalk"
        ),
        "wecomAddress": SecretKey(
            parse=alert_parsing.WECOM,
            needed=_tells("wecom"),
            placeholder="https://placeholder.invalid/cgi-bin/webhook/send?key=wecom",
        ),
        "feishuAddress": SecretKey(
            parse=alert_parsing.FEISHU,
            needed=_tells("feishu"),
            placeholder="https://placeholder.invalid/open-apis/bot/v2/hook/feishu",
        ),
        "feishuSecret": SecretKey(
            parse=alert_parsing.signing_secret, needed=_tells("feishu"), placeholder="placeholder-feishu"
        ),
        "webhookAddress": SecretKey(
            parse=alert_parsing.any_address,
            needed=_tells("webhook"),
            placeholder="https://placeholder.invalid/webhook",
        ),
        "webhookSecret": SecretKey(parse=parsing.secret, needed=_tells("webhook")),
        "heartbeatAddress": SecretKey(
            parse=alert_parsing.any_address,
            needed=_tells("heartbeat"),
            placeholder="https://placeholder.invalid/heartbeat",
        ),
        "smtpPassword": SecretKey(
            parse=alert_parsing.mail_password, needed=_logs_in_to_mail_server, placeholder="placeholder-smtp"
        ),
    },
)


def problems(
    stack: str, texts: Mapping[str, str], sealed: Collection[str], values: Mapping[str, object]
) -> list[Problem]:
    """Return what is wrong with the secrets of a stack: texts of its keys, those that are encrypted, other values."""
    found = []
    for name, each in SECRET_KEYS.items():
        text = texts.get(name, "")
        full_name = f"{PROJECT}:{name}"
        if not text:
            if each.needed(values):
                found.append(_missing_secret(stack, name, each))
            continue
        if name not in sealed:
            found.append(
                Problem(
                    key=full_name,
                    value="(stands in clear in the stack's file)",
                    expected="an encrypted value",
                    remedy=f"take it out of the file and out of git's history, then: pulumi config set --secret {name}",
                )
            )
        try:
            each.parse(text)
        except parsing.UnacceptableError as error:
            found.append(
                Problem(
                    key=full_name,
                    value="(secret, not shown)",
                    expected=error.expected,
                    remedy=f"pulumi config set --secret {name}",
                )
            )
    return found


def _missing_secret(stack: str, name: str, each: SecretKey) -> Problem:
    expected, remedy = "a secret", f"make secrets STACK={stack} (makes it)"
    if each.placeholder:
        remedy = f"pulumi config set --secret {name}"
        try:
            each.parse("")
        except parsing.UnacceptableError as error:
            expected = error.expected
    return Problem(key=f"{PROJECT}:{name}", value="(not set)", expected=expected, remedy=remedy)


def secret(name: str) -> pulumi.Output[str]:
    """Return a secret of the stack's config, sealed. :func:`config.settings.load` has checked that it is there."""
    if name not in SECRET_KEYS:
        message = f"{name} is not a secret of this project"
        raise KeyError(message)
    return pulumi.Config(PROJECT).require_secret(name)
