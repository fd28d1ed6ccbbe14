"""The stack's outputs: the contract with other teams. ``docs/outputs.schema.json`` is the same as a JSON Schema.

``CONTRACT_VERSION`` rises with any change that a reader could trip over. What a stack does not have is there and
empty (an empty text, list or object), so that a reader needs no special case for a key that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Final, Literal, TypedDict

import pulumi

from config.costs import MonthlyCost, monthly_cost
from config.dns import dns_records, is_managed
from config.homeservers import HOMESERVERS
from config.settings import Settings

CONTRACT_VERSION: Final = 1


class HomeserverOutput(TypedDict):
    """Which homeserver runs."""

    implementation: str
    version: str
    image: str
    """The name that the container was declared with."""
    imageId: str
    """Digest of the image that runs (``sha256:…``)."""


class WellKnownOutput(TypedDict):
    """The two documents of server discovery, as served under ``/.well-known/matrix/``."""

    client: Mapping[str, object]
    server: Mapping[str, object]


class PortsOutput(TypedDict):
    """Where Nginx is published; ``federation`` is 0 where federation is off."""

    address: str
    http: int
    https: int
    federation: int


class SshOutput(TypedDict):
    """How to reach the host; ``hostKey`` is its public key as a known_hosts file has it."""

    address: pulumi.Input[str]
    port: int
    user: str
    hostKey: pulumi.Input[str]


class MonitoringOutput(TypedDict):
    """How much is monitored and where it is looked at."""

    level: str
    ports: Mapping[str, int]
    """By page, on the loopback interface of the Docker engine's machine."""
    urls: Mapping[str, str]
    """By page, where people open it: there, or through Nginx."""
    open: str
    """The command that prints the addresses, and opens a tunnel to a host over ssh."""


class DnsRecordOutput(TypedDict):
    """A record that the stack needs. ``managed`` says whether the stack makes it; else somebody has to."""

    name: str
    type: Literal["A", "SRV", "CAA"]
    value: pulumi.Input[str]
    ttl: int
    managed: bool


class HostOutputs(TypedDict):
    """What a stack with a host of its own knows only when the host is there."""

    publicIp: pulumi.Input[str]
    ssh: SshOutput
    dockerHost: pulumi.Input[str]
    dnsRecords: list[DnsRecordOutput]


class PlainOutputs(TypedDict):
    """The outputs that follow from the settings alone."""

    contractVersion: int
    serverName: str
    homeserverUrl: str
    federationAddress: str
    wellKnown: WellKnownOutput
    tier: str
    publicIp: str
    ssh: Mapping[str, object]
    dockerHost: str
    dnsRecords: list[Mapping[str, object]]
    ports: PortsOutput
    monitoring: MonitoringOutput | Mapping[str, object]
    backups: Mapping[str, object]
    monthlyCost: MonthlyCost
    nextSteps: str


class Outputs(PlainOutputs):
    """All outputs; the last two are sealed."""

    homeserver: HomeserverOutput
    images: Mapping[str, str]
    """Name in the catalogue, and id of the image."""
    caCertificate: str
    """PEM of the CA that signed the certificate; empty where a public one did. With ACME, what ``extraCa`` holds."""
    registrationToken: str
    grafanaAdminPassword: str


def plain_outputs(settings: Settings) -> PlainOutputs:
    """Return the outputs that follow from the settings."""
    public = settings.bind_address if IPv4Address(settings.bind_address).is_global else ""
    return {
        "contractVersion": CONTRACT_VERSION,
        "serverName": settings.server_name,
        "homeserverUrl": settings.homeserver_url,
        "federationAddress": settings.federation_address if settings.federation else "",
        "wellKnown": well_known(settings),
        "tier": settings.tier,
        "publicIp": public,
        "ssh": {},
        "dockerHost": settings.docker_host,
        "dnsRecords": [],
        "ports": {
            "address": settings.bind_address,
            "http": settings.http_port,
            "https": settings.https_port,
            "federation": settings.federation_port if settings.federation else 0,
        },
        "monitoring": monitoring(settings),
        "backups": {},
        "monthlyCost": monthly_cost(settings),
        "nextSteps": next_steps(settings),
    }


