"""The CAs that a program in a container trusts: the public ones, and those that the stack's settings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import certifi
import pulumi

from components.container import CONFIG_MOUNT
from config.settings import Settings

_FILE: Final = "ca.pem"


def trust_files(settings: Settings) -> Mapping[str, str]:
    """Return the file for the config volume; none where the image's own CAs are enough.

    The public ones (Mozilla's, of the package certifi) are in it too: OpenSSL and rustls read this file instead of
    their own.
    """
    return {_FILE: certifi.contents() + settings.extra_ca} if settings.extra_ca else {}


def edge_authorities(settings: Settings, own_ca: pulumi.Output[str]) -> pulumi.Output[str] | None:
    """Return the CAs of which one has signed what Nginx serves: until a public one has, the stack's own.

    None: a CA for trials signs it, which nobody trusts.
    """
    if settings.certificates == "self-signed":
        return own_ca
    if settings.acme.for_trials:
        return None
    return pulumi.Output.concat(certifi.contents(), settings.extra_ca, own_ca)


def trust_environment(settings: Settings) -> Mapping[str, str]:
    """Return the variable that Conduit, Synapse and Dendrite read alike: their TLS libraries do."""
    return {"SSL_CERT_FILE": f"{CONFIG_MOUNT}/{_FILE}"} if settings.extra_ca else {}
