"""Texts of a stack's config turned into values.

Each function raises :class:`UnacceptableError`, which says what to write instead.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Final, TypeVar

from config.addresses import SMALLEST_PREFIX
from config.catalogue import CATALOGUE

T = TypeVar("T")
Parser = Callable[[str], T]

HIGHEST_PORT: Final = 65535
LONGEST_SERVER_NAME: Final = 230
"""A user id has at most 255 bytes (Matrix specification, appendices, user identifiers): keep 25 for ``@name:``."""

_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SIZE: Final = re.compile(r"([1-9][0-9]*) ?(MiB|GiB)")
_PREFIX: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._/-][a-z0-9]+)*)?/?")
_TOKEN: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9._~-]{12,64}")
_MIRRORS_EXPECTED: Final = "different registry hosts with commas between them, each optionally with a namespace"
_MIRRORS_EXAMPLE: Final = "mirror.example.com,registry.example.com/team"
_FOLDER: Final = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+")
_SECRET: Final = re.compile(r"[!-~]{16,128}")


class UnacceptableError(ValueError):
    """A text is no value of its setting. ``example`` is one that would be accepted; ``shown`` whether to repeat it."""

    def __init__(self, expected: str, example: str, *, shown: bool = True) -> None:
        super().__init__(expected)
        self.expected = expected
        self.example = example
        self.shown = shown


def listed(text: str) -> tuple[str, ...]:
    """Return what stands between commas; nothing where there is no text."""
    return tuple(each.strip() for each in text.split(",")) if text else ()


def one_of(*choices: str) -> Parser[str]:
    """Accept one of a few words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise UnacceptableError(" or ".join(choices), choices[0])
        return text

    return parse


def boolean(text: str) -> bool:
    """Accept ``true`` and ``false``."""
    if text not in {"true", "false"}:
        raise UnacceptableError("true or false", "true")
    return text == "true"


def whole_number(lowest: int, highest: int, unit: str, example: str) -> Parser[int]:
    """Accept a whole number in a range."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
            raise UnacceptableError(f"a whole number of {unit} from {lowest} to {highest}", example)
        return int(text)

    return parse


def host_name(text: str) -> str:
    """Accept a DNS name in lower case, without port: the form every Matrix server name of ours has."""
    labels = text.split(".")
    is_number = labels[-1].isdigit()
    if is_number or len(text) > LONGEST_SERVER_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise UnacceptableError(
            f"a host name in lower case, without scheme or port, of at most {LONGEST_SERVER_NAME} characters",
            "example.com",
        )
    return text


def port(text: str) -> int:
    """Accept a TCP port."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= HIGHEST_PORT):
        raise UnacceptableError(f"a port from 1 to {HIGHEST_PORT}", "8443")
    return int(text)


def folder(text: str) -> str:
    """Accept the absolute path of a folder, in its shortest spelling."""
    if not _FOLDER.fullmatch(text):
        raise UnacceptableError("an absolute path without a slash at its end", "/var/lib/docker")
    return text


def address(text: str) -> str:
    """Accept an IPv4 address to publish ports on."""
    try:
        return str(IPv4Address(text))
    except AddressValueError as error:
        raise UnacceptableError("an IPv4 address of this machine, or 0.0.0.0 for all of them", "127.0.0.1") from error


def subnet(text: str) -> IPv4Network:
    """Accept a private IPv4 network that is large enough to be halved into the stack's two networks."""
    expected = f"a private IPv4 network from /16 to /{SMALLEST_PREFIX}, with no host bits set"
    example = "10.89.64.0/24"
    try:
        network = IPv4Network(text)
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise UnacceptableError(expected, example) from error
    largest_prefix = 16
    if not largest_prefix <= network.prefixlen <= SMALLEST_PREFIX or not network.is_private:
        raise UnacceptableError(expected, example)
    return network


def addresses(text: str) -> tuple[str, ...]:
    """Accept IPv4 addresses with commas between them."""
    try:
        return tuple(str(IPv4Address(each)) for each in listed(text))
    except AddressValueError as error:
        raise UnacceptableError("IPv4 addresses with commas between them", "223.5.5.5,119.29.29.29") from error


