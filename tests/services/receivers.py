"""Receivers of alerts that verify what they get the way each vendor documents it; runs in a container of the tests.

The signature checks are written after the vendors' pages, not after the relay. What was accepted is told on port 8000
(``GET /received``); ``POST /trouble`` with ``{"dingtalk": 2}`` makes the next two messages to DingTalk fail as that
vendor fails them, with HTTP status 200.

- DingTalk: open.dingtalk.com, "custom robot access", security setting "signature": milliseconds within an hour, errcode
  310000; more than 20 a minute: errcode 130101.
- WeCom: developer.work.weixin.qq.com, document 91770: key in the address, errcode 93000; 4096 bytes of Markdown, 40058;
  more than 20 a minute: 45009.
- Feishu: open.feishu.cn, "custom bot guide": seconds within an hour and signature in the body, code 19021.
- Generic webhook: docs.github.com, "validating webhook deliveries".
"""

from __future__ import annotations

import base64
import email
import hmac
import json
import socketserver
import ssl
import sys
import threading
import time
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SETUP: dict[str, Any] = {}
"""Secrets, as the receivers know them."""
RECEIVED: list[dict[str, Any]] = []
TROUBLE: dict[str, int] = {}
TIMES: dict[str, list[float]] = {}
HOUR = 3600


def sha256(key: str, message: str) -> str:
    return base64.b64encode(hmac.digest(key.encode(), message.encode(), "sha256")).decode()


def too_many(bot: str) -> bool:
    now = time.time()
    recent = [moment for moment in TIMES.get(bot, []) if now - moment < 60]
    TIMES[bot] = [*recent, now]
    return len(recent) >= 20


def in_trouble(bot: str) -> bool:
    if TROUBLE.get(bot, 0) <= 0:
        return False
    TROUBLE[bot] -= 1
    return True


def dingtalk(query: dict[str, str], content: bytes) -> dict[str, Any]:
    body, timestamp = json.loads(content), query.get("timestamp", "")
    if in_trouble("dingtalk"):
        return {"errcode": -1, "errmsg": f"system busy, token {query.get('access_token')}"}
    if query.get("access_token") != SETUP["dingtalk"]["token"]:
        return {"errcode": 300005, "errmsg": "token is not exist"}
    if too_many("dingtalk"):
        return {"errcode": 130101, "errmsg": "send too fast"}
    secret = SETUP["dingtalk"]["secret"]
    fresh = timestamp.isdigit() and abs(time.time() * 1000 - int(timestamp)) < HOUR * 1000
    if not fresh or query.get("sign") != sha256(secret, timestamp + "\n" + secret):
        return {"errcode": 310000, "errmsg": "sign not match"}
    if body["msgtype"] != "markdown" or not body["markdown"]["title"]:
        return {"errcode": 40035, "errmsg": "invalid parameter"}
    RECEIVED.append({"receiver": "dingtalk", "text": body["markdown"]["text"]})
    return {"errcode": 0, "errmsg": "ok"}


def wecom(query: dict[str, str], content: bytes) -> dict[str, Any]:
    body = json.loads(content)
    if in_trouble("wecom") or query.get("key") != SETUP["wecom"]["key"]:
        return {"errcode": 93000, "errmsg": "invalid webhook url"}
    if too_many("wecom"):
        return {"errcode": 45009, "errmsg": "api freq out of limit"}
    text = body["markdown"]["content"]
    if body["msgtype"] != "markdown" or len(text.encode()) > 4096:
        return {"errcode": 40058, "errmsg": "markdown.content exceed max length 4096"}
    RECEIVED.append({"receiver": "wecom", "text": text})
    return {"errcode": 0, "errmsg": "ok"}


