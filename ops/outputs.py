"""`make outputs`: the stack's outputs as JSON on standard output, secrets masked."""

from __future__ import annotations

import json

from ops import command
from ops.stack import from_arguments, require


def main() -> None:
    """Print the outputs, and nothing else, so that it can be piped."""
    stack = require(from_arguments("show the stack's outputs as JSON, secrets masked"))
    print(json.dumps(stack.outputs(), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    command.run(main)