def private_ranges(text: str) -> tuple[IPv4Network, ...]:
    """Accept private IPv4 networks with commas between them."""
    expected = "private IPv4 networks with commas between them, with no host bits set"
    example = "10.20.0.0/16,192.168.7.0/24"
    try:
        networks = tuple(IPv4Network(each) for each in listed(text))
    except (AddressValueError, NetmaskValueError, ValueError) as error:
        raise UnacceptableError(expected, example) from error
    if not all(network.is_private for network in networks):
        raise UnacceptableError(expected, example)
    return networks


def certificates(text: str) -> str:
    """Accept certificates in PEM, one after the other."""
    expected = "CA certificates in PEM, as `pulumi config set extraCa < ca.pem` writes them"
    if not text.strip():
        return ""
    if "PRIVATE KEY" in text:
        raise UnacceptableError(f"{expected}; this holds a private key, which belongs nowhere else", "", shown=False)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError, TypeError) as error:
        raise UnacceptableError(expected, "", shown=False) from error
    return text.strip() + "\n"


def size(text: str) -> int:
    """Accept a size such as ``20 MiB``; the value is in bytes."""
    match = _SIZE.fullmatch(text)
    factor = {"MiB": 2**20, "GiB": 2**30}
    value = int(match[1]) * factor[match[2]] if match else 0
    if not 1 * 2**20 <= value <= 2 * 2**30:
        raise UnacceptableError("a size from 1 MiB to 2 GiB", "20 MiB")
    return value


def registry_prefix(text: str) -> str:
    """Accept a registry host, with or without a namespace."""
    if text and not _PREFIX.fullmatch(text):
        raise UnacceptableError(
            "a registry host, optionally with a namespace, without scheme", "registry.example.com/team"
        )
    return text


def registry_mirrors(text: str) -> tuple[str, ...]:
    """Accept registries as :func:`registry_prefix` does, with commas between them."""
    mirrors = listed(text)
    if not all(mirrors) or len({each.rstrip("/") for each in mirrors}) < len(mirrors):
        raise UnacceptableError(_MIRRORS_EXPECTED, _MIRRORS_EXAMPLE)
    try:
        return tuple(registry_prefix(each) for each in mirrors)
    except UnacceptableError as error:
        raise UnacceptableError(_MIRRORS_EXPECTED, _MIRRORS_EXAMPLE) from error


def image_origins(text: str) -> Mapping[str, str]:
    """Accept pairs of an image of the catalogue and a registry: ``nginx=mirror.example.com,redis=...``."""
    pairs = [each.partition("=") for each in listed(text)]
    if not all(name in CATALOGUE and registry and _PREFIX.fullmatch(registry) for name, _, registry in pairs):
        raise UnacceptableError(
            "images with the registries they came from, as `make up` writes it", "nginx=mirror.example.com"
        )
    return {name: registry for name, _, registry in pairs}


def docker_host(text: str) -> str:
    """Accept the address of a Docker engine on this machine."""
    if not re.fullmatch(r"unix:///[^\s]+", text):
        raise UnacceptableError("the socket of a Docker engine on this machine", "unix:///var/run/docker.sock")
    return text


def registration_token(text: str) -> str:
    """Accept a registration token: 12 to 64 of ``A-Z a-z 0-9 . _ ~ -`` (Matrix specification), one of them a letter.

    Conduit 0.10.12 stops at an empty token and takes one of digits only for a number.
    """
    if not _TOKEN.fullmatch(text):
        raise UnacceptableError("12 to 64 of A-Z a-z 0-9 . _ ~ - with at least one letter", "")
    return text


def secret(text: str) -> str:
    """Accept a password or shared secret that needs no quoting anywhere."""
    if not _SECRET.fullmatch(text) or '"' in text or "\\" in text:
        raise UnacceptableError("16 to 128 printable ASCII characters without blank, double quote and backslash", "")
    return text
