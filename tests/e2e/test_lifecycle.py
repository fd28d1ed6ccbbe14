"""Running it again, changing it, taking it down and up again. The last tests of a deployment: they change it."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import jsonschema
import pytest
import requests

from tests.e2e.alerted import CHECKS_OF_THE_MACHINE
from tests.e2e.conftest import Conversation, figure
from tests.e2e.deployed import Deployed
from tests.e2e.watch import address_of, outage, watched
from tests.recording import ROOT

SECRET = "[secret]"  # noqa: S105 (what Pulumi shows instead)


def unchanged(output: str) -> bool:
    """Return whether `pulumi up` says that it changed nothing."""
    summary = output[output.rindex("Resources:") :]
    return bool(re.search(r"\d+ unchanged", summary)) and not re.search(
        r"\d+ (created|updated|replaced|deleted|changed)", summary
    )


def test_a_second_make_up_changes_nothing(deployed: Deployed) -> None:
    before = deployed.deployment.started_at()
    output = deployed.deployment.make("up").stdout
    figure(f"{deployed.homeserver}: make up with nothing to do: {deployed.deployment.seconds('up')} s")
    assert unchanged(output)
    assert deployed.deployment.started_at() == before


def test_plain_pulumi_changes_nothing_either(deployed: Deployed) -> None:
    deployment = deployed.deployment
    deployment.pulumi("preview", "--expect-no-changes")
    deployment.pulumi("preview", "--expect-no-changes", "--refresh")
    assert unchanged(deployment.pulumi("up", "--yes", "--skip-preview").stdout)


def test_status_says_that_everything_works(homeserver: Deployed) -> None:
    deadline = time.monotonic() + 90  # a monitored stack that has just come up has not looked at everything yet
    while True:
        told = json.loads(homeserver.deployment.make("status", check=False, JSON="1").stdout)["checks"]
        found = {each["what"]: each["state"] for each in told if not CHECKS_OF_THE_MACHINE.fullmatch(each["what"])}
        assert len(found) >= 6
        if set(found.values()) == {"ok"}:
            return
        assert time.monotonic() < deadline, found
        time.sleep(5)


def test_the_outputs_keep_their_contract_and_mask_secrets(deployed: Deployed) -> None:
    outputs = json.loads(deployed.deployment.make("outputs").stdout)
    schema = json.loads((ROOT / "docs" / "outputs.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(outputs)
    assert outputs["registrationToken"] == outputs["grafanaAdminPassword"] == SECRET
    assert outputs["homeserverUrl"] == deployed.deployment.url
    assert outputs["homeserver"]["implementation"] == deployed.homeserver


def test_make_up_ends_with_what_to_do_next(deployed: Deployed) -> None:
    text = deployed.deployment.make("up").stdout.rstrip().rpartition("\n\n")[2]
    for word in (deployed.deployment.url, "ca.pem", deployed.expected.next_step, "make status"):
        assert word in text


def test_a_replaced_homeserver_is_found_again_without_touching_nginx(deployed: Deployed) -> None:
    deployment = deployed.deployment
    nginx = deployment.container("nginx").attrs["State"]["StartedAt"]
    before = deployment.container(deployed.homeserver).id
    key, other, afterwards = deployed.expected.replaced_by
    deployment.configure(key, other)
    with watched([address_of(deployment)]) as seen:
        deployment.make("up")
    assert seen[-1][1], "it does not answer"
    assert deployment.container(deployed.homeserver).id != before, "it was not replaced"
    assert deployment.container("nginx").attrs["State"]["StartedAt"] == nginx
    # None at all where nginx holds the request that comes in between until the new one answers.
    assert outage(seen) < 5 + 30, "30 s are for the old one to end"
    figure(f"{deployed.homeserver}: without an answer while it was replaced: {outage(seen):.1f} s")
    if deployed.real:
        assert deployed.matrix.register(None).status_code == 403, "registration is closed now"
    deployment.configure(key, afterwards)
    deployment.make("up")


def test_what_was_stopped_or_removed_by_hand_is_told_and_repaired(deployed: Deployed) -> None:
    deployment = deployed.deployment
    deployment.container("redis").stop()
    status = deployment.make("status", check=False)
    assert status.returncode != 0
    assert re.search(r"^FAIL +matrix-\S+-redis +exited", status.stdout, re.MULTILINE)
    deployment.container("nginx").remove(force=True)
    deployment.make("up")
    assert deployment.container("redis").attrs["State"]["Health"]["Status"] == "healthy"
    assert deployed.matrix.ask("GET", "/health").status_code == 200


def test_a_killed_process_comes_back_by_itself(deployed: Deployed) -> None:
    deployment = deployed.deployment
    for service in (deployed.homeserver, "nginx", "redis"):
        before = deployment.container(service).attrs["State"]
        # As the system's out-of-memory killer does it: through Docker it would count as stopped by hand.
        os.kill(before["Pid"], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while True:
            now = deployment.container(service).attrs["State"]
            if now["StartedAt"] != before["StartedAt"] and now["Health"]["Status"] == "healthy":
                break
            assert time.monotonic() < deadline, f"{service}: {now}"
            time.sleep(0.5)
    deployment.pulumi("preview", "--expect-no-changes", "--refresh")


def test_a_changed_server_name_is_refused_before_anything_is_touched(deployed: Deployed) -> None:
    deployment = deployed.deployment
    before = deployment.started_at()
    deployment.configure("serverName", "example.com")
    try:
        plain = deployment.pulumi("preview", check=False)
        assert plain.returncode != 0
        assert "protect" in plain.stdout + plain.stderr
        for command in ("preview", "up"):
            result = deployment.make(command, check=False)
            assert result.returncode != 0
            assert "serverName is example.com" in result.stderr
            assert "pulumi config set serverName localhost" in result.stderr
        assert deployment.started_at() == before
    finally:
        deployment.pulumi("config", "rm", "serverName")


def test_down_keeps_what_people_wrote_and_up_brings_it_back(homeserver: Deployed, conversation: Conversation) -> None:
    deployment = homeserver.deployment
    ca = Path(deployment.ca).read_text(encoding="utf-8")
    signing_key = homeserver.matrix.ask("GET", "/_matrix/key/v2/server").json()["verify_keys"]
    volumes = deployment.data_volumes()
    printed = deployment.make("down").stdout
    figure(f"{homeserver.homeserver}: make down: {deployment.seconds('down')} s")
    assert deployment.containers() == []
    assert set(deployment.left_in_the_docker_engine()) == {*volumes, f"matrix-{deployment.stack}-holder"}
    assert all(volume in printed for volume in volumes)
    with pytest.raises(requests.ConnectionError):
        homeserver.matrix.ask("GET", "/_matrix/client/versions")
    assert deployment.make("status", check=False).returncode != 0

    deployment.make("up")
    figure(f"{homeserver.homeserver}: make up after make down: {deployment.seconds('up')} s")
    assert Path(deployment.ca).read_text(encoding="utf-8") == ca
    assert homeserver.matrix.ask("GET", "/_matrix/key/v2/server").json()["verify_keys"] == signing_key
    # The same access token, so the same account; and the words of both.
    path = f"/_matrix/client/v3/rooms/{conversation.room}/messages?dir=b&limit=100"
    chunk = homeserver.matrix.ask("GET", path, token=conversation.second.access_token).json()["chunk"]
    words = {event["content"].get("body") for event in chunk if event["type"] == "m.room.message"}
    assert {conversation.first_words, conversation.second_words} <= words
    assert homeserver.matrix.log_in(conversation.first)


def test_purge_asks_first(deployed: Deployed) -> None:
    before = deployed.deployment.started_at()
    for confirm in ("", "another"):
        result = deployed.deployment.make("purge", check=False, CONFIRM=confirm)
        assert result.returncode != 0
        assert "nothing was removed" in result.stderr
    assert deployed.deployment.started_at() == before
