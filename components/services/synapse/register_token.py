"""Makes the registration token of the stack's config known to Synapse, whose tokens live in its database.

Runs in a container of its own, in Synapse's image, with nothing but the standard library. It may run any number of
times. It logs in as ``registrar``, an admin that it makes by the shared secret the first time; makes the token if it
is not there; and removes other tokens that never end, so that a token which was replaced in the config is worthless.
Tokens with a limit of uses or of time are people's own and stay.

Reads ``HOMESERVER_URL`` from the environment and its secrets from files. Prints no secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final
from urllib import error, parse, request

SECRETS: Final = Path("/config/secrets")
USER: Final = "registrar"
PATIENCE_SECONDS: Final = 90
_TOKENS: Final = "/_synapse/admin/v1/registration_tokens"


class Refused(Exception):  # noqa: N818 (what happened)
    """The homeserver refused a request. ``code`` is the Matrix error code."""

    def __init__(self, what: str, status: int, code: str) -> None:
        super().__init__(f"{what}: the homeserver answered {status} {code}")
        self.code = code


def secret(name: str) -> str:
    """Return a secret from its file."""
    return (SECRETS / name).read_text(encoding="utf-8").strip()


def call(method: str, path: str, body: object = None, access_token: str = "") -> Any:  # noqa: ANN401 (JSON)
    """Send a request and return the JSON answer.

    Raises:
        Refused: the homeserver answered with an error.
        OSError: it did not answer.

    """
    headers = {"Content-Type": "application/json"}
    if access_token:
        headers["Authorization"] = f"Bearer {access_token}"
    data = None if body is None else json.dumps(body).encode()
    asked = request.Request(os.environ["HOMESERVER_URL"] + path, data, headers, method=method)  # noqa: S310
    try:
        with request.urlopen(asked, timeout=30) as answer:  # noqa: S310 (http on the edge network)
            return json.load(answer)
    except error.HTTPError as refusal:
        try:
            code = json.load(refusal).get("errcode", "")
        except ValueError:
            code = ""
        if code == "M_LIMIT_EXCEEDED":
            time.sleep(5)
        raise Refused(f"{method} {path.partition('?')[0]}", refusal.code, code) from refusal


def wait_for_homeserver() -> None:
    """Wait until the homeserver answers.

    Raises:
        OSError: it did not within the time.
        Refused: it answered with errors all the time.

    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            call("GET", "/_matrix/client/versions")
        except (OSError, Refused):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def register() -> str:
    """Make the account by the shared secret and return an access token.

    Source: Synapse's documentation, admin API, shared-secret registration.
    """
    nonce = call("GET", "/_synapse/admin/v1/register")["nonce"]
    password = secret("registrar_password")
    text = b"\0".join(part.encode() for part in (nonce, USER, password, "admin"))
    mac = hmac.new(secret("registration_shared_secret").encode(), text, hashlib.sha1).hexdigest()
    body = {"nonce": nonce, "username": USER, "password": password, "admin": True, "mac": mac}
    return str(call("POST", "/_synapse/admin/v1/register", body)["access_token"])


def log_in() -> str:
    """Return an access token of the account, which is made where there is none yet."""
    body = {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": USER},
        "password": secret("registrar_password"),
        "device_id": "REGISTRAR",
    }
    try:
        return str(call("POST", "/_matrix/client/v3/login", body)["access_token"])
    except Refused as refused:
        if refused.code != "M_FORBIDDEN":
            raise
    return register()


def settle_tokens(access_token: str, wanted: str) -> None:
    """Make the wanted token exist and be the only one that never ends."""
    tokens = call("GET", _TOKENS, access_token=access_token)["registration_tokens"]
    endless = {each["token"] for each in tokens if each["uses_allowed"] is None and each["expiry_time"] is None}
    if wanted not in {each["token"] for each in tokens}:
        call("POST", f"{_TOKENS}/new", {"token": wanted}, access_token)
    for token in endless - {wanted}:
        call("DELETE", f"{_TOKENS}/{parse.quote(token, safe='')}", access_token=access_token)


def main() -> int:
    """Do it; say in one line what was done or what went wrong."""
    try:
        wait_for_homeserver()
        access_token = log_in()
        settle_tokens(access_token, secret("registration_token"))
        call("POST", "/_matrix/client/v3/logout", {}, access_token)
    except (OSError, Refused) as failure:
        print(f"The registration token could not be set: {failure}", file=sys.stderr)
        return 1
    print("The registration token is set.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