def feishu(_: dict[str, str], content: bytes) -> dict[str, Any]:
    body = json.loads(content)
    timestamp = str(body.get("timestamp", ""))
    fresh = timestamp.isdigit() and abs(time.time() - int(timestamp)) < HOUR
    # Here the string to sign is the key, and what is signed is empty.
    if in_trouble("feishu") or not fresh or body.get("sign") != sha256(f"{timestamp}\n{SETUP['feishu']['secret']}", ""):
        return {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
    if body["msg_type"] != "text":
        return {"code": 9499, "msg": "Bad Request"}
    RECEIVED.append({"receiver": "feishu", "text": body["content"]["text"]})
    return {"code": 0, "msg": "success", "data": {}, "StatusCode": 0, "StatusMessage": "success"}


class Vendors(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers["Host"] == "heartbeat.example.com" and not in_trouble("heartbeat"):
            RECEIVED.append({"receiver": "heartbeat", "text": self.path})
            self.answer(200, {"ok": True})
        else:
            self.answer(404, {"ok": False, "msg": "Monitor not found or not active."})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match self.headers["Host"], parts.path:
            case "oapi.dingtalk.com", "/robot/send":
                self.answer(200, dingtalk(query, content))
            case "qyapi.weixin.qq.com", "/cgi-bin/webhook/send":
                self.answer(200, wecom(query, content))
            case "open.feishu.cn", path if path == f"/open-apis/bot/v2/hook/{SETUP['feishu']['hook']}":
                self.answer(200, feishu(query, content))
            case "alerts.example.com", "/hook":
                self.webhook(content)
            case "moved.example.com", _:
                self.send_response(302)
                self.send_header("Location", "https://alerts.example.com/hook")
                self.end_headers()
            case _:
                self.answer(404, {})

    def webhook(self, content: bytes) -> None:
        expected = "sha256=" + hmac.digest(SETUP["webhook"]["secret"].encode(), content, "sha256").hex()
        if in_trouble("webhook") or self.headers["X-Hub-Signature-256"] != expected:
            self.answer(401, {})
        else:
            RECEIVED.append({"receiver": "webhook", "text": content.decode()})
            self.answer(204, {})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status != 204:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Desk(BaseHTTPRequestHandler):
    """Where the tests ask what has come, and order trouble."""

    def do_GET(self) -> None:
        self.answer(RECEIVED)

    def do_POST(self) -> None:
        TROUBLE.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer([])

    def answer(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as a client with a login needs; on port 587 nothing but STARTTLS is offered at first."""

    encrypted = True
    context: ssl.SSLContext

    def handle(self) -> None:
        self.say("220 smtp.example.com")
        logged_in = False
        recipients: list[str] = []
        while line := self.rfile.readline():
            words = line.decode().strip()
            match words.split(" ")[0].upper():
                case "EHLO" | "HELO":
                    self.say("250-smtp.example.com", "250 AUTH PLAIN" if self.encrypted else "250 STARTTLS")
                case "STARTTLS":
                    self.say("220 go ahead")
                    self.connection = self.context.wrap_socket(self.connection, server_side=True)
                    self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
                    self.encrypted = True
                case "AUTH":
                    _, user, password = base64.b64decode(words.split(" ")[2]).decode().split("\0")
                    logged_in = self.encrypted and [user, password] == SETUP["smtp"]["login"]
                    self.say("235 welcome" if logged_in else "535 no")
                case "MAIL":
                    self.say("250 ok" if logged_in else "530 log in first")
                case "RCPT":
                    recipients.append(words.partition(":")[2].strip("<>"))
                    self.say("250 ok")
                case "DATA":
                    self.say("354 go on")
                    self.keep(recipients)
                    self.say("250 ok")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("500 what")

    def keep(self, recipients: list[str]) -> None:
        content = b""
        while (line := self.rfile.readline()) != b".\r\n":
            content += line.removeprefix(b".")
        message = email.message_from_bytes(content, policy=default)
        RECEIVED.append(
            {
                "receiver": "smtp",
                "text": message.get_content(),
                "subject": message["Subject"],
                "from": message["From"],
                "to": recipients,
            }
        )

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class PlainMail(Mail):
    encrypted = False


class Threaded(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main() -> None:
    with open(f"{sys.argv[1]}/setup.json", encoding="utf-8") as file:  # noqa: PTH123
        SETUP.update(json.load(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(f"{sys.argv[1]}/receivers.pem")
    Mail.context = context
    vendors = ThreadingHTTPServer(("", 443), Vendors)
    vendors.socket = context.wrap_socket(vendors.socket, server_side=True)
    mail = Threaded(("", 465), Mail)
    mail.socket = context.wrap_socket(mail.socket, server_side=True)
    for server in (vendors, mail, Threaded(("", 587), PlainMail)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("", 8000), Desk).serve_forever()


if __name__ == "__main__":
    main()
