"""`make preview`: what `make up` would change, without changing anything."""

from __future__ import annotations

from ops import command, server_name
from ops.stack import from_arguments, require


def main() -> None:
    """Show the preview."""
    stack = require(from_arguments("show what would change"))
    server_name.check(stack, stack.state(), stack.settings())
    stack.run("preview", "--diff")


if __name__ == "__main__":
    command.run(main)
