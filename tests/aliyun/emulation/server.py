"""The HTTPS server in front of the API, on loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, final
from urllib.parse import parse_qsl, urlsplit

from tests.aliyun.emulation.api import Api, NoAnswerError
from tests.aliyun.emulation.signature import Request

_LARGEST = 1 << 20  # bytes of a request's body


class LoopbackServer(ThreadingHTTPServer):
    """Answers in a thread per connection, so that a slow client holds up nobody."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base class
        """Say nothing when a client goes away: plugins that are killed do."""

    def serve(self) -> threading.Thread:
        """Serve in a thread of its own."""
        thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True, name=type(self).__name__)
        thread.start()
        return thread


class ApiServer(LoopbackServer):
    """The API over TLS."""

    def __init__(self, address: tuple[str, int], api: Api, context: ssl.SSLContext) -> None:
        self.api = api
        self._context = context
        super().__init__(address, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base class
        """Shake hands in the connection's own thread."""
        with self._context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)


@final
class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet: two of them wait for each other, 40 ms at every call
    disable_nagle_algorithm = True
    server: ApiServer

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), _LARGEST)
        body = self.rfile.read(length)
        self._answer(body)

    def do_GET(self) -> None:
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        url = urlsplit(self.path)
        form = "x-www-form-urlencoded" in self.headers.get("Content-Type", "")
        request = Request(
            method=self.command,
            path=url.path,
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            form=dict(parse_qsl(body.decode(), keep_blank_values=True)) if form else {},
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        try:
            status, reply = self.server.api.answer(request)
        except NoAnswerError:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        data = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Write no log: the journal is it, and URLs hold user data."""
