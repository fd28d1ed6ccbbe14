"""`make secrets`: make the secrets that a stack's config lacks, from the operating system's random source."""

from __future__ import annotations

import secrets

from config.secret_keys import SECRET_KEYS
from ops import command
from ops.stack import Stack, from_arguments, missing
from toolchain.steps import step


def new_secret() -> str:
    """Return 256 random bits as 43 letters, digits, ``-`` and ``_``.

    It begins with a letter: Conduit 0.10.12 takes a token of digits only for a number, and a leading ``-`` looks like
    an option to command-line tools.
    """
    while not (secret := secrets.token_urlsafe(32))[0].isalpha():
        pass
    return secret


def make_missing(stack: Stack) -> int:
    """Set the secrets that are missing and that can be made here, and return how many there were."""
    texts, _ = stack.config()
    lacking = [name for name, key in SECRET_KEYS.items() if not texts.get(name) and not key.placeholder]
    for name in lacking:
        stack.set_secret(name, new_secret())
    return len(lacking)


def main() -> None:
    """Make the secrets that are missing, and the stack where only its file is there."""
    stack = from_arguments("make the secrets that the stack lacks")
    if not stack.config_file.exists():
        raise missing(stack)
    with step("Secrets") as this:
        stack.select()
        if not make_missing(stack):
            this.reused()


if __name__ == "__main__":
    command.run(main)
