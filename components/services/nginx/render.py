"""Nginx' config files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, final

from components.templates import render
from config.outputs import WellKnownOutput

CERTIFICATES_MOUNT: Final = "/certificates"
"""Where the volume of the ACME client is in the container."""

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
        "well_known": sorted(documents),
        "names": " ".join(sorted({config.server_name, config.matrix_host})),
        "https_suffix": "" if config.https_port == https else f":{config.https_port}",
        # A single label is a name of the machine itself or of its network.
        "hsts": "." in config.matrix_host,
        "retry_after_ms": 60_000 // config.guesses_per_minute,
    }
    files = {name: render("nginx", name, **values) for name in _FILES}
    return {
        **files,
        "static/index.html": render("nginx", "index.html", **values),
        "static/health.json": '{"status":"ok"}\n',
        **{f".well-known/matrix/{name}": json.dumps(document) for name, document in documents.items()},
    }
