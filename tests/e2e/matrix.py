"""A Matrix client: matrix-nio where it speaks for us, plain requests where headers and status codes matter."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib import parse

import requests
from nio import AsyncClient, LoginResponse

T = TypeVar("T")


@dataclass
class Account:
    """A registered user."""

    user_id: str
    password: str
    access_token: str
    device_id: str


@dataclass
class Matrix:
    """A homeserver from its clients' side, reached through Nginx with its certificate verified."""

    url: str
    federation_url: str
    ca: str
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, *, token: str = "", base: str = "", **options: Any) -> requests.Response:  # noqa: ANN401
        """Send a request with the path as it is given."""
        headers = {**options.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        prepared = self.session.prepare_request(requests.Request(method, self.url, headers=headers, **options))
        prepared.url = (base or self.url) + path
        return self.session.send(prepared, verify=self.ca, timeout=60, allow_redirects=False)

    def register(self, token: str | None, name: str = "") -> requests.Response:
        """Go through the registration flow with a token (None: without one) and return the last answer."""
        body: dict[str, Any] = {"username": name or f"user-{uuid.uuid4().hex[:10]}", "password": uuid.uuid4().hex}
        path = "/_matrix/client/v3/register"
        first = self.ask("POST", path, json=body)
        if token is None or first.status_code != 401:
            return first
        session = first.json()["session"]
        (flow,) = first.json()["flows"]
        answer = first
        for stage in flow["stages"]:
            auth = {"type": stage, "session": session, **({"token": token} if "token" in stage else {})}
            answer = self.ask("POST", path, json={**body, "auth": auth})
            if stage not in answer.json().get("completed", []) and answer.status_code != 200:
                return answer
        answer.password = body["password"]  # type: ignore[attr-defined]
        return answer

    def new_account(self, token: str) -> Account:
        """Register a user."""
        answer = self.register(token)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return Account(
            user_id=body["user_id"],
            password=answer.password,  # type: ignore[attr-defined]
            access_token=body["access_token"],
            device_id=body["device_id"],
        )

    def account(self, user_id: str, password: str) -> Account:
        """Log in by password as a user who is there already."""
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user_id},
            "password": password,
        }
        answer = self.ask("POST", "/_matrix/client/v3/login", json=body)
        assert answer.status_code == 200, answer.text
        session = answer.json()
        assert session["user_id"] == user_id
        return Account(
            user_id=user_id, password=password, access_token=session["access_token"], device_id=session["device_id"]
        )

    def with_client(self, account: Account, act: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """Let a logged-in client of the library do something."""

        async def run() -> T:
            client = AsyncClient(self.url, account.user_id, ssl=ssl.create_default_context(cafile=self.ca))
            client.restore_login(account.user_id, account.device_id, account.access_token)
            try:
                return await act(client)
            finally:
                await client.close()

        return asyncio.run(run())

    def new_room(self, account: Account) -> str:
        """Make a room and return its id."""
        answer = self.ask("POST", "/_matrix/client/v3/createRoom", json={}, token=account.access_token)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["room_id"])

    def say_something(self, account: Account, room: str) -> None:
        """Send a message into a room, and ask for news. More often than every five seconds may be refused."""
        options = {"token": account.access_token}
        message = {"msgtype": "m.text", "body": "hello"}
        path = f"/_matrix/client/v3/rooms/{parse.quote(room)}/send/m.room.message/{uuid.uuid4().hex}"
        answer = self.ask("PUT", path, json=message, **options)
        assert answer.status_code == 200, answer.text
        assert self.ask("GET", "/_matrix/client/v3/sync?timeout=0", **options).status_code == 200

    def log_in(self, account: Account) -> str:
        """Log in by password with the library and return the new access token."""

        async def run() -> str:
            client = AsyncClient(self.url, account.user_id, ssl=ssl.create_default_context(cafile=self.ca))
            try:
                answer = await client.login(account.password)
                assert isinstance(answer, LoginResponse), answer
                return str(answer.access_token)
            finally:
                await client.close()

        return asyncio.run(run())
