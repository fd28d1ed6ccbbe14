"""A stand-in for a homeserver that the canary writes to. Runs in a container, standard library only.

It refuses what it should write while ``/tmp/read-only`` is there, and goes on answering the rest.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

EVENTS: dict[str, object] = {}


class Homeserver(BaseHTTPRequestHandler):
    """As much of one as the canary asks."""

    def answer(self) -> None:
        """Answer."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        status = 200
        said: dict[str, object] = {"versions": ["v1.11"], "access_token": "x", "joined_rooms": ["!room:test"]}
        if self.command == "PUT":
            said = {"event_id": "$event"}
            EVENTS["$event"] = body
            if Path("/tmp/read-only").exists():  # noqa: S108 (in the container)
                status, said = 500, {"errcode": "M_UNKNOWN"}
        elif "/event/" in self.path:
            said = {"content": EVENTS["$event"]}
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = answer  # noqa: N815 (the names that the server looks for)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8008), Homeserver).serve_forever()
