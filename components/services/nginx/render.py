"""Nginx' config files."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, final

from components.templates import render
from config.monitoring import DASHBOARDS_PATH, DASHBOARDS_USER
from config.outputs import WellKnownOutput

CERTIFICATES_MOUNT: Final = "/certificates"
"""Where the volume of the ACME client is in the container."""
PASSWORD_FILE: Final = "dashboards-password"  # noqa: S105 (a name)
"""Name in the config volume of the file with the account that is asked for before the dashboards are shown."""
_SALT_BYTES: Final = 8

_FILES: Final = (
    "nginx.conf",
    "proxy.conf",
    "errors.conf",
    "headers.conf",
    "cors.conf",
    "health.conf",
    "upstream-health.conf",
    "well-known.conf",
)


@final
@dataclass(frozen=True, kw_only=True)
class NginxConfig:
    """What Nginx' config files say that differs between stacks."""

    server_name: str
    matrix_host: str
    client_url: str
    https_port: int
    """The published one, which redirects lead to."""
    federation: bool
    synapse: bool
    """Whether Synapse's own client pages are passed on."""
    upstream: str
    """Address and port of the homeserver."""
    upload_limit: int
    """Bytes, exactly the homeserver's."""
    workers: int
    well_known: WellKnownOutput
    """Documents of server discovery, by the last part of their path; an empty one is not served."""
    canary: str = ""
    """Address and port of who knows whether people can write; empty: nobody does."""
    log_socket: str = ""
    """Path of the Unix socket that is told of each answer; empty: none is."""
    dashboards: Mapping[str, str] = field(default_factory=dict)
    """Host name and port of the pages that are shown to who runs the stack, by the name they are found under."""
    issued: bool = False
    """Whether the certificate is the ACME client's, and its challenges are served."""
    guesses_per_minute: int = 30
    """How many logins and registrations an address may try."""
    guesses_burst: int = 20


def render_files(config: NginxConfig) -> Mapping[str, str]:
    """Return the files of the config volume but for certificates."""
    https = 443
    documents = {name: document for name, document in config.well_known.items() if document}
    values = {
        **asdict(config),
        "certificates": CERTIFICATES_MOUNT,
        "dashboards_path": DASHBOARDS_PATH,
        "password_file": PASSWORD_FILE,
        "well_known": sorted(documents),
        "names": " ".join(sorted({config.server_name, config.matrix_host})),
        "https_suffix": "" if config.https_port == https else f":{config.https_port}",
        # A single label is a name of the machine itself or of its network.
        "hsts": "." in config.matrix_host,
        "retry_after_ms": 60_000 // config.guesses_per_minute,
    }
    names = [*_FILES, *(["dashboards.conf"] if config.dashboards else [])]
    files = {name: render("nginx", name, **values) for name in names}
    return {
        **files,
        "static/index.html": render("nginx", "index.html", **values),
        "static/health.json": '{"status":"ok"}\n',
        **{f".well-known/matrix/{name}": json.dumps(document) for name, document in documents.items()},
    }


def password_line(stack: str, password: str) -> str:
    """Return the password file: one account, with a salted hash (``auth_basic_user_file``, scheme ``{SSHA}``).

    The salt follows from the stack, so that the same password is the same text at the next run. A fast hash is enough
    for a long password, and a slow one would be reckoned for each request, by the process that serves everybody.
    """
    salt = hashlib.sha256(stack.encode()).digest()[:_SALT_BYTES]
    digest = hashlib.sha1(password.encode() + salt, usedforsecurity=False).digest()
    return f"{DASHBOARDS_USER}:{{SSHA}}{base64.b64encode(digest + salt).decode()}\n"
