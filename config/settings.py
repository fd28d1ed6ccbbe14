"""The settings of a stack: the only reader of its config.

Everything is checked before anything is declared, and all that is wrong is reported at once.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Any, Final, Literal, final

import pulumi

from config import acme, alert_settings, calls, cloud, parsing, secret_keys
from config.acme import AcmeSettings, CertificateSource
from config.alert_settings import AlertSettings
from config.calls import CallSettings
from config.catalogue import ImageSource
from config.cloud import CloudSettings
from config.errors import ConfigError, Problem, problem
from config.homeservers import HOMESERVERS, HomeserverName
from config.keys import TARGETS, Default, Key, Target, field_names, key, key_by_target, keys_of, local_key
from config.monitoring import (
    DASHBOARDS_PATH,
    DASHBOARDS_WAYS,
    LEVEL_OF_TIER,
    MONITORING_LEVELS,
    DashboardsWay,
    MonitoringLevel,
    usual_level,
)
from config.project import PROJECT
from config.tiers import TIER_NAMES, TierName

LOCALHOST: Final = "localhost"
LOOPBACK: Final = "127.0.0.1"
LOCAL_DOCKER_HOST: Final = "unix:///var/run/docker.sock"


def _usual_matrix_host(texts: Mapping[str, str]) -> str | None:
    name = texts.get("serverName")
    return f"matrix.{name}" if name else None


@final
@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a stack is to be: plain data, known at preview. Each field but the first three is a key."""

    stack: str
    cloud: CloudSettings | None
    """None on a local stack."""
    acme: AcmeSettings
    calls: CallSettings
    alerting: AlertSettings
    target: Target = key(parsing.one_of(*TARGETS))
    tier: TierName = key(parsing.one_of(*TIER_NAMES))
    server_name: str = key_by_target(parsing.host_name, local=LOCALHOST, aliyun=None)
    """The part after ``:`` in ``@user:example.com``. Every event holds it: it cannot change after the first start."""
    matrix_host: str = key_by_target(parsing.host_name, local=LOCALHOST, aliyun=_usual_matrix_host)
    homeserver: HomeserverName = key(parsing.one_of(*HOMESERVERS), "conduit")
    image_source: ImageSource = key(parsing.one_of("registry", "packages"), "registry")
    registry_prefix: str = key(parsing.registry_prefix, "")
    registry_mirrors: tuple[str, ...] = key(parsing.registry_mirrors, "")
    """Registries that are tried in this order for what ``registry_prefix`` (or Docker Hub) does not give."""
    image_origins: Mapping[str, str] = key(parsing.image_origins, "")
    """Which mirror gave an image; what is not in here came from ``registry_prefix`` (or Docker Hub)."""
    docker_host: str = local_key(parsing.docker_host, LOCAL_DOCKER_HOST)
    """Empty on Aliyun: the address of the host is not known before it is there."""
    docker_root: str = local_key(parsing.folder, "/var/lib/docker")
    """Folder in which the Docker engine keeps everything. Empty on Aliyun: there it is always the same."""
    bind_address: str = key_by_target(parsing.address, local=LOOPBACK, aliyun="0.0.0.0")  # noqa: S104 (what it is for)
    http_port: int = key(parsing.port, "80")
    https_port: int = key(parsing.port, "443")
    federation_port: int = key(parsing.port, "8448")
    subnet: IPv4Network = key(parsing.subnet, "10.89.64.0/24")
    upload_limit: int = key(parsing.size, "20 MiB")
    """Bytes; one value for Nginx and homeserver, so that both refuse the same upload."""
    certificates: CertificateSource = key_by_target(
        parsing.one_of("self-signed", "acme-http", "acme-dns"), local="self-signed", aliyun="acme-http"
    )
    federation: bool = key(parsing.boolean, "true")
    discovery: Literal["wellknown", "srv"] = key(parsing.one_of("wellknown", "srv"), "wellknown")
    """How other homeservers find this one: by a document on ``serverName``, port 443, or by an SRV record."""
    federation_private_ranges: tuple[IPv4Network, ...] = key(parsing.private_ranges, "")
    """Private addresses that other homeservers may have. All others stay closed: anybody can name one."""
    extra_ca: str = key(parsing.certificates, "")
    """PEM of CAs that are trusted besides the public ones."""
    dns_servers: tuple[str, ...] = key(parsing.addresses, "")
    """Resolvers of the containers that ask for names; empty: the Docker engine's own."""
    registration: Literal["token", "closed"] = key(parsing.one_of("token", "closed"), "token")
    redis: bool = key(parsing.boolean, "true")
    monitoring: MonitoringLevel = key(parsing.one_of(*MONITORING_LEVELS), usual_level)
    prometheus_port: int = key(parsing.port, "9090")
    """Where Prometheus is published, on the loopback interface of the Docker engine's machine only."""
    grafana_port: int = key(parsing.port, "3000")
    """The same of Grafana."""
    dashboards: DashboardsWay = key(parsing.one_of(*DASHBOARDS_WAYS), "loopback")
    """Whether Prometheus and Grafana are opened on that interface, or also through Nginx, with a password."""
    delete_protection: bool = key(parsing.boolean, "true")

    @property
    def homeserver_url(self) -> str:
        """Base URL for clients, without a trailing slash."""
        https = 443
        return f"https://{self.matrix_host}" + ("" if self.https_port == https else f":{self.https_port}")

    @property
    def published_ports(self) -> tuple[int, ...]:
        """The ports that others reach, each once."""
        return (self.http_port, self.https_port, *((self.federation_port,) if self.federation else ()))

    @property
    def relay_ports(self) -> tuple[tuple[str, str], ...]:
        """The ports of the TURN server: protocol, and first and last port with a slash between them."""
        if not self.calls.turn:
            return ()
        asked, relays = self.calls.turn_port, self.calls.turn_ports
        return (("udp", f"{asked}/{asked}"), ("tcp", f"{asked}/{asked}"), ("udp", f"{relays[0]}/{relays[-1]}"))

    @property
    def turn_uris(self) -> tuple[str, ...]:
        """Where clients find the TURN server; nowhere where there is none."""
        return calls.uris(self.matrix_host, self.calls.turn_port) if self.calls.turn else ()

    @property
    def dashboards_over_https(self) -> bool:
        """Whether Nginx shows Prometheus and Grafana to who has the password: as set, where there is something."""
        return secret_keys.shows_dashboards_over_https({"dashboards": self.dashboards, "monitoring": self.monitoring})

    @property
    def prometheus_url(self) -> str:
        """Where Prometheus is opened: on the machine of the Docker engine, through a tunnel to it, or through Nginx."""
        return self._page_url("prometheus", self.prometheus_port)

    @property
    def grafana(self) -> bool:
        """Whether Grafana is part of the stack: of all that is monitored in full, where images come from a registry."""
        return secret_keys.has_grafana({"monitoring": self.monitoring, "imageSource": self.image_source})

    @property
    def grafana_url(self) -> str:
        """Where Grafana is opened."""
        return self._page_url("grafana", self.grafana_port)

    def _page_url(self, page: str, port: int) -> str:
        if self.dashboards_over_https:
            return f"{self.homeserver_url}{DASHBOARDS_PATH}/{page}"
        return f"http://{LOOPBACK}:{port}"

    @property
    def registration_by_token(self) -> bool:
        """Whether who has the registration token can make an account: as set, where the homeserver can do it."""
        return secret_keys.registers_by_token(self._registration)

    @property
    def _registration(self) -> Mapping[str, object]:
        return {"homeserver": self.homeserver, "registration": self.registration}

    @property
    def canary(self) -> bool:
        """Whether an account of the monitoring writes and reads. On Conduit it registers as people do, or not."""
        return secret_keys.has_canary({"monitoring": self.monitoring, **self._registration})

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """The names that a CA is asked for, the one that clients use first.

        HTTP-01 proves names whose address leads here, and that of the server name may lead to a website. Over DNS any
        name of the zone is proven, and other homeservers that follow an SRV record want the server name (Matrix
        specification, server-server API, section "Resolving server names", step 4).
        """
        others = [self.server_name] if self.certificates == "acme-dns" else []
        return tuple(dict.fromkeys([self.matrix_host, *others]))

    @property
    def federation_address(self) -> str:
        """Host and port other homeservers connect to, as the well-known document or the SRV record tells it."""
        return f"{self.matrix_host}:{self.federation_port if self.discovery == 'srv' else self.https_port}"


