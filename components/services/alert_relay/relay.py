"""Brings Alertmanager's notifications to the receivers: runs in a container of its own, on the standard library alone.

Alertmanager posts to ``/<receiver>``; the answer is 200 when the receiver took the message and 503 when it did not, and
then Alertmanager tries again, waiting longer each time, until it has newer things to say. So nothing is kept here.

The addresses and secrets of all receivers are in one file that only this service can read. Neither log nor answer shows
any of them: what went wrong is told in words of our own and the receiver's, and the latter are searched for secrets.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import smtplib
import socket
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus, urlsplit

CONFIG: Final = Path("/config/secrets/receivers.json")
PORT: Final = 9094

PER_MINUTE: Final = 20
"""What DingTalk and WeCom allow a bot; DingTalk takes nothing for ten minutes from one that sends more."""
TIMEOUT: Final = 10
"""Seconds that a receiver may take to answer."""
LARGEST_REQUEST: Final = 2**20
"""Bytes."""
LONGEST: Final = {"dingtalk": 20_000, "wecom": 4096, "feishu": 20_000}
"""Bytes of UTF-8 that a message may have (the vendors' pages on group bots)."""
MOST_LINES: Final = 10
"""Alerts of one group that are told one by one."""
SMTPS: Final = 465

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "critical": "critical",
        "warning": "warning",
        "info": "info",
        "resolved": "resolved",
        "over": "Over:",
        "action": "To do:",
        "since": "since",
        "more": "and {} more",
    },
    "zh": {
        "critical": "严重",
        "warning": "警告",
        "info": "提示",
        "resolved": "已恢复",
        "over": "已恢复：",
        "action": "处理：",
        "since": "自",
        "more": "另有 {} 条",
    },
}
CHINA: Final = timezone(timedelta(hours=8), "UTC+8")


class NotDeliveredError(Exception):
    """A receiver did not take a message; the text says why, without address and secrets."""


class Rate:
    """Lets through so many in any minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: deque[float] = deque(maxlen=PER_MINUTE)

    def take(self) -> None:
        """Count one message.

        Raises:
            NotDeliveredError: the limit is reached.

        """
        with self._lock:
            now = self._clock()
            if len(self._taken) == PER_MINUTE and now - self._taken[0] < 60:  # noqa: PLR2004 (a minute)
                raise NotDeliveredError(f"held back: {PER_MINUTE} messages were sent within a minute")
            self._taken.append(now)


def title(notification: Mapping[str, Any], server: str, language: str) -> str:
    """Return one line: how bad, what, where."""
    labels = notification["commonLabels"]
    resolved = notification["status"] == "resolved"
    word = WORDS[language].get("resolved" if resolved else labels.get("severity", ""), "")
    return f"[{word}] {labels.get('alertname', '')} · {server}"


def lines(notification: Mapping[str, Any], language: str) -> Sequence[str]:
    """Return what there is to say below the title, one paragraph each."""
    words = WORDS[language]
    alerts = notification["alerts"]
    firing = [alert for alert in alerts if alert["status"] == "firing"]
    over = [alert for alert in alerts if alert["status"] != "firing"]
    annotations = (firing or over)[0]["annotations"]
    found = [annotations.get("summary", "")]
    found += _listed(firing, language)
    if firing and over:
        found.append(words["over"])
    found += _listed(over, language)
    if firing and annotations.get("action"):
        found.append(f"{words['action']} {annotations['action']}")
    return [line for line in found if line]


def _listed(alerts: Sequence[Mapping[str, Any]], language: str) -> Sequence[str]:
    words = WORDS[language]
    told = [
        " ".join(
            word for word in (alert["annotations"].get("description"), words["since"], _when(alert, language)) if word
        )
        for alert in alerts[:MOST_LINES]
    ]
    rest = len(alerts) - len(told)
    return [f"- {line}" for line in told] + ([f"- {words['more'].format(rest)}"] if rest else [])


def _when(alert: Mapping[str, Any], language: str) -> str:
    moment = datetime.fromisoformat(alert["startsAt"]).astimezone(CHINA if language == "zh" else UTC)
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname()}"


def cut(text: str, longest: int) -> str:
    """Return the text, or as much of it as fits into so many bytes."""
    content = text.encode()
    if len(content) <= longest:
        return text
    return content[: longest - len("…".encode())].decode(errors="ignore") + "…"


def dingtalk_address(address: str, secret: str, now: float) -> str:
    """Return the address with DingTalk's signature: key and message are the secret and time and secret."""
    timestamp = str(int(now * 1000))
    code = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
    return f"{address}&timestamp={timestamp}&sign={quote_plus(base64.b64encode(code))}"


