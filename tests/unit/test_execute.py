"""What a command in a container printed, from a Docker engine that answers in ways that a busy one does."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from ops import engine
from toolchain.steps import StepFailed

UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n\r\n"
QUICK = b"\x01\0\0\0\0\0\0\x06hello " + b"\x02\0\0\0\0\0\0\x05there"
"""Frames of both outputs (Docker API, "Attach to a container": Stream format)."""


class Engine:
    """A Docker engine that runs one command: what it prints comes together with the header of the answer."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix://{path}"
        self.printed = QUICK
        self.ends = True
        self.exit_codes: list[int | None] = [0]
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            while request := reader.readline().decode():
                headers = b"".join(iter(reader.readline, b"\r\n")).decode()
                length = re.search(r"(?i)content-length: (\d+)", headers)
                reader.read(int(length.group(1)) if length else 0)
                path = request.split()[1]
                if path.endswith("/start"):
                    connection.sendall(UPGRADED + self.printed)
                    # What the command reads, until the input's end; one that hangs goes on after that.
                    reader.read()
                    if not self.ends:
                        threading.Event().wait(5)
                    return
                found = self._found(path)
                body = json.dumps(found).encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def _found(self, path: str) -> dict[str, object]:
        if path.endswith("/containers/some/json"):
            return {"Id": "some", "Name": "/some-service", "State": {"Status": "running"}}
        if path.endswith("/containers/some/exec"):
            return {"Id": "that"}
        return {"ExitCode": self.exit_codes.pop(0) if len(self.exit_codes) > 1 else self.exit_codes[0]}


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "docker.sock")
    yield made
    made.close()


def execute(fake: Engine, seconds: float = 60) -> tuple[int, str]:
    client = docker.DockerClient(base_url=fake.address, version="1.41")
    try:
        return engine.execute(client.containers.get("some"), ["hello"], "said", seconds=seconds)
    finally:
        client.close()


def test_what_comes_with_the_header_is_not_lost(fake: Engine) -> None:
    assert execute(fake) == (0, "hello there")


def test_an_exit_code_that_the_engine_does_not_know_yet_is_waited_for(fake: Engine) -> None:
    fake.exit_codes = [None, None, 7]
    assert execute(fake) == (7, "hello there")


def test_a_command_that_hangs_is_told_and_not_waited_for(fake: Engine) -> None:
    fake.ends, fake.exit_codes = False, [None]
    with pytest.raises(StepFailed, match=r"(?s)some-service.*hello has not ended within 1 s"):
        execute(fake, seconds=1)
