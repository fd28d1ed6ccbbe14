"""What the blackbox exporter asks of a stack."""

from __future__ import annotations

import re
from collections.abc import Sequence

from config.endpoints import CLIENT_DOCUMENT, CLIENT_VERSIONS, FEDERATION_VERSION, SERVER_DOCUMENT, SERVER_KEYS
from config.outputs import well_known
from config.scraping import Probe
from config.settings import Settings


def probes(settings: Settings, *, edge: str, federation: str, homeserver: str) -> Sequence[Probe]:
    """Return the probes.

    The edge and the homeserver behind it are asked the same question: which of the two answers tells where a fault is.

    Args:
        settings: of the stack.
        edge: host name and port where Nginx serves clients, inside the edge network.
        federation: the same for other homeservers.
        homeserver: address and port of the homeserver.

    """
    host = settings.matrix_host

    def at_the_edge(name: str, path: str, body: str, at: str = edge) -> Probe:
        return Probe(name=name, instance=host, url=f"https://{at}{path}", body=body, host=host)

    found = [
        at_the_edge("matrix_client", CLIENT_VERSIONS, '"versions"'),
        Probe(
            name="matrix_client_internal",
            instance="homeserver",
            url=f"http://{homeserver}{CLIENT_VERSIONS}",
            body='"versions"',
        ),
        at_the_edge("matrix_well_known", CLIENT_DOCUMENT, re.escape(settings.homeserver_url)),
    ]
    if settings.federation:
        name = re.escape(settings.server_name)
        found += [
            at_the_edge("matrix_federation", FEDERATION_VERSION, '"server"', federation),
            at_the_edge("matrix_federation_key", SERVER_KEYS, rf'"server_name":\s*"{name}"', federation),
        ]
    if well_known(settings)["server"]:
        address = re.escape(settings.federation_address)
        found.append(at_the_edge("matrix_well_known_server", SERVER_DOCUMENT, address))
    return tuple(found)
