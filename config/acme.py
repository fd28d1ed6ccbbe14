"""Settings of certificates that a CA issues over ACME."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Final, Literal, final
from urllib.parse import urlsplit

from config.errors import Problem, problem
from config.keys import key
from config.parsing import UnacceptableError

CertificateSource = Literal["self-signed", "acme-http", "acme-dns"]

_DIRECTORIES: Final = MappingProxyType(
    {
        "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
        "staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
    }
)
_EMAIL: Final = re.compile(r"[^@\s]+@[a-z0-9-]+(\.[a-z0-9-]+)+")
_URL: Final = re.compile(r"https://[a-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?")
_PAIR: Final = re.compile(r"[!-9;-~]{1,256}:[!-9;-~]{1,256}")
_HTTP_PORT: Final = 80


def _directory(text: str) -> str:
    """Accept the name of a known CA, or the URL of another one's directory."""
    url = _DIRECTORIES.get(text, text)
    if not _URL.fullmatch(url):
        raise UnacceptableError(f"{', '.join(_DIRECTORIES)}, or the https URL of an ACME directory", "letsencrypt")
    return url


def _email(text: str) -> str:
    """Accept an address, or none."""
    if text and not _EMAIL.fullmatch(text):
        raise UnacceptableError("one mail address", "admin@example.com")
    return text


def id_and_secret(text: str) -> str:
    """Accept an id and a secret with a colon between them."""
    if not _PAIR.fullmatch(text):
        raise UnacceptableError("an id and a secret with a colon between them, without blanks", "")
    return text


@final
@dataclass(frozen=True, kw_only=True)
class AcmeSettings:
    """The keys that count where ``certificates`` begins with ``acme``."""

    bound: bool
    """Whether there is an external account binding (secret ``acmeBinding``)."""
    acme_directory: str = key(_directory, "letsencrypt")
    """URL."""
    acme_email: str = key(_email, "")
    """Contact of the account; Let's Encrypt needs none."""

    @property
    def lets_encrypt(self) -> bool:
        """Whether the CA is Let's Encrypt, for trials or not."""
        return self.acme_directory in _DIRECTORIES.values()

    @property
    def publicly_trusted(self) -> bool:
        """Whether everybody trusts what the CA issues."""
        return self.acme_directory == _DIRECTORIES["letsencrypt"]

    @property
    def for_trials(self) -> bool:
        """Whether nobody trusts what the CA issues."""
        return self.acme_directory == _DIRECTORIES["staging"]

    @property
    def issuer(self) -> str:
        """What people call the CA."""
        return str(urlsplit(self.acme_directory).hostname)


def problems(values: Mapping[str, object]) -> list[Problem]:
    """Return what cannot work between settings; a setting that is wrong itself is not there."""
    source, directory = values.get("certificates"), values.get("acmeDirectory")
    if source not in {"acme-http", "acme-dns"} or not isinstance(directory, str):
        return []
    found: list[Problem] = []
    if source == "acme-http" and values.get("discovery") == "srv":
        found.append(
            problem(
                "certificates",
                source,
                "acme-dns: with discovery: srv others want a certificate for serverName, which may lead elsewhere",
                "acme-dns",
            )
        )
    if directory in _DIRECTORIES.values():
        names = ("matrixHost", "serverName") if source == "acme-dns" else ("matrixHost",)
        found += [_not_public(name, str(values[name])) for name in names if "." not in str(values.get(name, "."))]
        address = values.get("bindAddress")
        if source == "acme-http" and isinstance(address, str) and IPv4Address(address).is_loopback:
            found.append(
                problem(
                    "bindAddress",
                    address,
                    "an address that the CA reaches: with certificates: acme-http it asks this machine on port 80",
                    "0.0.0.0",  # noqa: S104 (what it is for)
                )
            )
    port = values.get("httpPort")
    # Elsewhere a router may lead port 80 to another one; a host on Aliyun has no router.
    if source == "acme-http" and values.get("target") == "aliyun" and isinstance(port, int) and port != _HTTP_PORT:
        found.append(
            problem("httpPort", str(port), "80, where a CA asks with certificates: acme-http", str(_HTTP_PORT))
        )
    return found


def _not_public(name: str, value: str) -> Problem:
    return problem(
        name,
        value,
        "a public name: no public CA issues a certificate for this one (certificates: self-signed needs none)",
        {"serverName": "example.com"}.get(name, "matrix.example.com"),
    )
