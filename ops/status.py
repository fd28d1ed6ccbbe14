"""`make status`: what works, what does not, what to do."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from docker.errors import APIError
from docker.models.containers import Container

from components.container import BUSYBOX, LABEL_ROLE
from config.endpoints import CLIENT_DOCUMENT, CLIENT_VERSIONS, FEDERATION_VERSION, HEALTH, SERVER_DOCUMENT
from config.scraping import CANARY_PORT
from config.settings import Settings
from ops import certificate, command, engine, measured
from ops.check import Check, all_works, as_json, as_text
from ops.discovery import discover
from ops.service import Edge
from ops.stack import Stack, from_arguments, require
from ops.up import edge_of
from toolchain.steps import StepFailed

_OK: Final = 200
_JSON: Final = "MATRIX_STATUS_JSON"


def main() -> None:
    """Print the status; exit 1 when something does not work."""
    stack = require(from_arguments("show what works"))
    # What is shown on the way is for people, and no part of the status.
    with contextlib.redirect_stdout(sys.stderr):
        checks = status(stack, stack.settings())
    if os.environ.get(_JSON, "") not in {"", "0"}:
        print(as_json(stack.name, checks))
    else:
        print(as_text(checks, colour=_in_colour()))
    if not all_works(checks):
        sys.exit(1)


def _in_colour() -> bool:
    """Return whether colours are wanted (https://no-color.org) and shown."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"


def status(stack: Stack, settings: Settings) -> list[Check]:
    """Return what works and what does not."""
    parts: Mapping[str, str] = {}
    monitoring: list[Check] = []
    renewal: certificate.Renewal | None = None
    try:
        with stack.docker_client() as client:
            services = [each for each in engine.containers(client, stack.name) if _is_service(each)]
            found = _containers(services, stack)
            by_name = {str(each.name).removeprefix(f"matrix-{stack.name}-"): each for each in services}
            if "canary" in by_name:
                parts = _what_fails(by_name["canary"])
            if services:
                try:
                    renewal = certificate.renewal(client, stack.name, settings)
                except StepFailed as failure:
                    remedy = failure.remedy
                    found.append(
                        Check(kind="certificate", what="renewal", works=False, seen=failure.reason, remedy=remedy)
                    )
            if settings.monitoring != "off" and services:
                prometheus = by_name.get("prometheus")
                monitoring = measured.checks(measured.ask(prometheus) if prometheus else None, settings)
    except StepFailed as failure:
        print(failure, file=sys.stderr)
        remedy = f"make up STACK={stack.name}"
        found = [
            Check(kind="docker", what="Docker engine", works=False, seen=failure.reason.split("\n")[0], remedy=remedy)
        ]
    edge = edge_of(stack, settings, renewal)
    return [
        *found,
        *_endpoints(edge, settings, stack),
        *_certificate(renewal, edge, settings, stack),
        _health(edge, settings, stack, parts),
        *_federation(edge, settings),
        *monitoring,
    ]


def _is_service(container: Container) -> bool:
    return bool(container.labels.get(LABEL_ROLE) == "service")


def _containers(services: Sequence[Container], stack: Stack) -> list[Check]:
    """Return one check for the containers that are well, and one for each of the others."""
    up = f"make up STACK={stack.name}"
    ill = [each for each in services if engine.health(each) != "healthy"]
    again = [f"{each.name} {count} times" for each in services if (count := each.attrs["RestartCount"])]
    well = len(services) - len(ill)
    seen = f"{well} of {len(services)} healthy" + (f"; restarted: {', '.join(again)}" if again else "")
    return [
        Check(
            kind="container",
            what="containers",
            works=not ill and bool(services),
            seen=seen,
            remedy="" if services else up,
        ),
        *(
            Check(
                kind="container",
                what=str(each.name),
                works=False,
                seen=engine.health(each),
                remedy=f"docker logs {each.name}; {up} starts what is stopped",
            )
            for each in ill
        ),
    ]


def _certificate(found: certificate.Renewal | None, edge: Edge, settings: Settings, stack: Stack) -> list[Check]:
    """Return until when the certificate counts that clients see, and what went wrong with renewing it."""
    now = datetime.now(UTC)
    if found is not None:
        verdict = certificate.verdict(found, now)
        remedy = "docs/certificates.md says what the usual errors mean"
    elif (end := edge.certificate_end(settings.https_port)) is not None:
        verdict = certificate.own_verdict(end, now, stack.name)
        remedy = f"make up STACK={stack.name}"
    else:
        return []  # the endpoints say why
    return [Check(kind="certificate", what="certificate", works=verdict.works, seen=verdict.seen, remedy=remedy)]


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
                kind="endpoint",
                what=what,
                works=answer.status == _OK and bool(answer.json()),
                seen=f"https://{edge.host}:{port}{path} "
                + (f"answers {answer.status}" if answer.status else answer.text),
                remedy=f"docker logs matrix-{stack.name}-nginx",
            )
        )
    return checks


def _what_fails(canary: Container) -> Mapping[str, str]:
    """Return the parts that do not work as the canary sees them; strangers are not told which.

    Not with `wget`, which shows nothing of an answer with status 503.
    """
    asked = "GET /health HTTP/1.0\r\n\r\n"
    try:
        command_line = [BUSYBOX, "nc", "127.0.0.1", str(CANARY_PORT)]
        _, answer = engine.execute(canary, command_line, asked)
        parts = json.loads(answer.partition("\r\n\r\n")[2])["parts"]
    except (APIError, OSError, ValueError, KeyError, StepFailed):
        return {}
    return {name: part["seen"] for name, part in parts.items() if part["works"] is not True}


def _health(edge: Edge, settings: Settings, stack: Stack, parts: Mapping[str, str]) -> Check:
    """Return what machines are told, and why."""
    answer = edge.get(settings.https_port, HEALTH)
    said = f"answers {answer.status} {answer.json().get('status', '')}".rstrip() if answer.status else answer.text
    why = "; ".join(f"{name}: {seen}" for name, seen in sorted(parts.items()))
    asked = "canary" if settings.canary else "nginx"
    return Check(
        kind="endpoint",
        what="health",
        works=answer.status == _OK,
        seen=f"https://{edge.host}:{settings.https_port}{HEALTH} {said}" + (f" ({why})" if why else ""),
        remedy=f"docker logs matrix-{stack.name}-{asked}",
    )


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
            kind="federation",
            what="found by others",
            works=way.works and is_here,
            seen=seen,
            remedy="docs/federation.md says which records and open ports it takes",
            matters=False,
        )
    ]


if __name__ == "__main__":
    command.run(main)
