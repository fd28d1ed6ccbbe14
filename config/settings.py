"""The settings of a stack: the only reader of its config.

Everything is checked before anything is declared, and all that is wrong is reported at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Any, Final, Literal, final

import pulumi

from config import parsing
from config.catalogue import ImageSource
from config.errors import ConfigError, Problem
from config.homeservers import HOMESERVERS, HomeserverName
from config.tiers import TIER_NAMES, TierName

PROJECT: Final = "matrix"
LOCALHOST: Final = "localhost"

_KEY: Final = "key"


@final
@dataclass(frozen=True, kw_only=True)
class Key:
    """One plain key of the config: how its text becomes a value, and which text stands for an unset one.

    A key without default is required.
    """

    parse: Callable[[str], object]
    default: str | None


def _key(parse: Callable[[str], object], default: str | None = None) -> Any:  # noqa: ANN401 (so does dataclasses.field)
    return field(metadata={_KEY: Key(parse=parse, default=default)})


@final
@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a stack is to be: plain data, known at preview. Each field but ``stack`` is a key of the config."""

    stack: str
    target: Literal["local"] = _key(parsing.one_of("local"))
    tier: TierName = _key(parsing.one_of(*TIER_NAMES))
    server_name: str = _key(parsing.host_name, LOCALHOST)
    """The part after ``:`` in ``@user:example.com``. Every event holds it: it cannot change after the first start."""
    matrix_host: str = _key(parsing.host_name, LOCALHOST)
    homeserver: HomeserverName = _key(parsing.one_of(*HOMESERVERS), "conduit")
    image_source: ImageSource = _key(parsing.one_of("registry", "packages"), "registry")
    registry_prefix: str = _key(parsing.registry_prefix, "")
    registry_mirrors: tuple[str, ...] = _key(parsing.registry_mirrors, "")
    """Registries that are tried in this order for what ``registry_prefix`` (or Docker Hub) does not give."""
    image_origins: Mapping[str, str] = _key(parsing.image_origins, "")
    """Which mirror gave an image; what is not in here came from ``registry_prefix`` (or Docker Hub)."""
    docker_host: str = _key(parsing.docker_host, "unix:///var/run/docker.sock")
    bind_address: str = _key(parsing.address, "127.0.0.1")
    http_port: int = _key(parsing.port, "80")
    https_port: int = _key(parsing.port, "443")
    federation_port: int = _key(parsing.port, "8448")
    subnet: IPv4Network = _key(parsing.subnet, "10.89.64.0/24")
    upload_limit: int = _key(parsing.size, "20 MiB")
    """Bytes; one value for Nginx and homeserver, so that both refuse the same upload."""
    federation: bool = _key(parsing.boolean, "true")
    registration: Literal["token", "closed"] = _key(parsing.one_of("token", "closed"), "token")
    redis: bool = _key(parsing.boolean, "true")
    delete_protection: bool = _key(parsing.boolean, "true")

    @property
    def homeserver_url(self) -> str:
        """Base URL for clients, without a trailing slash."""
        https = 443
        return f"https://{self.matrix_host}" + ("" if self.https_port == https else f":{self.https_port}")

    @property
    def registration_by_token(self) -> bool:
        """Whether who has the registration token can make an account: as set, where the homeserver can do it."""
        return self.registration == "token" and HOMESERVERS[self.homeserver].registers_by_token

    @property
    def federation_address(self) -> str:
        """Host and port other homeservers connect to, as the well-known document tells it."""
        return f"{self.matrix_host}:{self.https_port}"


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {_camel_case(f.name): f.name for f in fields(Settings) if _KEY in f.metadata}
)
KEYS: Final[Mapping[str, Key]] = MappingProxyType(
    {_camel_case(f.name): f.metadata[_KEY] for f in fields(Settings) if _KEY in f.metadata}
)

_Condition = Callable[[Mapping[str, object]], bool]


def _on_synapse(values: Mapping[str, object]) -> bool:
    return values.get("homeserver") == "synapse"


def _on_dendrite(values: Mapping[str, object]) -> bool:
    return values.get("homeserver") == "dendrite"


def _registers_by_token(values: Mapping[str, object]) -> bool:
    return values.get("registration") == "token" and not _on_dendrite(values)


