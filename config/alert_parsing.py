"""Texts of the keys about alerts; see :mod:`config.parsing`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address
from typing import Final
from urllib.parse import parse_qs, urlsplit

from config.parsing import Parser, UnacceptableError, host_name, listed

_MAIL_ADDRESS: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@([a-z0-9-]+\.)+[a-z0-9-]{2,}")
_MAIL_USER: Final = re.compile(r"[!-~]{0,128}")
_SCALE: Final = re.compile(r"1|0?\.[0-9]{1,3}")
_URL: Final = re.compile(r"[!-~]{10,1000}")
_SMALLEST_SCALE: Final = 0.02


def some_of(*choices: str) -> Parser[tuple[str, ...]]:
    """Accept some of a few words with commas between them, each once, or nothing."""

    def parse(text: str) -> tuple[str, ...]:
        words = listed(text)
        if not set(words) <= set(choices) or len(set(words)) < len(words):
            raise UnacceptableError(
                f"some of {', '.join(choices)} with commas between them, each once", ",".join(choices[:2])
            )
        return words

    return parse


def time_scale(text: str) -> float:
    """Accept a factor from 0.02 to 1."""
    if not _SCALE.fullmatch(text) or float(text) < _SMALLEST_SCALE:
        raise UnacceptableError(f"a number from {_SMALLEST_SCALE} to 1, with at most three decimals", "1")
    return float(text)


def optional_host_name(text: str) -> str:
    """Accept a DNS name, or nothing."""
    try:
        return host_name(text) if text else ""
    except UnacceptableError as error:
        raise UnacceptableError(error.expected, "smtp.example.com") from error


def mail_user(text: str) -> str:
    """Accept the name of an account at a mail server, or nothing."""
    if not _MAIL_USER.fullmatch(text):
        raise UnacceptableError("at most 128 printable ASCII characters without blanks", "alerts@example.com")
    return text


def mail_address(text: str) -> str:
    """Accept a mail address, or nothing."""
    if text and not _MAIL_ADDRESS.fullmatch(text):
        raise UnacceptableError("a mail address without a display name", "alerts@example.com")
    return text


def mail_addresses(text: str) -> tuple[str, ...]:
    """Accept mail addresses with commas between them, or nothing."""
    addresses = listed(text)
    if not all(_MAIL_ADDRESS.fullmatch(each) for each in addresses) or len(set(addresses)) < len(addresses):
        raise UnacceptableError("mail addresses with commas between them, each once", "admin@example.com")
    return addresses


def _address(text: str, expected: str) -> str:
    """Accept an address over TLS, or without it in a private network.

    Whoever reads such an address on the way can write to the group, or keep the dead-man's switch from going off.
    """
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise UnacceptableError(expected, "") from error
    if (
        not _URL.fullmatch(text)
        or not host
        or parts.username is not None
        or parts.fragment
        or not (parts.scheme == "https" or (parts.scheme == "http" and _is_private(host)))
    ):
        raise UnacceptableError(expected, "")
    return text


def _is_private(host: str) -> bool:
    try:
        return IPv4Address(host).is_private
    except AddressValueError:
        return False


def bot_address(path: str, query: Sequence[str], usual: str) -> Parser[str]:
    """Accept the webhook address of a group's bot: any host, in case there is a relay, with the vendor's path."""
    expected = f"the whole webhook address of the bot, like {usual} (https, or http at a private IPv4 address)"

    def parse(text: str) -> str:
        parts = urlsplit(_address(text, expected))
        if not re.fullmatch(path, parts.path) or set(parse_qs(parts.query)) != set(query):
            raise UnacceptableError(expected, "")
        return text

    return parse


def any_address(text: str) -> str:
    """Accept any address over https, or over http at a private IPv4 address."""
    return _address(text, "an address that begins with https://, or with http:// and a private IPv4 address")


DINGTALK: Final = bot_address("/robot/send", ["access_token"], "https://oapi.dingtalk.com/robot/send?access_token=...")
WECOM: Final = bot_address("/cgi-bin/webhook/send", ["key"], "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=...")
FEISHU: Final = bot_address(
    r"/open-apis/bot/v2/hook/[A-Za-z0-9-]+", [], "https://open.feishu.cn/open-apis/bot/v2/hook/..."
)


def signing_secret(text: str) -> str:
    """Accept the secret with which a bot's messages are signed."""
    if not re.fullmatch(r"[A-Za-z0-9_=+/-]{8,128}", text):
        raise UnacceptableError("the secret that the bot's page shows (signature check has to be on there)", "")
    return text


def mail_password(text: str) -> str:
    """Accept the password of an account at a mail server, as somebody else has made it."""
    if not re.fullmatch(r"[ -~]{1,256}", text):
        raise UnacceptableError("1 to 256 printable ASCII characters", "")
    return text
