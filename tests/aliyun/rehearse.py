"""``make rehearse`` and ``make rehearse-down``."""

from __future__ import annotations

import argparse

from ops import command
from tests.aliyun import rehearsal


def main() -> None:
    """Run the command that is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.aliyun.rehearse", description=__doc__)
    parser.add_argument("command", choices=["up", "down"])
    parser.add_argument("--stack", default="dev")
    wanted = parser.parse_args()
    if wanted.command == "up":
        # `local` is what the Makefile says where nothing was said.
        rehearsal.up("dev" if wanted.stack == "local" else wanted.stack)
    else:
        rehearsal.down()


if __name__ == "__main__":
    command.run(main)
