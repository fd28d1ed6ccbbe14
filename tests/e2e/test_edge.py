"""What the deployed stack shows to clients, browsers and other homeservers at its edge."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
from pathlib import Path

import pytest
from Crypto.Signature import eddsa

from tests.e2e.conftest import UPLOAD_LIMIT, Conversation
from tests.e2e.deployed import Deployed

SLIDING_SYNC = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
"""MSC4186."""
ORIGIN = {"Origin": "https://app.example"}
CORS = ("Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers")


def test_plain_http_is_redirected_to_the_published_port(deployed: Deployed) -> None:
    http, https, _ = deployed.deployment.ports
    answer = deployed.matrix.ask("GET", "/some/path?a=b", base=f"http://localhost:{http}")
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"https://localhost:{https}/some/path?a=b"


def test_health_says_that_all_is_well(deployed: Deployed) -> None:
    assert deployed.matrix.ask("GET", "/health").json() == {"status": "ok"}


def test_the_certificate_is_signed_by_the_ca_that_nginx_hands_out(deployed: Deployed) -> None:
    assert deployed.matrix.ask("GET", "/_static/ca.pem").content == Path(deployed.deployment.ca).read_bytes()


@pytest.mark.parametrize("port", [1, 2], ids=["clients", "federation"])
def test_a_client_that_does_not_trust_the_ca_refuses_the_certificate(deployed: Deployed, port: int) -> None:
    context = ssl.create_default_context()
    with (
        pytest.raises(ssl.SSLCertVerificationError),
        socket.create_connection(("localhost", deployed.deployment.ports[port]), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost"),
    ):
        pass


def test_the_client_api_has_the_expected_versions(homeserver: Deployed) -> None:
    versions = homeserver.matrix.ask("GET", "/_matrix/client/versions").json()["versions"]
    assert homeserver.expected.common_version in versions
    assert homeserver.expected.newest_version == versions[-1]


def test_login_is_by_password(homeserver: Deployed) -> None:
    flows = homeserver.matrix.ask("GET", "/_matrix/client/v3/login").json()["flows"]
    assert "m.login.password" in {flow["type"] for flow in flows}


def test_an_unknown_path_is_answered_by_the_homeserver_in_matrix_terms(homeserver: Deployed) -> None:
    answer = homeserver.matrix.ask("GET", "/_matrix/client/v3/no-such-thing")
    assert answer.status_code == 404
    assert answer.json()["errcode"] == "M_UNRECOGNIZED"


def test_the_documents_of_discovery_are_those_of_the_outputs(homeserver: Deployed) -> None:
    outputs = json.loads(homeserver.deployment.make("outputs").stdout)
    for name in ("client", "server"):
        answer = homeserver.matrix.ask("GET", f"/.well-known/matrix/{name}", headers=ORIGIN)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.json() == outputs["wellKnown"][name]
    client = homeserver.matrix.ask("GET", "/.well-known/matrix/client", headers=ORIGIN)
    assert client.raw.headers.getlist("Access-Control-Allow-Origin") == ["*"]
    base = client.json()["m.homeserver"]["base_url"].rstrip("/")
    assert homeserver.matrix.ask("GET", "/_matrix/client/versions", base=base).status_code == 200


def test_a_browser_may_ask_and_each_header_comes_once(homeserver: Deployed) -> None:
    headers = {**ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = homeserver.matrix.ask("OPTIONS", "/_matrix/client/v3/login", headers=headers)
    assert answer.status_code in {200, 204}
    for name in CORS:
        assert len(answer.raw.headers.getlist(name)) == 1, name
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_an_encoded_path_reaches_the_homeserver_as_it_was_sent(
    homeserver: Deployed, conversation: Conversation
) -> None:
    alias = "%23no%2Fwhere%3Alocalhost"
    answer = homeserver.matrix.ask("GET", f"/_matrix/client/v3/directory/room/{alias}")
    assert answer.status_code == 404
    assert answer.json()["errcode"] == "M_NOT_FOUND", "another code means that the path was decoded on its way"
    content = json.dumps({"name": "x"})
    path = f"/_matrix/client/v3/rooms/{conversation.room}/state/com.example.kind/a%2Fb%23c"
    homeserver.matrix.ask("PUT", path, token=conversation.first.access_token, data=content)
    state = homeserver.matrix.ask(
        "GET", f"/_matrix/client/v3/rooms/{conversation.room}/state", token=conversation.first.access_token
    ).json()
    assert "a/b#c" in {event["state_key"] for event in state if event["type"] == "com.example.kind"}


def test_the_address_that_a_client_claims_is_not_believed(homeserver: Deployed, conversation: Conversation) -> None:
    access = conversation.first.access_token
    forged = {"X-Forwarded-For": "1.2.3.4", "X-Real-IP": "1.2.3.4", "Forwarded": "for=1.2.3.4"}
    for _ in range(3):
        homeserver.matrix.ask("GET", "/_matrix/client/v3/sync?timeout=0", token=access, headers=forged)
    devices = homeserver.matrix.ask("GET", "/_matrix/client/v3/devices", token=access).json()["devices"]
    assert "1.2.3.4" not in {device.get("last_seen_ip") for device in devices}


def test_sliding_sync_gives_a_position_where_there_is_sliding_sync(
    homeserver: Deployed, conversation: Conversation
) -> None:
    body = {"lists": {"rooms": {"ranges": [[0, 9]], "required_state": [], "timeline_limit": 1, "sort": ["by_recency"]}}}
    answer = homeserver.matrix.ask(
        "POST",
        f"{SLIDING_SYNC}?timeout=0",
        token=conversation.first.access_token,
        json=body,
    )
    assert answer.status_code == homeserver.expected.sliding_sync, answer.text
    assert bool(answer.json().get("pos")) is (homeserver.expected.sliding_sync == 200)


def test_administration_is_not_reachable(deployed: Deployed) -> None:
    for path in (
        "/_synapse/admin/v1/server_version",
        "/_synapse/admin/v1/register",
        "/_conduit/",
        "/_dendrite/admin/x",
        "/metrics",
    ):
        answer = deployed.matrix.ask("GET", path)
        assert answer.status_code == 404, path
        assert answer.json()["errcode"] == "M_UNRECOGNIZED"


def test_the_federation_port_names_the_homeserver(homeserver: Deployed) -> None:
    for base in (homeserver.matrix.federation_url, homeserver.matrix.url):
        server = homeserver.matrix.ask("GET", "/_matrix/federation/v1/version", base=base).json()["server"]
        assert server["name"] == homeserver.expected.federation_name


def test_the_signing_key_is_the_homeservers_own_and_its_signature_holds(homeserver: Deployed) -> None:
    document = homeserver.matrix.ask("GET", "/_matrix/key/v2/server", base=homeserver.matrix.federation_url).json()
    assert document["server_name"] == "localhost"
    assert document["valid_until_ts"] > time.time() * 1000
    signatures = document.pop("signatures")["localhost"]
    document.pop("unsigned", None)
    assert document["verify_keys"], "no key, and so nothing verified below"
    # Canonical JSON: Matrix specification, appendices, signing JSON.
    signed = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    for name, entry in document["verify_keys"].items():
        key = eddsa.import_public_key(_decode(entry["key"]))
        eddsa.new(key, "rfc8032").verify(signed, _decode(signatures[name]))


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def test_another_homeserver_may_send_more_than_a_megabyte(homeserver: Deployed) -> None:
    path = "/_matrix/federation/v1/send/1"
    body = b'{"padding":"' + b"x" * (UPLOAD_LIMIT - 1024) + b'"}'
    headers = {"Content-Type": "application/json"}
    base = homeserver.matrix.federation_url
    answer = homeserver.matrix.ask("PUT", path, base=base, data=body, headers=headers)
    assert answer.status_code in {400, 401, 403}, "refused for its missing signature, not for its size"
