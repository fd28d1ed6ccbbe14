"""`make reissue`: a new certificate with a new key, for when the old key has leaked or the CA has revoked it."""

from __future__ import annotations

import time

from ops import command
from ops.certificate import Renewal, acme_container, renewal, run_client
from ops.stack import Stack, from_arguments, require
from toolchain.steps import StepFailed, step

_PATIENCE_SECONDS = 120


def main() -> None:
    """Ask the ACME client, and wait for what it says."""
    stack = require(from_arguments("have the CA issue a new certificate for a new key"))
    settings = stack.settings()
    with stack.docker_client() as client:
        before = renewal(client, stack.name, settings)
        if before is None:
            raise StepFailed(
                step="reissue",
                reason="the certificate is of the stack's own CA (certificates: self-signed); no CA can be asked",
                remedy=f"make down STACK={stack.name} keeps that CA; docs/certificates.md says how to replace its key",
            )
        with step("A new certificate with a new key"):
            run_client(acme_container(client, stack.name), "reissue")
            deadline = time.monotonic() + _PATIENCE_SECONDS
            after = before
            while after.serial == before.serial and not _failed(before, after):
                if time.monotonic() > deadline:
                    raise _refused(stack, "it takes long, and goes on by itself")
                time.sleep(1)
                after = renewal(client, stack.name, settings) or before
            if after.serial == before.serial:
                raise _refused(stack, after.last_error)
    print(f"From {after.issuer}, until {after.not_after}. The old one is no longer served; it is not revoked.")


def _failed(before: Renewal, after: Renewal) -> bool:
    return (after.failures, after.next_attempt) != (before.failures, before.next_attempt) and bool(after.last_error)


def _refused(stack: Stack, reason: str) -> StepFailed:
    return StepFailed(
        step="reissue",
        reason=f"{reason}. The old certificate is still served",
        remedy=f"it is tried again; make status STACK={stack.name} says when",
    )


if __name__ == "__main__":
    command.run(main)