def host_outputs(
    settings: Settings, *, address: pulumi.Input[str], host_key: pulumi.Input[str], user: str, port: int
) -> HostOutputs:
    """Return the outputs of a stack with a host of its own, which replace the plain ones of the same names."""
    ttl = settings.cloud.dns_ttl if settings.cloud else 0
    return {
        "publicIp": address,
        "ssh": {"address": address, "port": port, "user": user, "hostKey": host_key},
        "dockerHost": pulumi.Output.concat(f"ssh://{user}@", address, f":{port}"),
        "dnsRecords": [
            {
                "name": record.name,
                "type": record.type,
                "value": address if record.value is None else record.value,
                "ttl": ttl,
                "managed": is_managed(record, settings),
            }
            for record in dns_records(settings)
        ],
    }


def well_known(settings: Settings) -> WellKnownOutput:
    """Return the documents of server discovery (Matrix specification, client-server and server-server API)."""
    # With an SRV record there is none for servers: it would come first.
    by_document = settings.federation and settings.discovery == "wellknown"
    return {
        "client": {"m.homeserver": {"base_url": settings.homeserver_url}},
        "server": {"m.server": settings.federation_address} if by_document else {},
    }


def monitoring(settings: Settings) -> MonitoringOutput | Mapping[str, object]:
    """Return how the monitoring is reached; empty where there is none."""
    if settings.monitoring == "off":
        return {}
    return {
        "level": settings.monitoring,
        "ports": {
            **({"grafana": settings.grafana_port} if settings.grafana else {}),
            "prometheus": settings.prometheus_port,
        },
        "urls": {
            **({"grafana": settings.grafana_url} if settings.grafana else {}),
            "prometheus": settings.prometheus_url,
        },
        "open": f"make dashboards{_of_stack(settings)}",
    }


def _of_stack(settings: Settings) -> str:
    return "" if settings.stack == "local" else f" STACK={settings.stack}"


def next_steps(settings: Settings) -> str:
    """Return the text that a person reads after ``pulumi up``."""
    stack = _of_stack(settings)
    url = settings.homeserver_url
    return "\n".join(
        [
            f"{HOMESERVERS[settings.homeserver].display_name} serves {settings.server_name} at {url}",
            _whom_to_trust(settings, stack),
            f"In any Matrix client: choose the homeserver {url}.",
            _how_to_register(settings, stack),
            *_what_is_left(settings, stack),
            f"See what works: make status{stack}",
            *([f"See what is measured: make dashboards{stack}"] if settings.monitoring != "off" else []),
        ]
    )


def _whom_to_trust(settings: Settings, stack: str) -> str:
    if settings.certificates == "self-signed":
        url = settings.homeserver_url
        return f"Trust its CA: the certificate lies in .state/{settings.stack}-ca.pem, and at {url}/_static/ca.pem."
    return f"{settings.acme.issuer} issues its certificate: `make status{stack}` says whether it has, and until when."


def _what_is_left(settings: Settings, stack: str) -> list[str]:
    missing = [record for record in dns_records(settings) if not is_managed(record, settings)] if settings.cloud else []
    return (
        [f"Make the DNS records that `make outputs{stack}` lists under dnsRecords as not managed."] if missing else []
    )


def _how_to_register(settings: Settings, stack: str) -> str:
    facts = HOMESERVERS[settings.homeserver]
    if not facts.registers_by_token:
        return f"{facts.display_name} lets nobody register: `make invite{stack}` makes an account for each user."
    if settings.registration == "closed":
        return "Registration is closed. Open it with: pulumi config set registration token"
    return f"Register the first user: `make token{stack}` shows the registration token; give it to your client."
