"""`make purge`: remove the stack with everything people wrote, its CA, its keys and its secrets."""

from __future__ import annotations

import os
import sys

from config.secret_keys import SECRET_KEYS
from ops import command, engine, ownership
from ops.repair import alone, repair
from ops.stack import Stack, from_arguments, require
from toolchain.steps import StepFailed, step


def main() -> None:
    """Ask, then destroy all of it."""
    stack = require(from_arguments("remove the stack and all its data"))
    _ask(stack)
    with alone(stack):
        _remove(stack)


def _remove(stack: Stack) -> None:
    with stack.docker_engine() as address:
        if address is not None:
            with engine.connect(address) as client:
                repair(client, stack)
                ownership.release(client, stack)
    with step(f"Stack {stack.name}: pulumi destroy") as this:
        this.hand_over()
        stack.run("state", "unprotect", "--all", "--yes")
        stack.run("destroy", "--yes", "--skip-preview")
    with step(f"Stack {stack.name}: secrets and state"):
        stack.ask("config", "rm-all", *SECRET_KEYS)
        stack.ask("stack", "rm", "--yes", "--preserve-config")
        stack.ca_file.unlink(missing_ok=True)


def _ask(stack: Stack) -> None:
    """Go on only when a person has typed the stack's name, or a script says it in ``CONFIRM``.

    Raises:
        StepFailed: neither.

    """
    print(
        f"This removes the stack {stack.name} for good: every conversation, every account, all media, the CA, the keys "
        "and the secrets. There is no way back."
    )
    said = os.environ.get("CONFIRM", "")
    if not said and sys.stdin.isatty():
        said = input(f"Type the stack's name ({stack.name}) to go on: ")
    if said != stack.name:
        raise StepFailed(
            step="purge",
            reason="not confirmed; nothing was removed",
            remedy=f"make purge STACK={stack.name} CONFIRM={stack.name}",
        )


if __name__ == "__main__":
    command.run(main)
