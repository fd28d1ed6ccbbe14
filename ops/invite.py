"""`make invite`: let somebody in. An account where the homeserver registers nobody, else what registration takes."""

from __future__ import annotations

import os
import re
import secrets
import sys
from typing import Final

from docker.errors import NotFound

from config.homeservers import HOMESERVERS
from config.project import PROJECT
from config.settings import Settings, parse
from ops import command, engine
from ops.stack import Stack, from_arguments, require
from toolchain.steps import StepFailed

NAME_VARIABLE: Final = "MATRIX_INVITE"
"""How the Makefile hands over ``NAME=…``."""

_LONGEST_USER_ID: Final = 255
_NAME: Final = re.compile(r"[0-9a-z+=./-][0-9a-z_+=./-]*")
"""What Dendrite takes (its internal/validate.go), which is what the Matrix specification allows."""


def main() -> None:
    """Print what a new user needs, once."""
    stack = require(from_arguments("make an account for a new user, or show how one is made"))
    texts, sealed = stack.config()
    settings = parse(stack.name, texts, sealed)
    if HOMESERVERS[settings.homeserver].registers_by_token:
        _show_token(settings, texts.get("registrationToken", ""))
    else:
        _make_account(stack, settings, _name(settings, stack))


def _show_token(settings: Settings, token: str) -> None:
    if not settings.registration_by_token:
        raise StepFailed(
            step="invite",
            reason="registration is closed: nobody can make an account",
            remedy=f"pulumi config set registration token && make up STACK={settings.stack}",
        )
    print(f"Homeserver:         {settings.homeserver_url}")
    print(f"Registration token: {token}")
    print("In any Matrix client: choose this homeserver, create an account, and give the token when it is asked for.")


def _name(settings: Settings, stack: Stack) -> str:
    """Return the name for the account: from ``NAME=…``, or asked for.

    Raises:
        StepFailed: it is none that a user can have, or there is nobody to ask.

    """
    name = os.environ.get(NAME_VARIABLE, "")
    if not name and sys.stdin.isatty():
        name = input("Name of the new user, such as alice: ")
    problem = _problem(name, settings.server_name)
    if problem:
        raise StepFailed(
            step="invite", reason=problem, remedy=f"make invite STACK={stack.name} NAME=alice, for instance"
        )
    return name


def _problem(name: str, server_name: str) -> str:
    """Return what is wrong with a name, in a sentence; empty where nothing is."""
    if not name:
        return "no name was given for the new user"
    if not _NAME.fullmatch(name):
        return f"{name!r} cannot be a user's name: it takes a-z, 0-9 and . _ = - / + and does not begin with _"
    if len(f"@{name}:{server_name}") > _LONGEST_USER_ID:
        return f"that name is too long: with the server's name it may have {_LONGEST_USER_ID} characters"
    return ""


def _make_account(stack: Stack, settings: Settings, name: str) -> None:
    facts = HOMESERVERS[settings.homeserver]
    password = secrets.token_urlsafe(15)  # 120 bits, and still short enough to be typed once
    with stack.docker_client() as client:
        try:
            container = client.containers.get(f"{PROJECT}-{stack.name}-{settings.homeserver}")
        except NotFound:
            container = None
        if container is None or engine.health(container) != "healthy":
            raise StepFailed(
                step="invite",
                reason=f"{facts.display_name} does not run",
                remedy=f"make up STACK={stack.name}",
            )
        # Dendrite's own tool; it takes the shared secret from the config. It prints an access token, so nothing of
        # what it says about a success is shown.
        code, output = engine.execute(
            container,
            [
                *("create-account", "-config", "/config/dendrite.yaml", "-url", f"http://127.0.0.1:{facts.port}"),
                *("-username", name, "-passwordstdin"),
            ],
            f"{password}\n",
        )
    if code:
        raise StepFailed(
            step="invite",
            reason=f"there is a user {name} already" if "M_USER_IN_USE" in output else output.strip(),
            remedy=f"choose another name: make invite STACK={stack.name} NAME=…",
        )
    print(f"Homeserver: {settings.homeserver_url}")
    print(f"User:       @{name}:{settings.server_name}")
    print(f"Password:   {password}")
    print("It is shown this once and kept nowhere. In any Matrix client: choose this homeserver, log in, change it.")


if __name__ == "__main__":
    command.run(main)
