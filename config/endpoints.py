"""Paths by which a stack is asked whether it serves. Source, but for the last: Matrix specification, both APIs."""

from __future__ import annotations

from typing import Final

CLIENT_VERSIONS: Final = "/_matrix/client/versions"
CLIENT_DOCUMENT: Final = "/.well-known/matrix/client"
FEDERATION_VERSION: Final = "/_matrix/federation/v1/version"
SERVER_DOCUMENT: Final = "/.well-known/matrix/server"
SERVER_KEYS: Final = "/_matrix/key/v2/server"
HEALTH: Final = "/health"
