"""`/health` of Nginx, with the canary behind it: it answers whatever is down, and nothing that is not known is well.

These tests build on each other.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container
from docker.models.networks import Network

from components.services.canary import component as canary_component
from components.services.nginx.component import ALIAS as NGINX
from components.services.nginx.component import HTTP, HTTPS
from components.services.nginx.component import USER as NGINX_USER
from components.templates import program
from config.scraping import CANARY_PORT
from tests.services.conftest import Bench, execute
from tests.services.test_nginx import nginx_config
from tests.services.test_prometheus import until

SUBNET, HOMESERVER, CANARY = "10.89.251.0/28", "10.89.251.10", "10.89.251.11"
"""Docker gives the others addresses from the lower end."""


def place(bench: Bench, network: Network, container: Container, address: str, alias: str) -> Container:
    """Give a container, started without a network, a fixed address."""
    bench.client.api.disconnect_container_from_network(str(container.id), "none")
    network.connect(container, ipv4_address=address, aliases=[alias])
    return container


@pytest.fixture(scope="module")
def fixed(bench: Bench) -> Network:
    return bench.network(SUBNET)


@pytest.fixture(scope="module")
def homeserver(bench: Bench, fixed: Network) -> Container:
    script = (Path(__file__).parent / "writable.py").read_text(encoding="utf-8")
    made = bench.container("python", ["python3", "-uc", script], network_mode="none")
    return place(bench, fixed, made, HOMESERVER, "homeserver")


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def word(self) -> Any:  # noqa: ANN401 (JSON)
        return json.loads(self.text)["status"]


@dataclass
class Edge:
    nginx: Container
    certificate: str

    def health(self, method: str = "GET") -> Answer:
        """Ask, over TLS, whether all is well."""
        self.nginx.reload()
        (published,) = self.nginx.ports[f"{HTTPS}/tcp"] or []
        port = int(published["HostPort"])
        context = ssl.create_default_context(cadata=self.certificate)
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
        try:
            connection.request(method, "/health?verbose=1")
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read().decode())
        finally:
            connection.close()

    def becomes(self, word: str, seconds: float = 40) -> Answer:
        """Wait for a word, and return the answer with it."""

        def asked() -> Answer | None:
            try:
                answer = self.health()
            except OSError:
                return None
            return answer if answer.status in {200, 503} and answer.word == word else None

        found: Answer = until(asked, self.nginx, seconds)
        return found


@pytest.fixture(scope="module")
def edge(bench: Bench, fixed: Network, homeserver: Container, self_signed: tuple[str, str]) -> Edge:
    assert homeserver
    config = nginx_config(f"{HOMESERVER}:8008", self_signed, canary=f"{CANARY}:{CANARY_PORT}")
    volume = bench.volume(config, NGINX_USER)
    nginx = bench.container(
        "nginx",
        ["nginx", "-e", "stderr", "-c", "/config/nginx.conf", "-g", "daemon off;"],
        network=fixed.name,
        user=f"{NGINX_USER}:{NGINX_USER}",
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
        ports={f"{port}/tcp": ("127.0.0.1", None) for port in (HTTP, HTTPS)},
    )
    fixed.disconnect(nginx)
    fixed.connect(nginx, aliases=[NGINX])
    return Edge(nginx=nginx, certificate=self_signed[0])


@pytest.fixture(scope="module")
def canary(bench: Bench, fixed: Network, edge: Edge, self_signed: tuple[str, str]) -> Container:
    assert edge
    user = canary_component.USER
    files = {
        **{f"canary/{file}": program("canary", file) for file in canary_component.PROGRAM},
        "ca.pem": self_signed[0],
        "secrets/password": "Made-up-password-0123456789",
        "secrets/registration": "Made-up-registration-0123456789",
    }
    config, data = bench.volume(files, user), bench.volume({}, 0)
    made = bench.container(
        "python",
        ["-u", "-m", "canary.canary"],
        entrypoint=["python3"],
        network_mode="none",
        user=f"{user}:{user}",
        mem_limit="48m",
        environment={
            "PYTHONPATH": "/config",
            "HOMESERVER_URL": "http://homeserver:8008",
            "REGISTER_BY": "token",
            "INTERVAL_SECONDS": "1",
            "EDGE": f"{NGINX}:{HTTPS}",
            "EDGE_HOST": "localhost",
        },
        volumes={
            config.name: {"bind": "/config", "mode": "ro"},
            data.name: {"bind": "/fs/data", "mode": "ro"},
        },
    )
    return place(bench, fixed, made, CANARY, canary_component.ALIAS)


def parts(canary: Container) -> dict[str, Any]:
    """Return what the canary tells the inside of each part."""
    script = (
        "import http.client as c; h = c.HTTPConnection('127.0.0.1', 8082); h.request('GET', '/health'); "
        "print(h.getresponse().read().decode())"
    )
    code, output = execute(canary, "python3", "-c", script)
    assert code == 0, output
    found: dict[str, Any] = json.loads(output)["parts"]
    return found


def test_without_a_canary_nginx_starts_and_says_that_nobody_knows(edge: Edge) -> None:
    answer = edge.becomes("unknown")
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/json"


def test_all_is_well_when_every_part_is_known_to_be(edge: Edge, canary: Container) -> None:
    answer = edge.becomes("ok")
    assert answer.status == 200
    assert json.loads(answer.text) == {"status": "ok"}, "strangers learn one word"
    assert {name: part["works"] for name, part in parts(canary).items()} == {
        "edge": True,
        "homeserver": True,
        "disk": True,
        "writes": True,
    }


def test_an_answer_is_not_to_be_kept_and_says_nothing_of_what_gives_it(edge: Edge) -> None:
    answer = edge.becomes("ok")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["server"] == "nginx"
    assert "python" not in str(answer).lower()
    assert edge.health("HEAD").text == ""
    assert edge.health("HEAD").status == 200


def test_who_asks_too_often_is_told_so(edge: Edge) -> None:
    answers = [edge.health() for _ in range(40)]
    limited = [answer for answer in answers if answer.status == 429]
    assert limited
    assert json.loads(limited[0].text)["errcode"] == "M_LIMIT_EXCEEDED"


def test_who_cannot_write_is_not_well_whatever_else_answers(
    edge: Edge, canary: Container, homeserver: Container
) -> None:
    edge.becomes("ok")
    execute(homeserver, "touch", "/tmp/read-only")  # noqa: S108 (in the container)
    assert edge.becomes("failing").status == 503
    assert parts(canary)["writes"]["works"] is False
    assert parts(canary)["homeserver"]["works"] is True
    execute(homeserver, "rm", "/tmp/read-only")  # noqa: S108 (in the container)
    edge.becomes("ok")


def test_a_homeserver_that_is_down_is_told_at_once(edge: Edge, homeserver: Container) -> None:
    edge.becomes("ok")
    homeserver.stop(timeout=1)
    answer = edge.health()
    assert (answer.status, answer.word) == (503, "failing")
    homeserver.start()
    edge.becomes("ok", 60)


@pytest.mark.parametrize("end", ["pause", "stop"])
def test_a_canary_that_is_silent_makes_nobody_wait_and_nothing_well(edge: Edge, canary: Container, end: str) -> None:
    edge.becomes("ok")
    getattr(canary, end)()
    answer = edge.becomes("unknown", 5)
    assert answer.status == 503
    assert answer.headers["cache-control"] == "no-store"
    canary.unpause() if end == "pause" else canary.start()
    edge.becomes("ok")
