"""Nginx with the config we render: what clients, other homeservers and strangers get."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container

from components.services.nginx.component import HTTP, HTTPS, USER
from components.services.nginx.render import NginxConfig, render_files
from tests.services.conftest import Bench, execute

LIMIT = 2**20
CORS = "access-control-allow-origin"
CORS_HEADERS = {
    CORS: "*",
    "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
    "access-control-allow-headers": "X-Requested-With, Content-Type, Authorization",
}
"""Matrix specification, client-server API, section "Web browser clients"."""


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self) -> Any:  # noqa: ANN401 (JSON)
        return json.loads(self.body)


@dataclass
class Edge:
    nginx: Container
    upstream: Container
    ports: dict[int, int]
    certificate: Path

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def ask(self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request over TLS with the path exactly as it is given."""
        connection = http.client.HTTPSConnection("localhost", self.ports[HTTPS], context=self.context(), timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def ask_plain(self, path: str, host: str) -> Answer | None:
        """Send a request without TLS; None: the connection was closed without an answer."""
        connection = http.client.HTTPConnection("localhost", self.ports[HTTP], timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        except http.client.RemoteDisconnected:
            return None
        finally:
            connection.close()


def nginx_config(upstream: str, pair: tuple[str, str], *, log_socket: str = "", canary: str = "") -> dict[str, str]:
    """Return the files of a config volume, with a certificate and its key."""
    config = NginxConfig(
        server_name="matrix.test",
        matrix_host="localhost",
        client_url="https://localhost",
        https_port=443,
        federation=True,
        synapse=False,
        upstream=upstream,
        upload_limit=LIMIT,
        workers=1,
        well_known={"client": {"m.homeserver": {"base_url": "https://localhost"}}, "server": {"m.server": "x:443"}},
        guesses_per_minute=30,
        guesses_burst=5,
        log_socket=log_socket,
        canary=canary,
    )
    certificate, key = pair
    return {
        **render_files(config),
        "tls/fullchain.pem": certificate,
        "tls/privkey.pem": key,
        "static/ca.pem": certificate,
    }


@pytest.fixture(scope="module")
def edge(bench: Bench, self_signed: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Edge:
    certificate, _ = self_signed
    network = bench.network()
    script = (Path(__file__).parent / "upstream.py").read_text(encoding="utf-8")
    upstream = bench.container("synapse", ["python3", "-c", script], network=network.name)
    upstream.reload()
    address = upstream.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
    files = nginx_config(f"{address}:8008", self_signed)
    volume = bench.volume(files, USER)
    nginx = bench.container(
        "nginx",
        ["nginx", "-e", "stderr", "-c", "/config/nginx.conf", "-g", "daemon off;"],
        network=network.name,
        user=f"{USER}:{USER}",
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
        ports={f"{port}/tcp": ("127.0.0.1", None) for port in (HTTP, HTTPS, 8448)},
    )
    trusted = tmp_path_factory.mktemp("tls") / "ca.pem"
    trusted.write_text(certificate)
    deadline = time.monotonic() + 60
    ports: dict[int, int] = {}
    while time.monotonic() < deadline:
        nginx.reload()
        ports = {
            int(inner.partition("/")[0]): int(outer[0]["HostPort"]) for inner, outer in nginx.ports.items() if outer
        }
        found = Edge(nginx=nginx, upstream=upstream, ports=ports, certificate=trusted)
        try:
            if found.ask("GET", "/_matrix/client/versions").status == 200:
                break
        except OSError:
            time.sleep(0.3)
        except KeyError:
            time.sleep(0.3)
    else:
        pytest.fail(nginx.logs().decode())
    return found


def test_the_config_is_valid_and_warns_of_nothing(edge: Edge) -> None:
    code, output = execute(edge.nginx, "nginx", "-e", "stderr", "-t", "-c", "/config/nginx.conf")
    assert code == 0, output
    assert "warn" not in output


@pytest.mark.parametrize(
    "path", ["/metrics", "/_synapse/metrics", "/_dendrite/monitor/up", "/_synapse/admin/v1/register"]
)
def test_what_is_for_the_inside_is_not_passed_on(edge: Edge, path: str) -> None:
    assert edge.ask("GET", path).status == 404


def test_plain_http_is_redirected_for_good(edge: Edge) -> None:
    answer = edge.ask_plain("/some/path?a=b", "localhost")
    assert answer is not None
    assert answer.status == 301
    assert answer.header("Location") == ["https://localhost/some/path?a=b"]


def test_a_name_that_is_not_ours_gets_no_answer(edge: Edge) -> None:
    assert edge.ask_plain("/", "stranger.example") is None
    context = edge.context()
    context.check_hostname = False
    with (
        pytest.raises(ssl.SSLError),
        socket.create_connection(("localhost", edge.ports[HTTPS]), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="stranger.example"),
    ):
        pass


def test_the_federation_port_answers_under_any_name(edge: Edge) -> None:
    context = edge.context()
    context.check_hostname = False
    with (
        socket.create_connection(("localhost", edge.ports[8448]), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="delegated.example") as connection,
    ):
        connection.sendall(
            b"GET /_matrix/key/v2/server HTTP/1.1\r\nHost: delegated.example\r\nConnection: close\r\n\r\n"
        )
        assert connection.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(
    "path",
    [
        "/_matrix/client/v3/rooms/!a%2Fb:x/state/m.room.name/%23key",
        "/_matrix/client/v3/directory/room/%23alias:x",
        "/_matrix//client/versions",
        "/_matrix/client/v3/sync?since=a%20b&filter=%7B%7D",
        "/_matrix/media/v3/download/x/%E4%BE%8B",
    ],
)
def test_a_path_reaches_the_homeserver_unchanged(edge: Edge, path: str) -> None:
    assert edge.ask("GET", path).json()["path"] == path


def test_what_the_client_claims_of_its_address_is_not_passed_on(edge: Edge) -> None:
    forged = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "http"}
    headers = edge.ask("GET", "/_matrix/client/versions", headers=forged).json()["headers"]
    assert "1.2.3.4" not in headers["x-forwarded-for"]
    assert headers["x-forwarded-proto"] == "https"
    assert headers["host"] == f"localhost:{edge.ports[HTTPS]}"


def test_the_connection_to_the_homeserver_is_kept(edge: Edge) -> None:
    headers = edge.ask("GET", "/_matrix/client/versions", headers={"Connection": "upgrade", "Upgrade": "x"}).json()[
        "headers"
    ]
    assert "connection" not in headers
    assert "upgrade" not in headers


def test_an_upload_of_exactly_the_limit_passes(edge: Edge) -> None:
    answer = edge.ask("POST", "/_matrix/media/v3/upload", body=bytes(LIMIT))
    assert answer.status == 200
    assert answer.json()["received"] == LIMIT


@pytest.mark.parametrize("path", ["/_matrix/media/v3/upload", "/_matrix/federation/v1/send/1"])
def test_one_byte_more_is_refused_in_matrix_terms(edge: Edge, path: str) -> None:
    answer = edge.ask("POST", path, body=bytes(LIMIT + 1))
    assert answer.status == 413
    assert answer.json()["errcode"] == "M_TOO_LARGE"
    assert answer.header("Content-Type") == ["application/json"]
    assert answer.header(CORS) == ["*"]


def test_an_answer_of_the_homeserver_has_its_own_cors_header_only(edge: Edge) -> None:
    assert edge.ask("GET", "/_matrix/client/versions").header(CORS) == ["*"]


@pytest.mark.parametrize("name", ["client", "server"])
def test_discovery_is_served_to_browsers_and_homeservers(edge: Edge, name: str) -> None:
    path = f"/.well-known/matrix/{name}"
    answer = edge.ask("GET", path)
    assert answer.status == 200
    assert set(answer.json()) == {{"client": "m.homeserver", "server": "m.server"}[name]}
    assert answer.header("Content-Type") == ["application/json"]
    assert edge.ask("OPTIONS", path).status == 204
    assert edge.ask("POST", path).status == 405
    for each in (answer, edge.ask("OPTIONS", path)):
        assert [each.header(header) for header in CORS_HEADERS] == [[value] for value in CORS_HEADERS.values()]
    assert edge.ask("GET", "/.well-known/matrix/support").status == 404


@pytest.mark.parametrize(
    "path", ["/_synapse/admin/v1/users", "/_synapse/client/x", "/_conduit/x", "/admin", "/_health"]
)
def test_what_is_not_for_clients_is_not_there(edge: Edge, path: str) -> None:
    answer = edge.ask("GET", path)
    assert answer.status == 404
    assert answer.json()["errcode"] == "M_UNRECOGNIZED"


def test_the_landing_page_and_the_ca_are_served(edge: Edge) -> None:
    assert edge.ask("GET", "/").header("Location") == ["/_static/"]
    page = edge.ask("GET", "/_static/")
    assert page.header("Content-Type") == ["text/html; charset=utf-8"]
    assert b"https://localhost" in page.body
    assert edge.ask("GET", "/_static/ca.pem").body == edge.certificate.read_bytes()
    assert edge.ask("GET", "/_static/../tls/privkey.pem").status in {400, 404}


def test_a_single_label_gets_no_hsts_and_every_page_the_other_headers(edge: Edge) -> None:
    for path in ("/", "/_static/", "/_matrix/client/versions", "/nothing"):
        answer = edge.ask("GET", path)
        assert answer.header("Strict-Transport-Security") == []
        assert answer.header("X-Content-Type-Options") == ["nosniff"], path


def test_tls_below_1_2_is_refused(edge: Edge) -> None:
    context = edge.context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        pytest.raises((ssl.SSLError, ConnectionResetError)),
        socket.create_connection(("localhost", edge.ports[HTTPS]), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_current_tls_and_http_2_are_spoken(edge: Edge, version: ssl.TLSVersion) -> None:
    context = edge.context()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("localhost", edge.ports[HTTPS]), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        assert connection.selected_alpn_protocol() == "h2"


def test_queries_are_not_logged(edge: Edge) -> None:
    edge.ask("GET", "/_matrix/client/v3/sync?access_token=very-secret")
    log = edge.nginx.logs().decode()
    assert "/_matrix/client/v3/sync" in log
    assert "very-secret" not in log


def test_guessing_is_slowed_down_in_matrix_terms(edge: Edge) -> None:
    answers = [edge.ask("POST", "/_matrix/client/v3/login", body=b"{}") for _ in range(12)]
    limited = [answer for answer in answers if answer.status == 429]
    assert answers[0].status == 200
    assert len(limited) >= 5
    assert limited[0].json()["errcode"] == "M_LIMIT_EXCEEDED"
    assert limited[0].json()["retry_after_ms"] > 0
    assert limited[0].header(CORS) == ["*"]
    assert edge.ask("GET", "/_matrix/client/v3/login").status == 200, "asking for the flows is no guess"
    assert edge.ask("POST", "/_matrix/client/v3/createRoom", body=b"{}").status == 200


@pytest.mark.timeout(90)
def test_a_long_poll_is_held(edge: Edge) -> None:
    started = time.monotonic()
    assert edge.ask("GET", "/_matrix/client/v3/sync?hold=35").status == 200
    assert time.monotonic() - started >= 35


def test_a_homeserver_that_is_down_is_told_and_found_again_without_a_reload(edge: Edge) -> None:
    assert edge.ask("GET", "/health").json() == {"status": "ok"}
    edge.upstream.stop(timeout=1)
    answer = edge.ask("GET", "/_matrix/client/versions")
    assert answer.status == 502
    assert answer.json()["errcode"] == "M_UNKNOWN"
    assert answer.header(CORS) == ["*"]
    assert edge.ask("GET", "/health").status == 503
    assert edge.ask("GET", "/health").json() == {"status": "failing"}
    edge.upstream.start()
    deadline = time.monotonic() + 30
    while (answer := edge.ask("GET", "/_matrix/client/versions")).status != 200 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answer.status == 200
    assert edge.ask("GET", "/health").status == 200
