"""Which resources in the cloud a change of each setting touches, and no others; docs/aliyun.md has the same table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest

from config.alert_settings import AlertSettings
from config.keys import keys_of
from config.secret_keys import SECRET_KEYS
from config.settings import KEYS
from tests.recording import ROOT, Recording, record
from tests.samples import ALIYUN, AUTHORITY, SECRETS

RECORDS = {"dns-address", "dns-certificate-authority", "dns-federation", "dns-federation-deprecated"}

# Another value, and the resources that differ with it.
CHANGES: Mapping[str, tuple[str, set[str]]] = {
    "tier": ("4C8G", {"host", "data"}),
    "matrixHost": ("chat.example.com", RECORDS),
    "homeserver": ("synapse", set()),
    "imageSource": ("packages", set()),
    "registryPrefix": ("mirror.example", set()),
    "registryMirrors": ("mirror.example", set()),
    "imageOrigins": ("nginx=mirror.example", set()),
    "bindAddress": ("192.168.0.9", set()),
    "httpPort": ("8080", {"ingress-80", "ingress-8080"}),
    "httpsPort": ("8443", {"ingress-443", "ingress-8443"}),
    "federationPort": ("18448", {"ingress-8448", "ingress-18448", "dns-federation", "dns-federation-deprecated"}),
    "subnet": ("10.89.66.0/24", set()),
    "uploadLimit": ("30 MiB", set()),
    "certificates": ("acme-http", set()),
    "acmeDirectory": ("staging", set()),
    "acmeEmail": ("admin@example.com", set()),
    "turn": ("true", {"ingress-udp-3478/3478", "ingress-tcp-3478/3478", "ingress-udp-49160/49199"}),
    "turnPort": ("3479", set()),
    "turnPorts": ("50000-50009", set()),
    "turnPrivateRanges": ("10.20.0.0/16", set()),
    "federation": ("false", {"ingress-8448", "dns-federation", "dns-federation-deprecated"}),
    "discovery": ("srv", set()),
    "federationPrivateRanges": ("10.20.0.0/16", set()),
    "extraCa": (AUTHORITY, set()),
    "dnsServers": ("223.5.5.5", set()),
    "registration": ("closed", set()),
    "redis": ("false", set()),
    "monitoring": ("lite", set()),
    "prometheusPort": ("9091", set()),
    "grafanaPort": ("3001", set()),
    "dashboards": ("https", set()),
    "deleteProtection": ("false", {"host", "data", "public-address"}),
    "zone": ("cn-hangzhou-j", {"vswitch", "data", "host"}),
    "accountType": ("International", set()),
    "imageId": ("m-bp1abcdefgh", set()),
    "instanceType": ("ecs.c7.large", {"host"}),
    "diskCategory": ("cloud_auto", {"host", "data"}),
    "systemDiskSize": ("60", {"host"}),
    "dataDiskSize": ("80", {"data"}),
    "bandwidth": ("50", {"public-address"}),
    "snapshotRetention": ("30", {"snapshot-policy"}),
    "metadataTokens": ("required", {"host"}),
    "adminCidrs": ("203.0.113.7/32", {"ingress-ssh-192.0.2.0/24"}),
    "dnsDomain": ("", RECORDS),
    "dnsTtl": ("1200", RECORDS),
}
# They make another stack, or are for local ones only.
FIXED = {"target", "dockerHost", "dockerRoot", "turnAddress", "serverName", "region"}
# They are about containers only.
OF_MONITORING = {*keys_of(AlertSettings)}


def clouds(recording: Recording) -> Mapping[str, object]:
    return {
        each.name: (
            {key: value for key, value in each.inputs.items() if key not in each.ignore_changes},
            each.protect,
            each.retain_on_delete,
        )
        for each in recording.registrations.values()
        if each.type.startswith("alicloud:")
    }


@cache
def usual() -> Recording:
    return record(ALIYUN, SECRETS)


@pytest.mark.parametrize("key", sorted(CHANGES))
def test_a_changed_setting_touches_these_resources_and_no_others(key: str) -> None:
    value, expected = CHANGES[key]
    before, after = clouds(usual()), clouds(record({**ALIYUN, key: value}, SECRETS))
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == expected


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_no_secret_of_the_stack_reaches_the_cloud(key: str) -> None:
    after = record(ALIYUN, {**SECRETS, key: f"{SECRETS[key]}-other"})
    assert clouds(after) == clouds(usual())


def test_every_setting_is_in_the_table() -> None:
    assert set(CHANGES) | FIXED | OF_MONITORING == set(KEYS)


def test_the_document_says_the_same() -> None:
    text = (ROOT / "docs" / "aliyun.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line.split("|")[2] for line in text.splitlines() if line.startswith("| `")}
    said = {key: {name.strip(" `") for name in cell.split(",")} - {"nothing"} for key, cell in rows.items()}
    for key, (_, expected) in CHANGES.items():
        names = {"records" if name in RECORDS else "rules" if "ingress" in name else name for name in expected}
        assert said.get(key, set()) == names, key
