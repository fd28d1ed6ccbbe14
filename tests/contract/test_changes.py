"""Which services a change of each setting touches, and no others; the preview shows the same.

A service that is not touched keeps running. The table is for operators too: docs/operations.md has the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import pytest

from config.alert_settings import SECRETS_OF
from config.cloud import CloudSettings
from config.keys import keys_of
from config.secret_keys import SECRET_KEYS
from config.settings import KEYS
from tests.recording import ROOT, Recording, record
from tests.samples import AUTHORITY, LOCAL, SECRETS

CONTAINER = "docker:index/container:Container"
HOMESERVER = "homeserver"
EVERYTHING = frozenset({HOMESERVER, "nginx", "redis"})


@dataclass(frozen=True, kw_only=True)
class Change:
    """A setting given another value."""

    value: str
    conduit: frozenset[str]
    """Services that are replaced, updated, made or removed while Conduit is chosen."""
    synapse: frozenset[str]


def change(value: str, *services: str, synapse: tuple[str, ...] | None = None) -> Change:
    return Change(value=value, conduit=frozenset(services), synapse=frozenset(services if synapse is None else synapse))


# With a CA of one's own, so that the names of the sample can be asked for.
BASE = {**LOCAL, "acmeDirectory": "https://ca.example.com/directory"}
# What cannot be changed while a stack is there, or is another stack: refused elsewhere.
FIXED = {"target", "serverName", "dockerHost", "dockerRoot", *keys_of(CloudSettings)}
CHANGES: Mapping[str, Change] = {
    "tier": change("2C4G", *EVERYTHING),
    "matrixHost": change("matrix.example.com", HOMESERVER, "nginx"),
    "homeserver": change("(the other)", HOMESERVER, "nginx"),
    "imageSource": change("packages", "nginx", "redis", HOMESERVER),
    "registryPrefix": change("mirror.example", *EVERYTHING),
    "registryMirrors": change("mirror.example"),
    # By itself: together with registryMirrors it is what an image is declared by.
    "imageOrigins": change("nginx=mirror.example"),
    "bindAddress": change("127.0.0.2", "nginx"),
    "httpPort": change("8080", "nginx"),
    "httpsPort": change("8443", HOMESERVER, "nginx"),
    "federationPort": change("18448", "nginx"),
    "subnet": change("10.89.66.0/24", *EVERYTHING),
    "uploadLimit": change("30 MiB", HOMESERVER, "nginx"),
    "certificates": change("acme-http", "acme", "nginx"),
    "acmeDirectory": change("staging"),
    "acmeEmail": change("admin@example.com"),
    "federation": change("false", HOMESERVER, "nginx"),
    "discovery": change("srv", HOMESERVER, "nginx", synapse=("nginx",)),
    "federationPrivateRanges": change("10.20.0.0/16", synapse=(HOMESERVER,)),
    "extraCa": change(AUTHORITY, HOMESERVER),
    "dnsServers": change("223.5.5.5", HOMESERVER),
    "turn": change("true", HOMESERVER, "coturn"),
    # While there is no TURN server.
    "turnPort": change("3479"),
    "turnPorts": change("50000-50009"),
    "turnAddress": change("127.0.0.2"),
    "turnPrivateRanges": change("10.20.0.0/16"),
    "registration": change("closed", HOMESERVER),
    "redis": change("false", "redis", synapse=("redis", HOMESERVER)),
    "monitoring": change("lite", HOMESERVER, "prometheus", "alertmanager", "node-exporter", "blackbox-exporter"),
    # While nothing is monitored.
    "prometheusPort": change("9091"),
    "grafanaPort": change("3001"),
    "dashboards": change("https"),
    "deleteProtection": change("false"),
}
SECRET_CHANGES: Mapping[str, Change] = {
    "registrationToken": change("", HOMESERVER, synapse=()),
    "redisPassword": change("", "redis", synapse=("redis", HOMESERVER)),
    "synapseRegistrationSecret": change("", synapse=(HOMESERVER,)),
    "synapseMacaroonSecret": change("", synapse=(HOMESERVER,)),
    "synapseFormSecret": change("", synapse=(HOMESERVER,)),
    "synapseRegistrarPassword": change("", synapse=()),
    "dendriteRegistrationSecret": change(""),
    "turnSecret": change(""),
    "canaryPassword": change(""),
    "alidnsAccessKey": change(""),
    "acmeBinding": change(""),
    "dashboardsPassword": change(""),
    "grafanaAdminPassword": change(""),
    "grafanaSecretKey": change(""),
}


ALERTED: Mapping[str, str] = {
    **LOCAL,
    "tier": "2C4G",
    "monitoring": "full",
    "alerts": "dingtalk,wecom,feishu,smtp,webhook,heartbeat",
    "smtpHost": "smtp.example.com",
    "smtpUser": "alerts@example.com",
    "smtpFrom": "alerts@example.com",
    "smtpTo": "admin@example.com",
}
"""A stack that tells everybody of everything."""
# Another value, and the services that differ with it.
ALERT_CHANGES: Mapping[str, tuple[str, set[str]]] = {
    "alerts": ("wecom", {"alertmanager", "alert-relay"}),
    "alertLanguage": ("zh", {"prometheus", "alert-relay"}),
    "alertCertificateDays": ("7", {"prometheus", "grafana"}),
    "alertDiskPercent": ("10", {"prometheus", "grafana"}),
    "alertMemoryPercent": ("80", {"prometheus", "grafana"}),
    "alertErrorPercent": ("10", {"prometheus", "grafana"}),
    "alertTimeScale": ("0.1", {"prometheus", "alertmanager"}),
    "smtpHost": ("smtp.example.net", {"alert-relay"}),
    "smtpPort": ("587", {"alert-relay"}),
    "smtpUser": ("other@example.com", {"alert-relay"}),
    "smtpFrom": ("other@example.com", {"alert-relay"}),
    "smtpTo": ("other@example.com", {"alert-relay"}),
}
CALLING: Mapping[str, str] = {**LOCAL, "turn": "true"}
"""A stack with a TURN server."""
# Another value, and the services that differ with it.
CALL_CHANGES: Mapping[str, tuple[str, set[str]]] = {
    "turnPort": ("3479", {HOMESERVER, "coturn"}),
    "turnPorts": ("50000-50009", {"coturn"}),
    "turnAddress": ("127.0.0.2", {"coturn"}),
    "turnPrivateRanges": ("10.20.0.0/16", {"coturn"}),
}
ALERT_SECRETS = sorted({key for keys in SECRETS_OF.values() for key in keys.values()})


def another(secret: str) -> str:
    return secret.replace("0123456789", "1234567890")


def services(recording: Recording) -> dict[str, object]:
    return {
        each.name: (each.inputs, sorted(each.replace_on_changes))
        for each in recording.of_type(CONTAINER)
        if each.inputs["restart"] != "no"
    }


def touched(before: Recording, after: Recording) -> set[str]:
    old, new = services(before), services(after)
    names = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    # A network that is replaced is deleted first, and what is in it before that.
    networks = {
        urn
        for urn, each in after.registrations.items()
        if "network:Network" in urn and urn in before.registrations and each.inputs != before.registrations[urn].inputs
    }
    names |= {each.name for each in after.of_type(CONTAINER) if each.name in new and each.dependencies & networks}
    return {HOMESERVER if name in {"conduit", "synapse", "dendrite"} else name for name in names}


@cache
def recorded(homeserver: str, *, preview: bool) -> Recording:
    return record({**BASE, "homeserver": homeserver}, SECRETS, preview=preview)


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
@pytest.mark.parametrize("homeserver", ["conduit", "synapse"])
@pytest.mark.parametrize("key", sorted(CHANGES))
def test_a_changed_setting_touches_these_services_and_no_others(key: str, homeserver: str, *, preview: bool) -> None:
    config = {**BASE, "homeserver": homeserver}
    expected = CHANGES[key].conduit if homeserver == "conduit" else CHANGES[key].synapse
    value = CHANGES[key].value
    if key == "homeserver":
        value = "synapse" if homeserver == "conduit" else "conduit"
    before = recorded(homeserver, preview=preview)
    after = record({**config, key: value}, SECRETS, preview=preview)
    assert touched(before, after) == expected


@pytest.mark.parametrize("homeserver", ["conduit", "synapse"])
@pytest.mark.parametrize("key", sorted(SECRET_CHANGES))
def test_a_changed_secret_touches_these_services_and_no_others(key: str, homeserver: str) -> None:
    config = {**BASE, "homeserver": homeserver}
    expected = SECRET_CHANGES[key].conduit if homeserver == "conduit" else SECRET_CHANGES[key].synapse
    after = record(config, {**SECRETS, key: another(SECRETS[key])})
    assert touched(recorded(homeserver, preview=False), after) == expected


@cache
def alerted() -> Recording:
    return record(ALERTED, SECRETS)


@pytest.mark.parametrize("key", sorted(ALERT_CHANGES))
def test_a_changed_setting_of_alerts_touches_these_services_and_no_others(key: str) -> None:
    value, expected = ALERT_CHANGES[key]
    assert touched(alerted(), record({**ALERTED, key: value}, SECRETS)) == expected


@pytest.mark.parametrize("key", ALERT_SECRETS)
def test_a_changed_secret_of_a_receiver_touches_the_relay_alone(key: str) -> None:
    assert touched(alerted(), record(ALERTED, {**SECRETS, key: f"{SECRETS[key]}-other"})) == {"alert-relay"}


@pytest.mark.parametrize("homeserver", ["conduit", "synapse", "dendrite"])
@pytest.mark.parametrize("key", sorted(CALL_CHANGES))
def test_a_changed_setting_of_calls_touches_these_services_and_no_others(key: str, homeserver: str) -> None:
    value, expected = CALL_CHANGES[key]
    config = {**CALLING, "homeserver": homeserver}
    assert touched(record(config, SECRETS), record({**config, key: value}, SECRETS)) == expected


@pytest.mark.parametrize("homeserver", ["conduit", "synapse", "dendrite"])
def test_a_changed_secret_of_calls_touches_both_who_share_it(homeserver: str) -> None:
    config = {**CALLING, "homeserver": homeserver}
    after = record(config, {**SECRETS, "turnSecret": another(SECRETS["turnSecret"])})
    assert touched(record(config, SECRETS), after) == {HOMESERVER, "coturn"}


def test_dashboards_over_https_touch_nginx_and_what_it_shows_and_their_password_nginx_alone() -> None:
    shown = {**ALERTED, "dashboards": "https"}
    assert touched(alerted(), record(shown, SECRETS)) == {"nginx", "prometheus", "grafana"}
    after = record(shown, {**SECRETS, "dashboardsPassword": another(SECRETS["dashboardsPassword"])})
    assert touched(record(shown, SECRETS), after) == {"nginx"}


def test_every_setting_is_in_the_tables() -> None:
    assert set(CHANGES) | set(ALERT_CHANGES) | FIXED == set(KEYS)
    assert set(SECRET_CHANGES) | set(ALERT_SECRETS) == set(SECRET_KEYS)


def test_the_document_on_alerts_says_the_same() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    said = {
        key.strip(" `"): {name.strip() for name in cells[2].split(",")} for cells in rows for key in cells[1].split(",")
    }
    for key, (_, expected) in ALERT_CHANGES.items():
        assert said[key] == expected, key
    for key in ALERT_SECRETS:
        assert said[key] == {"alert-relay"}, key


def test_the_document_says_the_same() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if line.startswith("| `")}
    for key, each in {**CHANGES, **SECRET_CHANGES}.items():
        cells = [cell.strip() for cell in rows[key].split("|")]
        said = [frozenset(cell.replace("nothing", "").replace(" ", "").split(",")) - {""} for cell in cells[2:4]]
        assert said == [each.conduit, each.synapse], key
