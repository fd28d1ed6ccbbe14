"""A real registry on loopback, and servers that behave like mirrors which should not be trusted."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from toolchain import distribution
from toolchain.places import Places

PROGRAM = "docker-registry"
"""Debian's package and program: the reference implementation, 2.8."""

_CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
_TLS_CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "{address}:{port}", tls: {{certificate: {certificate}, key: {certificate}}}}}
"""


def free_port() -> int:
    """Return a port on loopback where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@contextlib.contextmanager
def running_registry(folder: Path, places: Places) -> Iterator[str]:
    """Run a registry that keeps everything in ``folder``; give its host.

    Without TLS: Docker engines take what is in 127.0.0.0/8 without.
    """
    if shutil.which(PROGRAM) is None:
        distribution.install([PROGRAM], "tests pull images from a registry of their own", places)
        # Debian starts a service with the package; it has port 5000 and is not needed.
    port = free_port()
    with serving_registry(folder, _CONFIG.format(folder=folder / "storage", port=port), "127.0.0.1", port) as host:
        yield host


@contextlib.contextmanager
def registry_with_tls(folder: Path, address: str, certificate: Path) -> Iterator[str]:
    """Serve what a running registry keeps in ``folder`` on another address as well, with TLS; give its host."""
    port = free_port()
    config = _TLS_CONFIG.format(folder=folder / "storage", address=address, port=port, certificate=certificate)
    with serving_registry(folder, config, address, port) as host:
        yield host


@contextlib.contextmanager
def serving_registry(folder: Path, text: str, address: str, port: int) -> Iterator[str]:
    """Run a registry with a config; give its host once it listens."""
    config = folder / f"{port}.yml"
    config.write_text(text)
    log = folder / f"{port}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen([PROGRAM, "serve", str(config)], stdout=sink, stderr=sink)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
                break
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, "the registry does not listen"
            time.sleep(0.1)
        yield f"{address}:{port}"
    finally:
        process.terminate()
        process.wait(10)


_LAYER = 100_000
"""Bytes; what is larger is a layer."""
Change = Callable[["Proxy", bytes], None]
"""Sends the body of a blob to a client, or something else."""


class Proxy(BaseHTTPRequestHandler):
    """Passes requests on to a registry and does something to the blobs on the way back."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    change: Change

    def do_GET(self) -> None:
        """Pass it on."""
        self._pass_on()

    def do_HEAD(self) -> None:
        """Pass it on."""
        self._pass_on()

    def _pass_on(self) -> None:
        connection = http.client.HTTPConnection(self.upstream, timeout=30)
        headers = {key: value for key, value in self.headers.items() if key.lower() in {"accept", "range"}}
        connection.request(self.command, self.path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in {"transfer-encoding", "connection", "date", "server"}:
                self.send_header(key, value)
        self.end_headers()
        connection.close()
        if "/blobs/" in self.path and self.command == "GET":
            type(self).change(self, body)
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Say nothing."""


def tampered(handler: Proxy, body: bytes) -> None:
    """Send other bytes of the same length."""
    handler.wfile.write(body[:-1] + bytes([body[-1] ^ 1]))


def reset(handler: Proxy, body: bytes) -> None:
    """Send the first half, then a TCP reset.

    The Docker engine goes on where a layer broke off, up to six times: here the image's config makes it give up.
    """
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    # Closing with a linger time of zero is what makes a reset of it.
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.shutdown(socket.SHUT_RD)
    handler.close_connection = True
    handler.rfile.close()
    handler.wfile.close()
    handler.connection.close()


def stalled(handler: Proxy, body: bytes) -> None:
    """Send the first half of a layer and nothing more.

    What is small is sent whole: the Docker engine reads an image's config already when it is asked for the manifest.
    """
    if len(body) < _LAYER:
        handler.wfile.write(body)
        return
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    time.sleep(40)
    handler.close_connection = True


class Forbidden(BaseHTTPRequestHandler):
    """Answers 403 to everything, with a page as mirrors that were closed do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Refuse."""
        body = b"<html>403 Forbidden</html>"
        self.send_response(403)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 (the library's name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: the Docker engine tries TLS first and leaves when it meets none."""


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a free port of loopback; give the host."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def in_front_of(host: str, change: Change) -> contextlib.AbstractContextManager[str]:
    """Serve what a registry serves, with changed blobs."""
    return serving(type("ChangingProxy", (Proxy,), {"upstream": host, "change": staticmethod(change)}))


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Take connections and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"
