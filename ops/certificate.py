"""The certificate of a stack: whose it is, until when, and what went wrong with renewing it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, final

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from config.project import PROJECT
from config.settings import Settings
from ops import engine
from toolchain.steps import StepFailed

_CLIENT: Final = "/usr/bin/acme"
_SHORT: Final = timedelta(days=14)


@final
@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What the ACME client says, see ``Status`` in ``images/acme/status.go``."""

    issued: bool
    """Whether the CA has issued what is served; else it is the stack's own CA's."""
    issuer: str
    serial: str
    not_after: datetime
    renew_at: datetime
    failures: int
    last_error: str
    next_attempt: datetime | None
    reissue_requested: bool
    chain: str
    """PEM of what is served."""


@final
@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One line for people."""

    works: bool
    seen: str


def acme_container(client: docker.DockerClient, stack: str) -> Container:
    """Return the container of the ACME client.

    Raises:
        StepFailed: there is none, or it does not run.

    """
    name = f"{PROJECT}-{stack}-acme"
    try:
        container = client.containers.get(name)
    except NotFound:
        container = None
    if container is None or container.status != "running":
        raise StepFailed(
            step="ACME client", reason=f"the container {name} does not run", remedy=f"make up STACK={stack}"
        )
    return container


def run_client(container: Container, command: str) -> str:
    """Run a command of the ACME client and return what it printed.

    Raises:
        StepFailed: it failed.

    """
    try:
        code, output = engine.execute(container, [_CLIENT, command])
    except APIError as error:
        code, output = 1, str(error)
    if code:
        raise StepFailed(
            step="ACME client",
            reason=output.strip(),
            remedy=f"docker logs {container.name} shows more",
        )
    return output


def renewal(client: docker.DockerClient, stack: str, settings: Settings) -> Renewal | None:
    """Return how renewal goes; None where no CA is asked.

    Raises:
        StepFailed: the ACME client does not run, or cannot say.

    """
    if settings.certificates == "self-signed":
        return None
    container = acme_container(client, stack)
    said = run_client(container, "status")
    try:
        return read(json.loads(said))
    except ValueError as error:
        raise StepFailed(
            step="ACME client",
            reason=f"it was asked how renewal goes and said {said.strip() or 'nothing'}",
            remedy=f"docker logs {container.name} shows more",
        ) from error


def read(status: Mapping[str, Any]) -> Renewal:
    """Read the client's JSON."""
    return Renewal(
        issued=status["issued"],
        issuer=status["issuer"],
        serial=status["serial"],
        not_after=datetime.fromisoformat(status["notAfter"]),
        renew_at=datetime.fromisoformat(status["renewAt"]),
        failures=status["failures"],
        last_error=status["lastError"],
        next_attempt=datetime.fromisoformat(status["nextAttempt"]) if status["nextAttempt"] else None,
        reissue_requested=status["reissueRequested"],
        chain=status["chain"],
    )


def verdict(found: Renewal, now: datetime) -> Verdict:
    """Say whether the certificate is the CA's and renewal goes well."""
    if not found.issued:
        seen = "the stack's own CA signed it: no certificate of the CA yet"
    elif now >= found.not_after:
        seen = f"from {found.issuer}, EXPIRED {_minute(found.not_after)}"
    else:
        seen = f"from {found.issuer}, until {_minute(found.not_after)}, renewal from {_minute(found.renew_at)}"
    if found.reissue_requested:
        seen += "; a new one with a new key was asked for"
    if found.failures:
        attempt = _minute(found.next_attempt) if found.next_attempt else "now"
        times = "1 attempt has" if found.failures == 1 else f"{found.failures} attempts have"
        seen += f"; {times} failed, the next is at {attempt}; the last said: {found.last_error}"
    elif found.last_error:
        seen += f"; {found.last_error}"
    return Verdict(works=found.issued and now < found.not_after and not found.last_error, seen=seen)


def own_verdict(end: datetime, now: datetime, stack: str) -> Verdict:
    """Say the same of a certificate that the stack's own CA signed; `make up` renews it."""
    ended = "EXPIRED" if now >= end else "until"
    return Verdict(
        works=end - now > _SHORT,
        seen=f"from the stack's own CA, {ended} {_minute(end)}; make up STACK={stack} renews it 60 days before",
    )


def _minute(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