KEYS: Final[Mapping[str, Key]] = MappingProxyType(
    {
        **keys_of(Settings),
        **keys_of(CallSettings),
        **keys_of(AcmeSettings),
        **keys_of(AlertSettings),
        **keys_of(CloudSettings),
    }
)


def _parse_values(target: Target, texts: Mapping[str, str], problems: list[Problem]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, each in KEYS.items():
        text = texts.get(name, "")
        if target not in each.defaults:
            if text:
                problems.append(_misplaced(name, target, each))
            continue
        try:
            if text:
                values[name] = each.parse(text)
            elif (default := _default(each.defaults[target], texts)) is not None:
                values[name] = each.parse(default)
            elif each.defaults[target] is None:
                problems.append(problem(name, "(not set)", *_expectation(each)))
        except parsing.UnacceptableError as error:
            # A default that cannot be read follows from another key, and that one is told.
            if text:
                found = json.dumps(text, ensure_ascii=False) if error.shown else "(not shown)"
                problems.append(problem(name, found, error.expected, error.example))
    return values


def _default(default: Default, texts: Mapping[str, str]) -> str | None:
    return default(texts) if callable(default) else default


def _expectation(each: Key) -> tuple[str, str]:
    try:
        each.parse("")
    except parsing.UnacceptableError as error:
        return error.expected, error.example
    return "a value", ""


def _misplaced(name: str, target: Target, each: Key) -> Problem:
    return Problem(
        key=f"{PROJECT}:{name}",
        value="(set)",
        expected=f"no such key with target {target}; it is for {' and '.join(each.defaults)}",
        remedy=f"pulumi config rm {name}",
    )


_OTHER_PORTS: Final = MappingProxyType(
    {
        "httpPort": "80",
        "httpsPort": "443",
        "federationPort": "8448",
        "prometheusPort": "9090",
        "grafanaPort": "3000",
        "turnPort": "3478",
    }
)


def _port_problems(values: Mapping[str, object]) -> list[Problem]:
    names = ["httpPort", "httpsPort"] + (["federationPort"] if values.get("federation") is True else [])
    names += ["prometheusPort"] if values.get("monitoring") in {"lite", "full"} else []
    names += ["turnPort"] if values.get("turn") is True else []
    names += ["grafanaPort"] if secret_keys.has_grafana(values) else []
    problems = []
    for index, name in enumerate(names):
        same = [other for other in names[:index] if other in values and values.get(name) == values[other]]
        if name in values and same:
            problems.append(
                problem(name, str(values[name]), f"a port of its own ({same[0]} has this one)", _OTHER_PORTS[name])
            )
    return problems


def _monitoring_problems(values: Mapping[str, object]) -> list[Problem]:
    if values.get("monitoring") != "full":
        return []
    small = [tier for tier, level in LEVEL_OF_TIER.items() if level == "lite" and tier == values.get("tier")]
    return [problem("monitoring", "full", f"lite or off: all of it does not fit on {tier}", "lite") for tier in small]


def _unknown_key_problems(names: Collection[str]) -> list[Problem]:
    known = sorted([*KEYS, *secret_keys.SECRET_KEYS])
    return [
        Problem(
            key=f"{PROJECT}:{name}",
            value="(unknown key)",
            expected="one of " + ", ".join(known),
            remedy=f"pulumi config rm {name}",
        )
        for name in sorted(set(names) - set(known))
    ]


def parse(stack: str, texts: Mapping[str, str], sealed: Collection[str]) -> Settings:
    """Turn the texts of a stack's config into settings. Pure.

    Args:
        stack: name of the stack.
        texts: the project's keys, without the ``matrix:`` in front, and their decrypted texts.
        sealed: those keys that are encrypted in the stack's file.

    Raises:
        ConfigError: with every problem there is, secrets not shown.

    """
    problems: list[Problem] = []
    target: Target = next((each for each in TARGETS if each == texts.get("target")), "local")
    values = _parse_values(target, texts, problems)
    problems += _port_problems(values)
    problems += _monitoring_problems(values)
    problems += acme.problems(values)
    problems += calls.problems(values)
    problems += alert_settings.problems(values)
    if target == "aliyun":
        problems += cloud.problems(values)
    problems += secret_keys.problems(stack, texts, sealed, values)
    problems += _unknown_key_problems(texts)
    if problems:
        raise ConfigError(stack, problems)
    return Settings(
        stack=stack,
        cloud=CloudSettings(**_arguments(CloudSettings, values)) if target == "aliyun" else None,
        acme=AcmeSettings(bound=bool(texts.get("acmeBinding")), **_arguments(AcmeSettings, values)),
        calls=CallSettings(**_arguments(CallSettings, values)),
        alerting=AlertSettings(**_arguments(AlertSettings, values)),
        **_arguments(Settings, values),
    )


def _arguments(settings: type[Any], values: Mapping[str, object]) -> dict[str, Any]:
    return {name: values[key_name] for key_name, name in field_names(settings).items() if key_name in values}


def _own_keys(names: Mapping[str, str]) -> dict[str, str]:
    prefix = f"{PROJECT}:"
    return {name.removeprefix(prefix): text for name, text in names.items() if name.startswith(prefix)}


def load(environment: Mapping[str, str]) -> Settings:
    """Read the settings of the running stack from what the Pulumi engine handed to this process.

    ``PULUMI_CONFIG`` (all keys as JSON) is read instead of ``pulumi.Config``, which cannot list keys: a misspelt one
    would be ignored in silence.

    Raises:
        ConfigError: see :func:`parse`.

    """
    texts = _own_keys(json.loads(environment.get("PULUMI_CONFIG") or "{}"))
    sealed_names = json.loads(environment.get("PULUMI_CONFIG_SECRET_KEYS") or "[]")
    return parse(pulumi.get_stack(), texts, _own_keys(dict.fromkeys(sealed_names, "")))
