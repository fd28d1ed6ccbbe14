"""Two complete stacks with different homeservers talk: found once by a document and once by an SRV record.

`make test` does it with Synapse and Dendrite; `make federation` with every pair whose images are there, and writes what
was measured to docs/federation.md.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any
from urllib.parse import quote

import pytest

from config.homeservers import HOMESERVERS, HomeserverName
from tests.e2e.conftest import figure
from tests.e2e.deployed import Deployed, has_conduit
from tests.e2e.matrix import Account
from tests.federation.name_server import name_server
from tests.federation.side import Side, known, up
from tests.recording import ROOT

WRITES = os.environ.get("WRITE_FEDERATION") == "1"
DOCUMENT = ROOT / "docs" / "federation.md"
ARRIVES_WITHIN = 60.0
FILE = os.urandom(100_000)
HEADER = """\
| from | to | a message takes | the answer takes | file | |
| --- | --- | --- | --- | --- | --- |
"""
# What does not work upstream, with what is seen. The test fails once it does work: the table is to be true.
UPSTREAM: Mapping[tuple[str, str], str] = {
    ("conduit", "dendrite"): "Dendrite 0.15 answers the join with 200 and then does not know the room",
}


@dataclass
class Pair:
    """Both sides running, each with somebody who has an account there."""

    first: Side
    second: Side
    running: Mapping[str, Deployed]
    people: dict[str, Account] = field(default_factory=dict)

    def person(self, side: Side) -> Account:
        """Return the account of a side, made at the first call."""
        if side.server_name not in self.people:
            self.people[side.server_name] = self.running[side.server_name].new_account()
        return self.people[side.server_name]

    def ask(self, side: Side, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 (of a request)
        """Ask a side's homeserver as the person who lives there."""
        token = self.person(side).access_token
        return self.running[side.server_name].matrix.ask(method, path, token=token, **options)


