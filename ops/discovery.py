"""How other homeservers find this one, tried as they do it (Matrix specification, server-server API, 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, final

import dns.exception
import dns.rdatatype
import dns.resolver

from config.endpoints import FEDERATION_VERSION, SERVER_DOCUMENT
from ops.service import Answer, Edge

DEFAULT_PORT: Final = 8448
_HTTPS: Final = 443
_OK: Final = 200
_SERVICES: Final = ("_matrix-fed._tcp", "_matrix._tcp")
"""The second one is deprecated since v1.8, and still what older homeservers ask for."""


@final
@dataclass(frozen=True, kw_only=True)
class Way:
    """Where discovery leads, and what answers there."""

    by: str
    """What told it, for people."""
    name: str
    """The name that the certificate has to have."""
    host: str
    port: int
    answer: Answer = field(default_factory=lambda: Answer(status=0, text="not asked"))

    @property
    def works(self) -> bool:
        """Whether a homeserver answers there, with a certificate that is good for the name."""
        return self.answer.status == _OK and bool(self.answer.json().get("server"))


def discover(server_name: str, servers: Sequence[str], ca_file: Path | None) -> Way:
    """Go the way that another homeserver goes from a server name to the homeserver behind it.

    Args:
        server_name: a host name without port.
        servers: the resolvers to ask; empty: those of this machine.
        ca_file: a CA to trust instead of the public ones.

    """
    names = _Names(servers, ca_file)
    way = _by_document(server_name, names) or _by_record(server_name, server_name, names)
    way = way or Way(by="no document and no SRV record", name=server_name, host=server_name, port=DEFAULT_PORT)
    return replace(way, answer=names.ask(way.name, way.host, way.port, FEDERATION_VERSION))


def _by_document(server_name: str, names: _Names) -> Way | None:
    answer = names.ask(server_name, server_name, _HTTPS, SERVER_DOCUMENT)
    told = answer.json().get("m.server") if answer.status == _OK else None
    if not isinstance(told, str) or not told:
        return None
    host, _, port = told.partition(":")
    by = f"https://{server_name}{SERVER_DOCUMENT}"
    if port.isdigit():
        return Way(by=by, name=host, host=host, port=int(port))
    found = _by_record(host, host, names)
    return replace(found, by=f"{by}, then {found.by}") if found else Way(by=by, name=host, host=host, port=DEFAULT_PORT)


def _by_record(name: str, certified: str, names: _Names) -> Way | None:
    for service in _SERVICES:
        if (found := names.service(f"{service}.{name}")) is not None:
            host, port = found
            return Way(by=f"SRV {service}.{name}", name=certified, host=host, port=port)
    return None


@final
class _Names:
    """A resolver that does not mind names without records, and what is asked of the hosts it finds."""

    def __init__(self, servers: Sequence[str], ca_file: Path | None) -> None:
        self._ca_file = ca_file
        self._resolver = dns.resolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = list(servers)
        self._resolver.lifetime = 5

    def ask(self, name: str, host: str, port: int, path: str) -> Answer:
        try:
            address = str(self._resolver.resolve(host, dns.rdatatype.A)[0])
        except dns.exception.DNSException:
            return Answer(status=0, text=f"{host} has no address")
        return Edge(host=name, address=address, ca_file=self._ca_file).get(port, path)

    def service(self, name: str) -> tuple[str, int] | None:
        try:
            records = sorted(self._resolver.resolve(name, dns.rdatatype.SRV), key=lambda each: each.priority)
        except dns.exception.DNSException:
            return None
        return str(records[0].target).rstrip("."), int(records[0].port)
