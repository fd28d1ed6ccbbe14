"""The ACME client's config files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

FIRST_RETRY_SECONDS: Final = 120
"""After a failure; it doubles with each further one. Let's Encrypt allows five failed validations of a name an hour."""
LONGEST_RETRY_SECONDS: Final = 6 * 60 * 60
"""Eight attempts at least in the last third of a certificate of six days."""
PROPAGATION_SECONDS: Final = 300
"""How long a record may take from Alidns' API to its name servers."""


@final
@dataclass(frozen=True, kw_only=True)
class AcmeConfig:
    """What ``acme.json`` says that differs between stacks; ``images/acme/config.go`` reads it."""

    directory: str
    email: str
    names: Sequence[str]
    challenge: Literal["http-01", "dns-01"]
    edge: str
    """Base URL of Nginx for plain HTTP, on the edge network."""
    extra_ca: str
    """PEM of the CAs that are trusted besides the public ones; may be empty."""
    first_retry_seconds: int = FIRST_RETRY_SECONDS
    longest_retry_seconds: int = LONGEST_RETRY_SECONDS


def render_files(config: AcmeConfig) -> Mapping[str, str]:
    """Return the files of the config volume but for secrets and the initial certificate."""
    settings = {
        "directory": config.directory,
        "email": config.email,
        "names": list(config.names),
        "challenge": config.challenge,
        "edge": config.edge,
        "firstRetrySeconds": config.first_retry_seconds,
        "longestRetrySeconds": config.longest_retry_seconds,
        "propagationSeconds": PROPAGATION_SECONDS,
    }
    files = {"acme.json": json.dumps(settings, indent=2) + "\n"}
    return files | ({"ca.pem": config.extra_ca} if config.extra_ca else {})
