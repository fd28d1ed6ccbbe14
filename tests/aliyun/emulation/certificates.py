"""A test CA and the server's certificate, and a bundle that has the CA beside the system's roots."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import final

import trustme

_SYSTEM_ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")


@final
class Certificates:
    """Files in a folder, made when they are not there; ``bundle.pem`` is for ``SSL_CERT_FILE``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = folder / "ca.pem"
        self.bundle = folder / "bundle.pem"
        self._server = folder / "server.pem"
        if not (self.ca.is_file() and self._server.is_file() and self.bundle.is_file()):
            self._make()

    def context(self) -> ssl.SSLContext:
        """Return what a server needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._server)
        return context

    def _make(self) -> None:
        authority = trustme.CA(organization_name="Emulated Aliyun (tests only)")
        # lego's client of Alidns cannot be told another endpoint.
        certificate = authority.issue_cert("localhost", "127.0.0.1", "::1", "alidns.aliyuncs.com")
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        _write(self._server, certificate.private_key_pem.bytes() + chain, mode=0o600)
        roots = _SYSTEM_ROOTS.read_bytes() if _SYSTEM_ROOTS.is_file() else b""
        _write(self.bundle, roots + b"\n" + authority.cert_pem.bytes())
        _write(self.ca, authority.cert_pem.bytes())


def _write(path: Path, data: bytes, mode: int = 0o644) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
