"""`make status`: what works, what does not, what to do."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import final

from docker.models.containers import Container

from components.container import LABEL_ROLE
from config.endpoints import CLIENT_DOCUMENT, CLIENT_VERSIONS, FEDERATION_VERSION, SERVER_DOCUMENT
from config.settings import Settings
from ops import certificate, command, engine
from ops.discovery import discover
from ops.service import Edge
from ops.stack import Stack, from_arguments, require
from ops.up import edge_of
from toolchain.steps import StepFailed

_OK = 200


@final
@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the status."""

    what: str
    works: bool
    seen: str
    remedy: str = ""
    matters: bool = True
    """False: it may be due to this machine, and is a warning."""

    @property
    def word(self) -> str:
        """What the line begins with."""
        return "ok" if self.works else "FAIL" if self.matters else "WARN"


def main() -> None:
    """Print the status; exit 1 when something does not work."""
    stack = require(from_arguments("show what works"))
    settings = stack.settings()
    with stack.docker_client() as client:
        checks = [_container(each, stack) for each in engine.containers(client, stack.name) if _is_service(each)]
        try:
            found = certificate.renewal(client, stack.name, settings) if checks else None
        except StepFailed as error:
            found = None
            checks.append(Check(what="certificate", works=False, seen=error.reason, remedy=error.remedy))
    if not checks:
        checks.append(Check(what="containers", works=False, seen="none", remedy=f"make up STACK={stack.name}"))
    edge = edge_of(stack, settings, found)
    checks += [*_endpoints(edge, settings, stack), *_federation(edge, settings)]
    checks += _certificate(found, edge, settings, stack)
    width = max(len(check.what) for check in checks)
    for check in checks:
        print(f"{check.word:<4}  {check.what:<{width}}  {check.seen}")
        if not check.works and check.remedy:
            print(f"{'':<{width + 8}}-> {check.remedy}")
    if not all(check.works for check in checks if check.matters):
        sys.exit(1)


def _is_service(container: Container) -> bool:
    return bool(container.labels.get(LABEL_ROLE) == "service")


def _container(container: Container, stack: Stack) -> Check:
    health = engine.health(container)
    restarts = container.attrs["RestartCount"]
    return Check(
        what=str(container.name),
        works=health == "healthy",
        seen=health + (f", restarted {restarts} times" if restarts else ""),
        remedy=f"docker logs {container.name}; make up STACK={stack.name} starts what is stopped",
    )


def _certificate(found: certificate.Renewal | None, edge: Edge, settings: Settings, stack: Stack) -> list[Check]:
    now = datetime.now(UTC)
    if found is not None:
        verdict = certificate.verdict(found, now)
        remedy = "docs/certificates.md says what the usual errors mean"
    elif (end := edge.certificate_end(settings.https_port)) is not None:
        verdict = certificate.own_verdict(end, now, stack.name)
        remedy = f"make up STACK={stack.name}"
    else:
        return []  # the endpoints say why
    return [Check(what="certificate", works=verdict.works, seen=verdict.seen, remedy=remedy)]


def _endpoints(edge: Edge, settings: Settings, stack: Stack) -> list[Check]:
    asked = [("client API", settings.https_port, CLIENT_VERSIONS)]
    if settings.federation:
        asked.append(("federation API", settings.federation_port, FEDERATION_VERSION))
        if settings.discovery == "wellknown":
            asked.append(("server discovery", settings.https_port, SERVER_DOCUMENT))
    asked.append(("client discovery", settings.https_port, CLIENT_DOCUMENT))
    checks = []
    for what, port, path in asked:
        answer = edge.get(port, path)
        checks.append(
            Check(
                what=what,
                works=answer.status == _OK and bool(answer.json()),
                seen=f"https://{edge.host}:{port}{path} "
                + (f"answers {answer.status}" if answer.status else answer.text),
                remedy=f"docker logs matrix-{stack.name}-nginx",
            )
        )
    return checks


def _federation(edge: Edge, settings: Settings) -> list[Check]:
    """Return whether other homeservers find this one by its name, seen from here."""
    # A name of one label is one of this machine or its network.
    if not settings.federation or "." not in settings.server_name:
        return []
    way = discover(settings.server_name, settings.dns_servers, edge.ca_file)
    is_here = f"{way.host}:{way.port}" == settings.federation_address
    seen = f"{settings.server_name} -> {way.host}:{way.port} ({way.by})"
    if not way.works:
        seen += f": {way.answer.text}"
    elif not is_here:
        seen += f", and this stack is {settings.federation_address}"
    return [
        Check(
            what="found by others",
            works=way.works and is_here,
            seen=seen,
            remedy="docs/federation.md says which records and open ports it takes",
            matters=False,
        )
    ]


if __name__ == "__main__":
    command.run(main)
