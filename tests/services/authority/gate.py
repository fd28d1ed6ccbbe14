"""A gate before Pebble, which has no rate limits and never stalls. Runs in a container, standard library only.

What it does is in the file /tmp/mode: nothing; ``limit N``: everything that asks for an order is answered 429 with
``Retry-After: N``; ``hold``: whoever wants his order finalized waits until that is no longer the mode.
"""

import http.client
import ssl
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODE = Path("/tmp/mode")  # noqa: S108 (in the container)


def mode() -> str:
    """Return what to do now."""
    return MODE.read_text() if MODE.exists() else ""


class Gate(BaseHTTPRequestHandler):
    """Passes requests on, with the host they were sent to: Pebble builds its URLs from that."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Answer, late or with a refusal if that is the mode."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        verb, _, seconds = mode().partition(" ")
        print(self.command, self.path, verb, flush=True)
        if verb == "limit" and "order" in self.path and self.command == "POST":
            problem = b'{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many orders","status":429}'
            self.reply(429, [("Content-Type", "application/problem+json"), ("Retry-After", seconds)], problem)
            return
        while mode() == "hold" and "finalize" in self.path:
            time.sleep(0.05)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        pebble = http.client.HTTPSConnection("pebble", 14000, context=context, timeout=30)
        headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
        try:
            pebble.request(self.command, self.path, body=body or None, headers=headers)
            response = pebble.getresponse()
            kept = [
                (key, value)
                for key, value in response.getheaders()
                if key.lower() not in {"connection", "transfer-encoding", "content-length"}
            ]
            self.reply(response.status, kept, response.read())
        except OSError as error:
            self.reply(502, [], str(error).encode())
        finally:
            pebble.close()

    def reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_HEAD = answer  # noqa: N815 (the names that the server looks for)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("", 14000), Gate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain("/config/listener.pem")
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