def feishu_signature(secret: str, now: float) -> Mapping[str, str]:
    """Return Feishu's signature: time and secret are the key, and the message is empty."""
    timestamp = str(int(now))
    code = hmac.new(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": timestamp, "sign": base64.b64encode(code).decode()}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow none: a message that is posted elsewhere would be one that is signed for elsewhere."""


_OPENER: Final = urllib.request.build_opener(_NoRedirects)


def ask(address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    """Post a body of JSON, or get, and return the JSON that came back; an empty object where it was something else.

    Raises:
        NotDeliveredError: there was no answer, or one that is no success.

    """
    request = urllib.request.Request(address, body, {"Content-Type": "application/json", **(headers or {})})  # noqa: S310
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as response:
            return _json(response.read(LARGEST_REQUEST))
    except urllib.error.HTTPError as error:
        raise NotDeliveredError(f"answered with HTTP status {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise NotDeliveredError(reason(error)) from None


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def reason(error: Exception) -> str:
    """Return what an error of the network means. Its own text may have the address in it."""
    wrapped = error.reason if isinstance(error, urllib.error.URLError) else error
    cause = wrapped if isinstance(wrapped, Exception) else error
    for kind, text in (
        (socket.gaierror, "its host name is not known here"),
        (TimeoutError, f"no answer within {TIMEOUT} seconds"),
        (ssl.SSLCertVerificationError, "its certificate is not trusted, or for another name"),
        (ssl.SSLError, "no TLS connection"),
        (ConnectionRefusedError, "connection refused"),
        (smtplib.SMTPAuthenticationError, "the mail server does not accept user and password"),
        (smtplib.SMTPRecipientsRefused, "the mail server refuses all recipients"),
        (smtplib.SMTPSenderRefused, "the mail server refuses the sender"),
    ):
        if isinstance(cause, kind):
            return text
    return f"the connection failed ({type(cause).__name__})"


def _accepted(answer: Mapping[str, Any], code: str, message: str) -> None:
    """Raise unless a bot's answer says so itself: its HTTP status is 200 either way."""
    if answer.get(code) != 0:
        raise NotDeliveredError(f"refused: {code} {answer.get(code)}: {str(answer.get(message))[:200]}")


def _secrets(receivers: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    """Return what must not be shown, the longest first: a vendor's answer may quote a part of the address."""
    texts = {value for receiver in receivers.values() for value in receiver.values() if isinstance(value, str)}
    for address in [text for text in texts if "://" in text]:
        parts = urlsplit(address)
        texts |= {parts.hostname or "", *parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))}
    shortest = 6
    return sorted((text for text in texts if len(text) >= shortest), key=len, reverse=True)


class Relay:
    """Brings a notification to one of the receivers of a stack."""

    def __init__(self, config: Mapping[str, Any], clock: Callable[[], float] = time.time) -> None:
        self._receivers: Mapping[str, Mapping[str, Any]] = config["receivers"]
        self._language: str = config["language"]
        self._server: str = config["server"]
        self._clock = clock
        self._secrets = _secrets(self._receivers)
        self._rates = {name: Rate() for name in self._receivers}
        self._send: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], bytes], None]] = {
            "dingtalk": self._dingtalk,
            "wecom": self._wecom,
            "feishu": self._feishu,
            "webhook": self._webhook,
            "heartbeat": self._heartbeat,
            "smtp": self._smtp,
        }

    def knows(self, receiver: str) -> bool:
        """Return whether there is such a receiver."""
        return receiver in self._receivers

    def deliver(self, receiver: str, content: bytes) -> None:
        """Bring what Alertmanager posted to a receiver.

        Raises:
            NotDeliveredError: it was not taken.
            LookupError, TypeError, ValueError: that is no notification.

        """
        notification = json.loads(content)
        title(notification, self._server, self._language)
        lines(notification, self._language)
        self._rates[receiver].take()
        try:
            self._send[receiver](self._receivers[receiver], notification, content)
        except NotDeliveredError as error:
            raise NotDeliveredError(self._without_secrets(str(error))) from None

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "(secret)")
        return text

    def _lines(self, notification: Mapping[str, Any]) -> Sequence[str]:
        return lines(notification, self._language)

    def _title(self, notification: Mapping[str, Any]) -> str:
        return title(notification, self._server, self._language)

    def _dingtalk(self, receiver: Mapping[str, Any], notification: Mapping[str, Any], _: bytes) -> None:
        heading = self._title(notification)
        # Its Markdown joins lines that have no empty one between them.
        text = cut("\n\n".join([f"### {heading}", *self._lines(notification)]), LONGEST["dingtalk"])
        body = {"msgtype": "markdown", "markdown": {"title": heading, "text": text}}
        address = dingtalk_address(receiver["address"], receiver["secret"], self._clock())
        _accepted(ask(address, json.dumps(body).encode()), "errcode", "errmsg")

    def _wecom(self, receiver: Mapping[str, Any], notification: Mapping[str, Any], _: bytes) -> None:
        text = cut("\n".join([f"### {self._title(notification)}", *self._lines(notification)]), LONGEST["wecom"])
        body = {"msgtype": "markdown", "markdown": {"content": text}}
        _accepted(ask(receiver["address"], json.dumps(body).encode()), "errcode", "errmsg")

    def _feishu(self, receiver: Mapping[str, Any], notification: Mapping[str, Any], _: bytes) -> None:
        text = cut("\n".join([self._title(notification), *self._lines(notification)]), LONGEST["feishu"])
        body = {
            **feishu_signature(receiver["secret"], self._clock()),
            "msg_type": "text",
            "content": {"text": text},
        }
        _accepted(ask(receiver["address"], json.dumps(body).encode()), "code", "msg")

    def _webhook(self, receiver: Mapping[str, Any], _: Mapping[str, Any], content: bytes) -> None:
        code = hmac.new(receiver["secret"].encode(), content, hashlib.sha256).hexdigest()
        ask(receiver["address"], content, {"X-Hub-Signature-256": f"sha256={code}"})

    def _heartbeat(self, receiver: Mapping[str, Any], _: Mapping[str, Any], __: bytes) -> None:
        # Uptime Kuma says so in its answer when it does not know the address.
        if ask(receiver["address"]).get("ok") is False:
            raise NotDeliveredError("refused: ok false")

    def _smtp(self, receiver: Mapping[str, Any], notification: Mapping[str, Any], _: bytes) -> None:
        message = EmailMessage()
        message["Subject"] = self._title(notification)
        message["From"] = receiver["from"]
        message["To"] = ", ".join(receiver["to"])
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=receiver["from"].rpartition("@")[2])
        message.set_content("\n".join(self._lines(notification)) + "\n")
        context = ssl.create_default_context()
        try:
            with _mail_server(receiver["host"], receiver["port"], context) as server:
                if receiver["user"]:
                    server.login(receiver["user"], receiver["password"])
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            raise NotDeliveredError(reason(error)) from None