def sides(first: HomeserverName, second: HomeserverName) -> tuple[Side, Side]:
    """Return who federates: the first is found by a document, the second by an SRV record and not on port 443."""
    return (
        Side(server_name="alpha.test", homeserver=first, subnet="10.89.92.0/24", discovery="wellknown", https_port=443),
        Side(server_name="beta.test", homeserver=second, subnet="10.89.93.0/24", discovery="srv", https_port=8443),
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    pairs: list[tuple[HomeserverName, HomeserverName]] = [("synapse", "dendrite")]
    if WRITES:
        names = [name for name in HOMESERVERS if name != "conduit" or has_conduit()]
        pairs = list(permutations(names, 2))
    metafunc.parametrize("pair", pairs, indirect=True, scope="module", ids=["-".join(each) for each in pairs])


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two stacks that reach each other and do not trust each other's certificates yet."""
    both = sides(*request.param)
    names = {name: side.address for side in both for name in (side.matrix_host, side.server_name)}
    with ExitStack() as stack:
        stack.enter_context(known(names))
        running = {
            side.server_name: stack.enter_context(up(side, side.deployment(tmp_path_factory.mktemp(side.homeserver))))
            for side in both
        }
        client = running[both[0].server_name].deployment.client
        zones = {side.server_name: side.records for side in both}
        stack.enter_context(name_server(client, "names-test", zones, [side.address for side in both]))
        yield Pair(first=both[0], second=both[1], running=running)


@pytest.fixture(scope="module", autouse=True)
def rows() -> Iterator[dict[tuple[str, str], str]]:
    """What is measured, a row for each direction; written to the document by `make federation`."""
    found: dict[tuple[str, str], str] = {}
    yield found
    if WRITES:
        text = DOCUMENT.read_text(encoding="utf-8")
        begin = text.index(HEADER) + len(HEADER)
        lines = [line.split("|") for line in text[begin:].splitlines()]
        old = {(cells[1].strip().lower(), cells[2].strip().lower()): "|".join(cells) for cells in lines}
        DOCUMENT.write_text(text[:begin] + "\n".join({**old, **found}.values()) + "\n", encoding="utf-8")


def room_for(pair: Pair, inviting: Side, invited: Side) -> Any:  # noqa: ANN401 (a response)
    """Make a room, with the other side's person invited, and return the answer."""
    body = {
        "invite": [pair.person(invited).user_id],
        "preset": "trusted_private_chat",
        # Dendrite knows none above.
        "room_version": "10",
    }
    return pair.ask(inviting, "POST", "/_matrix/client/v3/createRoom", json=body)


def until(what: str, found: Callable[[], Any]) -> tuple[Any, float]:
    """Ask until something is found; return it with the seconds it took."""
    started = time.monotonic()
    while not (value := found()):
        assert time.monotonic() - started < ARRIVES_WITHIN, what
        time.sleep(0.02)
    return value, time.monotonic() - started


def is_invited(pair: Pair, side: Side, room: str) -> bool:
    answer = pair.ask(side, "GET", "/_matrix/client/v3/sync?timeout=0")
    return answer.status_code == 200 and room in answer.json().get("rooms", {}).get("invite", {})


def has_heard(pair: Pair, side: Side, room: str, words: str) -> bool:
    answer = pair.ask(side, "GET", f"/_matrix/client/v3/rooms/{quote(room)}/messages?dir=b&limit=20")
    return answer.status_code == 200 and any(event["content"].get("body") == words for event in answer.json()["chunk"])


def say(pair: Pair, side: Side, room: str, words: str) -> None:
    path = f"/_matrix/client/v3/rooms/{quote(room)}/send/m.room.message/{quote(words)}"
    answer = pair.ask(side, "PUT", path, json={"msgtype": "m.text", "body": words})
    assert answer.status_code == 200, answer.text


def test_who_does_not_trust_the_others_ca_does_not_talk_to_them(pair: Pair) -> None:
    answer = room_for(pair, pair.first, pair.second)
    assert answer.status_code >= 400 or not is_invited(pair, pair.second, answer.json()["room_id"])


def test_private_addresses_are_closed_until_a_setting_opens_them(pair: Pair) -> None:
    cas = {name: (running.deployment.folder / ".state").glob("*-ca.pem") for name, running in pair.running.items()}
    texts = {name: next(found).read_text(encoding="utf-8") for name, found in cas.items()}
    for name, running in pair.running.items():
        (ca,) = [text for key, text in texts.items() if key != name]
        running.deployment.configure("extraCa", ca)
        running.deployment.make("up")
    for inviting, invited in ((pair.first, pair.second), (pair.second, pair.first)):
        if inviting.homeserver == "conduit":
            continue  # it has no such list: docs/federation.md
        answer = room_for(pair, inviting, invited)
        assert answer.status_code >= 400 or not is_invited(pair, invited, answer.json()["room_id"])
    for side, other in ((pair.first, pair.second), (pair.second, pair.first)):
        deployment = pair.running[side.server_name].deployment
        deployment.configure("federationPrivateRanges", f"{other.address}/32")
        deployment.make("up")


def test_status_says_by_which_way_each_is_found(pair: Pair) -> None:
    for side, way in (
        (pair.first, "alpha.test -> chat.alpha.test:443 (https://alpha.test/.well-known/matrix/server)"),
        (pair.second, "beta.test -> chat.beta.test:8448 (SRV _matrix-fed._tcp.beta.test)"),
    ):
        text = pair.running[side.server_name].deployment.make("status").stdout
        (line,) = [each for each in text.splitlines() if "found by others" in each]
        assert line.startswith("ok ")
        assert way in line


@pytest.mark.parametrize("direction", ["there", "back"])
def test_people_talk_and_share_a_file(pair: Pair, direction: str, rows: dict[tuple[str, str], str]) -> None:
    here, there = (pair.first, pair.second) if direction == "there" else (pair.second, pair.first)
    names = tuple(HOMESERVERS[side.homeserver].display_name for side in (here, there))
    begin = f"| {names[0]} | {names[1]} "
    key = (here.homeserver, there.homeserver)
    # What was tried before the way was open is not tried again at once.
    room, _ = until(
        "no invitation gets through",
        lambda: next(iter([answer.json()["room_id"]] if (answer := room_for(pair, here, there)).ok else []), None),
    )
    until("the invitation does not arrive", lambda: is_invited(pair, there, room))
    joined, _ = until(
        "joining fails", lambda: pair.ask(there, "POST", f"/_matrix/client/v3/join/{quote(room)}", json={}).ok
    )
    assert joined
    if key in UPSTREAM:
        asked = pair.ask(there, "GET", f"/_matrix/client/v3/rooms/{quote(room)}/state")
        assert not asked.ok, "it works now: take it out of UPSTREAM"
        rows[key] = f"{begin}| - | - | - | {UPSTREAM[key]} |"
        return
    say(pair, here, room, "hello over there")
    _, forth = until("nothing is heard there", lambda: has_heard(pair, there, room, "hello over there"))
    say(pair, there, room, "hello to you")
    _, back = until("nothing is heard back", lambda: has_heard(pair, here, room, "hello to you"))
    # With a type, as clients send it: Dendrite passes an untyped file on in a way that Synapse stumbles over.
    typed = {"Content-Type": "application/octet-stream"}
    upload = pair.ask(here, "POST", "/_matrix/media/v3/upload", data=FILE, headers=typed)
    assert upload.ok, upload.text
    media = upload.json()["content_uri"].removeprefix("mxc://")
    until("the file does not arrive", lambda: fetched(pair, there, media) == FILE)
    rows[key] = f"{begin}| {forth:.2f} s | {back:.2f} s | fetched | |"
    figure(
        f"federation {here.homeserver} -> {there.homeserver}: a message takes {forth:.2f} s, the answer {back:.2f} s"
    )


def fetched(pair: Pair, side: Side, media: str) -> bytes:
    """Fetch a file of the other side through one's own homeserver."""
    for path in (f"/_matrix/client/v1/media/download/{media}", f"/_matrix/media/v3/download/{media}"):
        answer = pair.ask(side, "GET", path)
        if answer.ok:
            return bytes(answer.content)
    return b""
