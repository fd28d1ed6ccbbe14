"""The emulation's own interface, for tests in another process: faults, journal, limits, state.

Plain HTTP on loopback, JSON in and out::

    curl $EMULATED_ALIYUN_CONTROL/faults -d '{"action": "RunInstances", "kind": "throttle", "times": 2}'
    curl $EMULATED_ALIYUN_CONTROL/journal
"""

from __future__ import annotations

import dataclasses
import json
from http.server import BaseHTTPRequestHandler
from typing import Any, final

from tests.aliyun.emulation.api import Api
from tests.aliyun.emulation.faults import Fault
from tests.aliyun.emulation.server import LoopbackServer
from tests.aliyun.emulation.state import as_text

USAGE = """The emulated Aliyun's own interface:
GET /faults   those that wait;    POST /faults   add one;       DELETE /faults   forget them
GET /journal  the calls so far;                                 DELETE /journal  forget them
GET /limits   the quotas;         POST /limits   change some
GET /state    everything there is, user data and tokens left out
"""


class ControlServer(LoopbackServer):
    """Serves one API's control interface."""

    def __init__(self, address: tuple[str, int], api: Api) -> None:
        self.api = api
        super().__init__(address, _Handler)


@final
class _Handler(BaseHTTPRequestHandler):
    server: ControlServer

    def do_GET(self) -> None:
        api = self.server.api
        if self.path == "/faults":
            self._send(api.faults.waiting())
        elif self.path == "/journal":
            self._send([dataclasses.asdict(entry) for entry in api.journal.entries()])
        elif self.path == "/limits":
            self._send(dataclasses.asdict(api.cloud.limits))
        elif self.path == "/state":
            self._send(_without_secrets(api))
        else:
            self._send_text(404, USAGE)

    def do_POST(self) -> None:
        try:
            wanted = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            if self.path == "/faults":
                self.server.api.faults.add(Fault(**wanted))
            elif self.path == "/limits":
                _set_limits(self.server.api, wanted)
            else:
                self._send_text(404, USAGE)
                return
        except (TypeError, ValueError) as error:
            self._send_text(400, f"{error}\n")
            return
        self._send({})

    def do_DELETE(self) -> None:
        if self.path == "/faults":
            self.server.api.faults.clear()
        elif self.path == "/journal":
            self.server.api.journal.clear()
        else:
            self._send_text(404, USAGE)
            return
        self._send({})

    def _send(self, value: object) -> None:
        self._send_text(200, json.dumps(value, indent=1) + "\n", "application/json")

    def _send_text(self, status: int, text: str, kind: str = "text/plain") -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Write no log."""


def _set_limits(api: Api, wanted: dict[str, Any]) -> None:
    names = {field.name for field in dataclasses.fields(api.cloud.limits)}
    for name, value in wanted.items():
        if name not in names or not isinstance(value, int):
            raise ValueError(f"{name}: {value}: the limits are whole numbers: {', '.join(sorted(names))}")
        setattr(api.cloud.limits, name, value)


def _without_secrets(api: Api) -> dict[str, Any]:
    with api.cloud.lock:
        state: dict[str, Any] = json.loads(as_text(api.cloud.state))
    del state["tokens"]  # replies, and who asked
    for instance in state["instances"].values():
        instance["user_data"] = f"({len(instance['user_data'])} characters)"
    return state