def _mail_server(host: str, port: int, context: ssl.SSLContext) -> smtplib.SMTP:
    if port == SMTPS:
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=context)
    server = smtplib.SMTP(host, port, timeout=TIMEOUT)
    server.starttls(context=context)
    return server


class Handler(BaseHTTPRequestHandler):
    """What Alertmanager and the health check ask."""

    relay: Relay

    def do_GET(self) -> None:
        """Answer the health check."""
        self._answer(200 if self.path == "/health" else 404, "")

    def do_POST(self) -> None:
        """Bring a notification to the receiver that the path names."""
        receiver = self.path.removeprefix("/")
        length = int(self.headers.get("Content-Length") or 0)
        if not self.relay.knows(receiver):
            self._answer(404, "no such receiver")
        elif length > LARGEST_REQUEST:
            self._answer(413, "too large")
        else:
            self._answer(*self._deliver(receiver, self.rfile.read(length)))

    def _deliver(self, receiver: str, content: bytes) -> tuple[int, str]:
        try:
            self.relay.deliver(receiver, content)
        except NotDeliveredError as error:
            print(f"{receiver}: not delivered: {error}", flush=True)
            return 503, str(error)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return 400, f"no notification of Alertmanager ({type(error).__name__})"
        # The dead-man's switch goes every few minutes.
        if receiver != "heartbeat":
            print(f"{receiver}: delivered", flush=True)
        return 200, ""

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of requests as such: the health check makes most of them."""


def main() -> None:
    """Serve until somebody ends the container."""
    # The first process of a container has no default for this signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Handler.relay = Relay(json.loads(CONFIG.read_text(encoding="utf-8")))
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
