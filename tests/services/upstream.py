"""A stand-in for a homeserver behind Nginx: it says what it was asked. Runs in a container, standard library only."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    """Answers with the request as it arrived."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Answer; a path that ends in ``hold=N`` is answered after N seconds."""
        length = int(self.headers.get("Content-Length") or 0)
        received = len(self.rfile.read(length))
        if "hold=" in self.path:
            time.sleep(int(self.path.rpartition("hold=")[2]))
        body = json.dumps(
            {
                "path": self.path,
                "method": self.command,
                "received": received,
                "headers": {key.lower(): value for key, value in self.headers.items()},
                "versions": ["v1.11"],
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_OPTIONS = answer  # noqa: N815 (the names that the server looks for)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8008), Echo).serve_forever()