@final
@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """One secret key of the config, and for which settings a stack needs it."""

    parse: Callable[[str], str]
    needed: _Condition


SECRET_KEYS: Final[Mapping[str, SecretKey]] = MappingProxyType(
    {
        "registrationToken": SecretKey(parse=parsing.registration_token, needed=_registers_by_token),
        "redisPassword": SecretKey(parse=parsing.secret, needed=lambda values: values.get("redis") is True),
        "synapseRegistrationSecret": SecretKey(parse=parsing.secret, needed=_on_synapse),
        "synapseMacaroonSecret": SecretKey(parse=parsing.secret, needed=_on_synapse),
        "synapseFormSecret": SecretKey(parse=parsing.secret, needed=_on_synapse),
        "synapseRegistrarPassword": SecretKey(parse=parsing.secret, needed=_on_synapse),
        "dendriteRegistrationSecret": SecretKey(parse=parsing.secret, needed=_on_dendrite),
    },
)


def _parse_values(texts: Mapping[str, str], problems: list[Problem]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, key in KEYS.items():
        text = texts.get(name, "")
        if not text and key.default is None:
            problems.append(_problem(name, "(not set)", *_expectation(key)))
            continue
        try:
            values[name] = key.parse(text or key.default or "")
        except parsing.UnacceptableError as error:
            problems.append(_problem(name, json.dumps(text, ensure_ascii=False), error.expected, error.example))
    return values


def _expectation(key: Key) -> tuple[str, str]:
    try:
        key.parse("")
    except parsing.UnacceptableError as error:
        return error.expected, error.example
    return "a value", ""


def _problem(key: str, value: str, expected: str, example: str) -> Problem:
    return Problem(
        key=f"{PROJECT}:{key}", value=value, expected=expected, remedy=f"pulumi config set {key} '{example}'"
    )


def _secret_problems(
    stack: str, texts: Mapping[str, str], sealed: Collection[str], values: Mapping[str, object]
) -> list[Problem]:
    problems = []
    for name, key in SECRET_KEYS.items():
        text = texts.get(name, "")
        full_name = f"{PROJECT}:{name}"
        command = f"make secrets STACK={stack}"
        if not text:
            if key.needed(values):
                problems.append(
                    Problem(key=full_name, value="(not set)", expected="a secret", remedy=f"{command} (makes it)")
                )
            continue
        if name not in sealed:
            problems.append(
                Problem(
                    key=full_name,
                    value="(stands in clear in the stack's file)",
                    expected="an encrypted value",
                    remedy=f"take it out of the file and out of git's history, then: pulumi config set --secret {name}",
                )
            )
        try:
            key.parse(text)
        except parsing.UnacceptableError as error:
            problems.append(
                Problem(
                    key=full_name,
                    value="(secret, not shown)",
                    expected=error.expected,
                    remedy=f"pulumi config set --secret {name}",
                )
            )
    return problems


def _port_problems(values: Mapping[str, object]) -> list[Problem]:
    names = ["httpPort", "httpsPort"] + (["federationPort"] if values.get("federation") is True else [])
    problems = []
    for index, name in enumerate(names):
        same = [other for other in names[:index] if other in values and values.get(name) == values[other]]
        if name in values and same:
            problems.append(
                _problem(
                    name, str(values[name]), f"a port of its own ({same[0]} has this one)", KEYS[name].default or ""
                )
            )
    return problems


def _unknown_key_problems(names: Collection[str]) -> list[Problem]:
    known = sorted([*KEYS, *SECRET_KEYS])
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
    values = _parse_values(texts, problems)
    problems += _port_problems(values)
    problems += _secret_problems(stack, texts, sealed, values)
    problems += _unknown_key_problems(texts)
    if problems:
        raise ConfigError(stack, problems)
    arguments: dict[str, Any] = {_FIELDS[name]: value for name, value in values.items()}
    return Settings(stack=stack, **arguments)


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


def secret(name: str) -> pulumi.Output[str]:
    """Return a secret of the stack's config, sealed. :func:`load` has checked that it is there when it is needed."""
    if name not in SECRET_KEYS:
        message = f"{name} is not a secret of this project"
        raise KeyError(message)
    return pulumi.Config(PROJECT).require_secret(name)
