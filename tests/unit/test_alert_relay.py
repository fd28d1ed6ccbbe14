"""The relay: what it says, how it signs, what it keeps to itself. Its services test has the real receivers' answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import urllib.error
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from components.services.alert_relay import relay
from components.services.alert_relay.render import render_receivers
from config.alert_settings import RECEIVERS
from tests.samples import SECRETS, settings


def alert(number: int, *, over: bool = False) -> dict[str, Any]:
    return {
        "status": "resolved" if over else "firing",
        "labels": {"alertname": "ContainerUnhealthy", "severity": "critical"},
        "annotations": {"summary": "It is ill.", "description": f"container {number}", "action": "Look."},
        "startsAt": "2026-11-25T16:30:00.123Z",
    }


def notification(*alerts: dict[str, Any]) -> dict[str, Any]:
    firing = any(each["status"] == "firing" for each in alerts)
    return {
        "status": "firing" if firing else "resolved",
        "commonLabels": {"alertname": "ContainerUnhealthy", "severity": "critical"},
        "alerts": list(alerts),
    }


@pytest.mark.parametrize(
    ("alerts", "language", "expected"),
    [
        ([alert(1)], "en", "[critical] ContainerUnhealthy · example.com"),
        ([alert(1)], "zh", "[严重] ContainerUnhealthy · example.com"),
        ([alert(1), alert(2, over=True)], "en", "[critical] ContainerUnhealthy · example.com"),
        ([alert(1, over=True)], "en", "[resolved] ContainerUnhealthy · example.com"),
        ([alert(1, over=True)], "zh", "[已恢复] ContainerUnhealthy · example.com"),
    ],
)
def test_the_title_says_how_bad_it_is_what_and_where(
    alerts: list[dict[str, Any]], language: str, expected: str
) -> None:
    assert relay.title(notification(*alerts), "example.com", language) == expected


def test_a_message_says_what_since_when_and_what_to_do() -> None:
    assert relay.lines(notification(alert(1)), "en") == [
        "It is ill.",
        "- container 1 since 2026-11-25 16:30 UTC",
        "To do: Look.",
    ]


def test_in_chinese_times_are_those_of_china() -> None:
    assert relay.lines(notification(alert(1), alert(2, over=True)), "zh") == [
        "It is ill.",
        "- container 1 自 2026-11-26 00:30 UTC+8",
        "已恢复：",
        "- container 2 自 2026-11-26 00:30 UTC+8",
        "处理： Look.",
    ]


def test_what_is_over_needs_nothing_done() -> None:
    assert relay.lines(notification(alert(1, over=True)), "en") == [
        "It is ill.",
        "- container 1 since 2026-11-25 16:30 UTC",
    ]


def test_of_many_alerts_ten_are_listed_and_the_rest_counted() -> None:
    found = relay.lines(notification(*(alert(number) for number in range(14))), "en")
    assert sum(line.startswith("- container") for line in found) == 10
    assert "- and 4 more" in found


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [("abc", 3, "abc"), ("abcdef", 5, "ab…"), ("容器容器", 10, "容器…"), ("容器", 6, "容器")],
)
def test_a_text_is_cut_between_characters(text: str, longest: int, expected: str) -> None:
    assert relay.cut(text, longest) == expected
    assert len(expected.encode()) <= longest


def test_dingtalk_gets_a_signature_in_the_address() -> None:
    address = "https://oapi.dingtalk.com/robot/send?access_token=t"
    query = parse_qs(urlsplit(relay.dingtalk_address(address, "SECabc", 1700000000.5)).query)
    assert query["timestamp"] == ["1700000000500"]
    assert query["access_token"] == ["t"]
    code = hmac.new(b"SECabc", b"1700000000500\nSECabc", hashlib.sha256).digest()
    assert query["sign"] == [base64.b64encode(code).decode()]


def test_feishu_gets_a_signature_whose_key_and_message_are_the_other_way_round() -> None:
    found = relay.feishu_signature("abc", 1700000000.5)
    code = hmac.new(b"1700000000\nabc", b"", hashlib.sha256).digest()
    assert found == {"timestamp": "1700000000", "sign": base64.b64encode(code).decode()}


def test_twenty_in_any_minute_are_let_through() -> None:
    now = 0.0
    rate = relay.Rate(clock=lambda: now)
    for number in range(20):
        now = float(number)
        rate.take()
    now = 59.9
    with pytest.raises(relay.NotDeliveredError, match="held back"):
        rate.take()
    now = 60.0
    rate.take()
    with pytest.raises(relay.NotDeliveredError):
        rate.take()
    now = 61.0
    rate.take()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (urllib.error.URLError(socket.gaierror(-2, "secret.example")), "its host name is not known here"),
        (urllib.error.URLError(ConnectionRefusedError(111, "refused")), "connection refused"),
        (urllib.error.URLError("secret.example"), "the connection failed (URLError)"),
        (ssl.SSLCertVerificationError(1, "secret.example"), "its certificate is not trusted, or for another name"),
        (TimeoutError("secret.example"), "no answer within 10 seconds"),
        (ValueError("secret.example"), "the connection failed (ValueError)"),
    ],
)
def test_the_reason_of_a_failure_is_told_without_the_address(error: Exception, expected: str) -> None:
    assert relay.reason(error) == expected


def everything() -> dict[str, Any]:
    stack = settings(
        monitoring="lite",
        alerts=",".join(RECEIVERS),
        smtpHost="smtp.example.com",
        smtpUser="alerts@example.com",
        smtpFrom="alerts@example.com",
        smtpTo="a@example.com",
    )
    found = json.loads(render_receivers(stack.alerting, "example.com", SECRETS))
    assert isinstance(found, dict)
    return found


def test_the_file_of_receivers_has_those_of_the_settings_with_their_secrets() -> None:
    found = everything()
    assert set(found["receivers"]) == set(RECEIVERS)
    assert found["receivers"]["feishu"] == {"address": SECRETS["feishuAddress"], "secret": SECRETS["feishuSecret"]}
    assert found["receivers"]["smtp"]["password"] == SECRETS["smtpPassword"]
    only = settings(monitoring="lite", alerts="wecom")
    assert set(json.loads(render_receivers(only.alerting, "example.com", SECRETS))["receivers"]) == {"wecom"}


@pytest.mark.parametrize("receiver", RECEIVERS)
def test_the_relay_knows_every_receiver(receiver: str) -> None:
    assert relay.Relay(everything()).knows(receiver)


def test_what_a_receiver_answers_is_searched_for_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(address: str, *_: object) -> dict[str, Any]:
        return {"errcode": 1, "errmsg": f"unknown {address}"}

    monkeypatch.setattr(relay, "ask", answer)
    content = json.dumps(notification(alert(1))).encode()
    for receiver in ("dingtalk", "wecom"):
        with pytest.raises(relay.NotDeliveredError) as raised:
            relay.Relay(everything()).deliver(receiver, content)
        assert "refused: errcode 1: unknown (secret)" in str(raised.value)
        assert not [secret for secret in SECRETS.values() if secret in str(raised.value)]
