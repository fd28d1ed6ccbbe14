"""What of Nginx' config depends on settings; its behaviour is in tests/services."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

from components.services.nginx.render import PASSWORD_FILE, NginxConfig, password_line, render_files

CONFIG = NginxConfig(
    server_name="example.com",
    matrix_host="matrix.example.com",
    client_url="https://matrix.example.com:8443",
    https_port=8443,
    federation=True,
    synapse=True,
    upstream="10.89.64.2:6167",
    upload_limit=20 * 2**20,
    workers=2,
    well_known={
        "client": {"m.homeserver": {"base_url": "https://matrix.example.com:8443"}},
        "server": {"m.server": "matrix.example.com:8443"},
    },
)


def test_redirects_lead_to_the_published_port() -> None:
    assert "return 301 https://$host:8443$request_uri;" in render_files(CONFIG)["nginx.conf"]
    assert "return 301 https://$host$request_uri;" in render_files(replace(CONFIG, https_port=443))["nginx.conf"]


def test_both_names_are_served() -> None:
    assert "server_name example.com matrix.example.com;" in render_files(CONFIG)["nginx.conf"]


def test_without_federation_nothing_listens_on_its_port() -> None:
    assert "listen 8448" in render_files(CONFIG)["nginx.conf"]
    assert "listen 8448" not in render_files(replace(CONFIG, federation=False))["nginx.conf"]


def test_hsts_is_for_real_domain_names_only() -> None:
    assert "add_header Strict-Transport-Security" in render_files(CONFIG)["headers.conf"]
    local = replace(CONFIG, matrix_host="localhost", server_name="localhost")
    assert "add_header Strict-Transport-Security" not in render_files(local)["headers.conf"]


def test_only_synapse_has_pages_of_its_own() -> None:
    assert "_synapse/client" in render_files(CONFIG)["nginx.conf"]
    assert "_synapse" not in render_files(replace(CONFIG, synapse=False))["nginx.conf"]


def test_discovery_names_the_published_port_and_an_empty_document_is_not_served() -> None:
    files = render_files(CONFIG)
    assert json.loads(files[".well-known/matrix/server"]) == {"m.server": "matrix.example.com:8443"}
    assert "location = /.well-known/matrix/server" in files["nginx.conf"]
    files = render_files(
        replace(CONFIG, federation=False, well_known={"client": CONFIG.well_known["client"], "server": {}})
    )
    assert ".well-known/matrix/server" not in files
    assert "location = /.well-known/matrix/server" not in files["nginx.conf"]
    assert "location = /.well-known/matrix/client" in files["nginx.conf"]


def test_the_path_is_passed_on_untouched() -> None:
    assert "proxy_pass http://homeserver;" in render_files(CONFIG)["proxy.conf"]


def test_the_body_limit_is_the_homeservers() -> None:
    assert "client_max_body_size 20971520;" in render_files(CONFIG)["nginx.conf"]


def test_the_acme_clients_certificate_is_read_at_each_handshake() -> None:
    config = render_files(replace(CONFIG, issued=True))["nginx.conf"]
    # Without a variable in the path Nginx would read it once, when it starts.
    assert "ssl_certificate $certificate/fullchain.pem;" in config
    assert "ssl_certificate_key $certificate/privkey.pem;" in config
    assert "/config/tls" not in config
    assert "location ^~ /.well-known/acme-challenge/" in config
    assert "/certificates" not in render_files(CONFIG)["nginx.conf"]


def test_dashboards_are_shown_to_who_has_the_password_and_nowhere_else() -> None:
    assert "_dashboards" not in "".join(render_files(CONFIG).values())
    files = render_files(replace(CONFIG, dashboards={"prometheus": "prometheus:9090"}))
    assert "location ^~ /_dashboards/prometheus/ {" in files["nginx.conf"]
    assert f"auth_basic_user_file /config/{PASSWORD_FILE};" in files["dashboards.conf"]


def test_the_password_file_holds_no_password_and_is_the_same_at_the_next_run() -> None:
    name, _, hashed = password_line("local", "Made-up-password").strip().partition(":{SSHA}")
    raw = base64.b64decode(hashed)
    assert name == "admin"
    # RFC 2307 has {SHA}; with a salt it is the digest of both, and the salt after it.
    assert raw[:20] == hashlib.sha1(b"Made-up-password" + raw[20:], usedforsecurity=False).digest()
    assert password_line("local", "Made-up-password") == password_line("local", "Made-up-password")
    assert password_line("other", "Made-up-password") != password_line("local", "Made-up-password")
