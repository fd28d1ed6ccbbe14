"""Alertmanager and the relay with the config we render, and receivers that verify what they get."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from components.services.alertmanager.component import USER as ALERTMANAGER
from components.services.alertmanager.render import AlertmanagerConfig, render_files
from config.alerts import INHIBITIONS
from tests.services.alerting import (
    HOSTS,
    PEOPLE,
    SECRETS,
    SETUP,
    Place,
    address_of,
    alert,
    ask,
    notification,
    place,
    stack,
    start_alertmanager,
)
from tests.services.conftest import Bench

NAME = "matrix-test-synapse"


@pytest.fixture(scope="module")
def alerting(bench: Bench) -> Place:
    return place(bench, stack())


@pytest.fixture(scope="module")
def alertmanager(bench: Bench, alerting: Place) -> str:
    return start_alertmanager(bench, alerting.network, stack())[1]


def wait_for(condition: Callable[[], bool], seconds: float, told: Callable[[], object]) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.3)


def texts(alerting: Place, receiver: str, word: str) -> list[str]:
    return [each["text"] for each in alerting.received(receiver) if word in each["text"]]


def test_every_receiver_is_told_that_something_is_wrong_and_that_it_is_over(alerting: Place, alertmanager: str) -> None:
    firing = alert(stack(), "ContainerUnhealthy", NAME, {"name": NAME})
    assert ask(f"{alertmanager}/api/v2/alerts", [firing])[0] == 200
    for receiver in PEOPLE:
        wait_for(lambda receiver=receiver: bool(texts(alerting, receiver, NAME)), 40, alerting.log)  # type: ignore[misc]
    text = texts(alerting, "dingtalk", NAME)[0]
    assert text.startswith("### [critical] ContainerUnhealthy · example.com\n\n")
    assert firing["annotations"]["summary"] in text
    assert firing["annotations"]["action"] in text
    (mail,) = [each for each in alerting.received("smtp") if NAME in each["text"]]
    assert mail["subject"] == "[critical] ContainerUnhealthy · example.com"
    assert (mail["from"], mail["to"]) == ("alerts@example.com", ["a@example.com", "b@example.com"])
    body = json.loads(texts(alerting, "webhook", NAME)[0])
    assert body["alerts"][0]["labels"]["name"] == NAME

    ask(f"{alertmanager}/api/v2/alerts", [{**firing, "endsAt": firing["startsAt"]}])
    for receiver in PEOPLE:
        wait_for(lambda receiver=receiver: len(texts(alerting, receiver, NAME)) == 2, 40, alerting.log)  # type: ignore[misc]
    for receiver in ("dingtalk", "wecom", "feishu"):
        assert "[resolved]" in texts(alerting, receiver, NAME)[1]
        assert firing["annotations"]["action"] not in texts(alerting, receiver, NAME)[1]
    assert json.loads(texts(alerting, "webhook", NAME)[1])["status"] == "resolved"


def test_the_watchdog_reaches_the_dead_mans_switch_again_and_again_and_nobody_else(
    alerting: Place, alertmanager: str
) -> None:
    before = len(alerting.received("heartbeat"))
    ask(f"{alertmanager}/api/v2/alerts", [alert(stack(), "Watchdog")])
    wait_for(lambda: len(alerting.received("heartbeat")) >= before + 2, 60, alerting.log)
    assert alerting.received("heartbeat")[-1]["text"] == "/beat-of-heart"
    for receiver in PEOPLE:
        assert not texts(alerting, receiver, "Watchdog")


def test_what_was_refused_is_sent_again_until_it_is_taken(alerting: Place, alertmanager: str) -> None:
    alerting.trouble(dingtalk=2, wecom=1, feishu=1, webhook=1)
    ask(
        f"{alertmanager}/api/v2/alerts",
        [alert(stack(), "ContainerRestartLoop", "matrix-test-nginx", {"name": "again"})],
    )
    for receiver in ("dingtalk", "wecom", "feishu", "webhook"):
        wait_for(
            lambda receiver=receiver: bool(texts(alerting, receiver, "matrix-test-nginx")),  # type: ignore[misc]
            60,
            alerting.log,
        )
    for line in (
        "dingtalk: not delivered: refused: errcode -1",
        "wecom: not delivered: refused: errcode 93000",
        "feishu: not delivered: refused: code 19021",
        "webhook: not delivered: answered with HTTP status 401",
    ):
        assert line in alerting.log()


def test_nothing_secret_is_in_the_log(alerting: Place) -> None:
    # The answer of DingTalk in trouble has the token in it.
    assert "token (secret)" in alerting.log()
    for secret in (*SECRETS.values(), *HOSTS, SETUP["dingtalk"]["token"], "hook-of-feishu", "key-of-wecom"):
        assert secret not in alerting.log()


@pytest.mark.parametrize(
    ("receiver", "secrets", "answer"),
    [
        ("dingtalk", {"dingtalkSecret": "another-secret"}, "refused: errcode 310000: sign not match"),
        ("feishu", {"feishuSecret": "another-secret"}, "refused: code 19021"),
        ("webhook", {"webhookSecret": "another-secret"}, "answered with HTTP status 401"),
        ("webhook", {"webhookAddress": "https://moved.example.com/hook"}, "answered with HTTP status 302"),
        ("webhook", {"webhookAddress": "https://unknown.example.com/hook"}, "its host name is not known here"),
        ("webhook", {"webhookAddress": "https://alerts.example.com:1/hook"}, "connection refused"),
        ("webhook", {"webhookAddress": "http://alerts.example.com:443/hook"}, "the connection failed"),
        ("heartbeat", {"heartbeatAddress": "https://alerts.example.com/x"}, "answered with HTTP status 404"),
        ("smtp", {"smtpPassword": "wrong"}, "the mail server does not accept user and password"),
    ],
)
def test_what_a_receiver_does_not_take_is_told_with_the_reason(
    alerting: Place, receiver: str, secrets: Mapping[str, str], answer: str
) -> None:
    relay = alerting.another_relay(stack(), {**SECRETS, **secrets})
    url = f"http://{address_of(relay)}:9094/{receiver}"
    status, text = ask(url, notification(alert(stack(), "RedisDown")))
    assert status == 503
    assert text.startswith(answer)
    wait_for(lambda: f"{receiver}: not delivered: {answer}" in relay.logs().decode(), 20, relay.logs)


def test_a_certificate_that_is_not_trusted_is_told(alerting: Place) -> None:
    relay = alerting.another_relay(stack(), SECRETS, trusting=False)
    for receiver in PEOPLE:
        status, text = ask(f"http://{address_of(relay)}:9094/{receiver}", notification(alert(stack(), "RedisDown")))
        assert (status, text) == (503, "its certificate is not trusted, or for another name")


def test_mail_is_sent_over_starttls_too(alerting: Place) -> None:
    relay = alerting.another_relay(stack(smtpPort="587"), SECRETS)
    status, _ = ask(
        f"http://{address_of(relay)}:9094/smtp", notification(alert(stack(), "DiskSpaceLow", "/dev/vdz: 9%"))
    )
    assert status == 200
    assert texts(alerting, "smtp", "/dev/vdz: 9%")


def test_a_message_in_chinese_fits_what_wecom_takes(alerting: Place) -> None:
    config = stack(alertLanguage="zh")
    relay = alerting.another_relay(config, SECRETS)
    many = [alert(config, "ContainerUnhealthy", "容器" * 200, {"name": f"container-{number}"}) for number in range(30)]
    assert ask(f"http://{address_of(relay)}:9094/wecom", notification(*many))[0] == 200
    text = alerting.received("wecom")[-1]["text"]
    assert text.startswith("### [严重] ContainerUnhealthy · example.com\n容器在运行，但健康检查失败。\n")
    assert text.endswith("…")


def test_no_more_than_twenty_a_minute_are_sent_to_a_bot(bench: Bench) -> None:
    quiet = place(bench, stack())
    answers = [ask(f"{quiet.relay_url}/wecom", notification(alert(stack(), "RedisDown"))) for _ in range(23)]
    assert [status for status, _ in answers] == [200] * 20 + [503] * 3
    assert answers[-1][1] == "held back: 20 messages were sent within a minute"
    assert len(quiet.received("wecom")) == 20
    assert ask(f"{quiet.relay_url}/feishu", notification(alert(stack(), "RedisDown")))[0] == 200, "each has its own"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/unknown", {}, 404), ("/wecom", {"alerts": []}, 400), ("/wecom", "text", 400), ("/wecom", {}, 400)],
)
def test_what_is_no_notification_is_refused(alerting: Place, path: str, body: object, status: int) -> None:
    assert ask(alerting.relay_url + path, body)[0] == status


def test_the_relay_ends_when_it_is_told_to(alerting: Place) -> None:
    relay = alerting.another_relay(stack(), SECRETS)
    relay.stop(timeout=20)
    relay.reload()
    assert relay.attrs["State"]["ExitCode"] == 0


@pytest.mark.parametrize(
    "receivers", ["", "heartbeat", "wecom", "dingtalk,heartbeat", "dingtalk,wecom,feishu,smtp,webhook,heartbeat"]
)
@pytest.mark.parametrize("scale", [1, 0.02])
def test_amtool_accepts_the_config_of_every_kind_of_stack(bench: Bench, receivers: str, scale: float) -> None:
    config = AlertmanagerConfig(
        port=9093, relay="alert-relay:9094", receivers=stack(receivers).alerting.alerts, time_scale=scale
    )
    volume = bench.volume(render_files(config), ALERTMANAGER)
    output = bench.run(
        "alertmanager",
        ["check-config", "/config/alertmanager.yml"],
        entrypoint=["amtool"],
        user=f"{ALERTMANAGER}:{ALERTMANAGER}",
        network_mode="none",
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
    )
    assert "SUCCESS" in output
    assert f"{len(INHIBITIONS)} inhibit rules" in output


Fired = tuple[str, Mapping[str, str]]
SYNAPSE, NGINX, REDIS = ({"name": f"matrix-test-{name}"} for name in ("synapse", "nginx", "redis"))
FAULTS: Mapping[str, tuple[Sequence[Fired], Sequence[Fired]]] = {
    "the homeserver is stopped": (
        [("HomeserverDown", {})],
        [
            ("FederationEndpointDown", {}),
            ("HomeserverWriteProbeFailing", {}),
            ("HighErrorRatio5xx", {"vhost": "client"}),
            ("TargetDown", {"job": "homeserver"}),
            ("ContainerUnhealthy", SYNAPSE),
        ],
    ),
    "Nginx is stopped": (
        [("HomeserverDown", {})],
        [("FederationEndpointDown", {}), ("ContainerUnhealthy", NGINX)],
    ),
    "Redis is stopped": ([("RedisDown", {})], [("ContainerUnhealthy", REDIS)]),
    "the homeserver runs out of memory again and again": (
        [("ContainerOOMKilled", SYNAPSE), ("HomeserverDown", {})],
        [
            ("HostOOMKill", {}),
            ("ContainerMemoryNearLimit", SYNAPSE),
            ("ContainerRestartLoop", SYNAPSE),
            ("ContainerUnhealthy", SYNAPSE),
        ],
    ),
    "one container restarts, another is ill": (
        [("ContainerRestartLoop", NGINX), ("ContainerUnhealthy", REDIS)],
        [("ContainerUnhealthy", NGINX)],
    ),
    "one disk is nearly full, another fills": (
        [("DiskSpaceLow", {"device": "/dev/vda"}), ("DiskFillsWithin24h", {"device": "/dev/vdb"})],
        [("DiskFillsWithin24h", {"device": "/dev/vda"})],
    ),
    "the homeserver is stopped and, by itself, an exporter and another container fail": (
        [("HomeserverDown", {}), ("TargetDown", {"job": "redis"}), ("ContainerUnhealthy", REDIS)],
        [],
    ),
    "an exporter is stopped": (
        [("TargetDown", {"job": "blackbox"}), ("ContainerUnhealthy", NGINX)],
        [("ContainerUnhealthy", {"name": "matrix-test-blackbox-exporter"})],
    ),
    "a process of somebody else is killed": ([("HostOOMKill", {})], []),
}
"""For each fault, the alerts that people are told of and those that only follow."""


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_people_are_told_of_a_fault_and_not_of_what_follows_from_it(bench: Bench, alerting: Place, fault: str) -> None:
    told, kept = FAULTS[fault]
    container, url = start_alertmanager(bench, alerting.network, stack(""))
    try:
        ask(f"{url}/api/v2/alerts", [alert(stack(), name, "", labels) for name, labels in [*told, *kept]])
        found: list[dict[str, Any]] = []

        def sorted_out() -> bool:
            nonlocal found
            found = ask(f"{url}/api/v2/alerts")[1]
            held_back = [each for each in found if each["status"]["inhibitedBy"]]
            # Alertmanager learns of what holds back beside what it passes on, and may say "active" before.
            return (
                len(found) == len([*told, *kept])
                and len(held_back) >= len(kept)
                and all(each["status"]["state"] != "unprocessed" for each in found)
            )

        wait_for(sorted_out, 30, lambda: found)
        for name, labels in [*told, *kept]:
            (one,) = [
                each
                for each in found
                if each["labels"]["alertname"] == name and labels.items() <= each["labels"].items()
            ]
            assert bool(one["status"]["inhibitedBy"]) == ((name, labels) in kept), (name, labels)
    finally:
        container.stop(timeout=5)


def test_every_inhibition_is_part_of_a_fault() -> None:
    pairs = {(source, target) for told, kept in FAULTS.values() for source, _ in told for target, _ in kept}
    declared = {(each.source, target) for each in INHIBITIONS for target in each.targets}
    assert declared <= pairs
