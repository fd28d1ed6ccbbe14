"""`make token`: show the registration token."""

from __future__ import annotations

from ops import command
from ops.stack import from_arguments, require


def main() -> None:
    """Print the token, and nothing else, so that it can be piped."""
    stack = require(from_arguments("show the registration token"))
    print(stack.ask("config", "get", "registrationToken").strip())


if __name__ == "__main__":
    command.run(main)
