"""`make token`: show the registration token."""

from __future__ import annotations

from config.homeservers import HOMESERVERS
from config.settings import parse
from ops import command
from ops.stack import from_arguments, require
from toolchain.steps import StepFailed


def main() -> None:
    """Print the token, and nothing else, so that it can be piped."""
    stack = require(from_arguments("show the registration token"))
    texts, sealed = stack.config()
    facts = HOMESERVERS[parse(stack.name, texts, sealed).homeserver]
    if not facts.registers_by_token:
        raise StepFailed(
            step="token",
            reason=f"{facts.display_name} lets nobody register, token or not",
            remedy=f"make an account for each user: make invite STACK={stack.name} NAME=alice",
        )
    print(texts.get("registrationToken", ""))


if __name__ == "__main__":
    command.run(main)
