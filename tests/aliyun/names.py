"""Names as the emulated Alidns answers them, for whatever in this process looks a name up."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.name
import dns.resolver


def resolver(server: str) -> dns.resolver.Resolver:
    """Return a resolver that asks one name server.

    Args:
        server: its address and port, as ``EMULATED_ALIYUN_DNS`` has it.

    """
    address, _, port = server.rpartition(":")
    asking = dns.resolver.Resolver(configure=False)
    asking.nameservers = [address]
    asking.port = int(port)
    return asking


@contextmanager
def names_from(server: str, domain: str) -> Iterator[None]:
    """Look up the names of a domain at one name server; the others as before."""
    asking = resolver(server)
    usual = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (the standard library's)
        text = host.decode() if isinstance(host, bytes) else host
        if isinstance(text, str) and dns.name.from_text(text).is_subdomain(dns.name.from_text(domain)):
            (record,) = asking.resolve(text, "A")
            host = record.to_text()
        return usual(host, *arguments, **options)

    setattr(socket, "getaddrinfo", look_up)  # noqa: B010 (mypy: a function of a module)
    try:
        yield
    finally:
        setattr(socket, "getaddrinfo", usual)  # noqa: B010
