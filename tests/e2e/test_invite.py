"""How people are let in: by a token to register with, or by an account that `make invite` makes."""

from __future__ import annotations

from tests.e2e.conftest import Conversation
from tests.e2e.deployed import Deployed


def test_make_token_prints_the_token_and_nothing_else_where_it_lets_people_in(homeserver: Deployed) -> None:
    result = homeserver.deployment.make("token", check=False)
    assert (result.returncode == 0) is not homeserver.expected.makes_accounts
    assert result.stdout.count("\n") == (0 if homeserver.expected.makes_accounts else 1)
    assert ("make invite" in result.stderr) is homeserver.expected.makes_accounts


def test_make_invite_prints_all_that_a_new_user_needs(homeserver: Deployed) -> None:
    shown = homeserver.deployment.make("invite", NAME="invited").stdout
    assert homeserver.deployment.url in shown
    token = homeserver.deployment.secrets()["matrix:registrationToken"]
    assert (token in shown) is not homeserver.expected.makes_accounts
    assert ("@invited:localhost" in shown) is homeserver.expected.makes_accounts
    assert "access" not in shown.lower(), "its tool prints an access token"


def test_a_name_that_is_taken_or_impossible_gets_a_sentence_where_accounts_are_made(
    homeserver: Deployed, conversation: Conversation
) -> None:
    taken = conversation.first.user_id.removeprefix("@").partition(":")[0]
    for name, words in ((taken, f"there is a user {taken} already"), ("Al ice", "cannot be a user's name")):
        result = homeserver.deployment.make("invite", check=False, NAME=name)
        assert (result.returncode == 0) is not homeserver.expected.makes_accounts, name
        assert (words in result.stderr) is homeserver.expected.makes_accounts, name
