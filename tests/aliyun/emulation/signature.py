"""Checks that a request was signed with the account's secret.

Two ways are in use: the Pulumi plugin signs with HMAC-SHA1 (RPC signature 1.0, parameters ``Signature...``), today's
SDKs and command line with ``ACS3-HMAC-SHA256`` (a header). Both are Alibaba's published recipes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import final
from urllib.parse import quote

from tests.aliyun.emulation.errors import ApiError, missing

_VALID_FOR = 15 * 60  # seconds a signed request may be old, or early
_HEADER = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=([0-9a-f]+)")


@final
@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request as far as signatures go. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@final
@dataclass
class Verifier:
    """Knows the account's key and the nonces that were used.

    Attributes:
        key_id: the access key.
        secret: its secret.
        now: seconds since 1970, for the age of a request.
    """

    key_id: str
    secret: str
    now: Callable[[], float] = time.time
    _nonces: dict[str, float] = field(default_factory=dict)

    def check(self, request: Request) -> None:
        """Raise :class:`ApiError` unless the request is signed, fresh, and was not seen before."""
        if request.headers.get("authorization", "").startswith("ACS3-"):
            self._check_header(request)
        else:
            self._check_parameters(request)

    def _check_parameters(self, request: Request) -> None:
        given = {**request.query, **request.form}
        for name in ("AccessKeyId", "Signature", "SignatureNonce", "Timestamp"):
            if not given.get(name):
                raise missing(name)
        self._check_key(given["AccessKeyId"])
        if given.get("SignatureMethod") != "HMAC-SHA1" or given.get("SignatureVersion") != "1.0":
            raise ApiError(400, "InvalidSignatureMethod", "Specified signature method is not valid.")
        signed = "&".join(f"{_encode(k)}={_encode(v)}" for k, v in sorted(given.items()) if k != "Signature")
        text = f"{request.method}&{_encode('/')}&{_encode(signed)}"
        digest = hmac.new(f"{self.secret}&".encode(), text.encode(), hashlib.sha1).digest()
        self._compare(given["Signature"], base64.b64encode(digest).decode())
        self._check_age(given["Timestamp"], given["SignatureNonce"])

    def _check_header(self, request: Request) -> None:
        found = _HEADER.fullmatch(request.headers["authorization"])
        if not found:
            raise ApiError(400, "IncompleteSignature", "The request signature does not conform to Aliyun standards.")
        key, names, signature = found.groups()
        self._check_key(key)
        query = "&".join(f"{_encode(k)}={_encode(v)}" for k, v in sorted(request.query.items()))
        headers = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in names.split(";"))
        payload = hashlib.sha256(request.body).hexdigest()
        canonical = f"{request.method}\n{request.path}\n{query}\n{headers}\n{names}\n{payload}"
        text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        self._compare(signature, hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest())
        self._check_age(request.headers.get("x-acs-date", ""), request.headers.get("x-acs-signature-nonce", ""))

    def _check_key(self, key: str) -> None:
        if key != self.key_id:
            raise ApiError(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")

    def _compare(self, given: str, computed: str) -> None:
        if not hmac.compare_digest(given, computed):
            text = "Specified signature is not matched with our calculation."
            raise ApiError(400, "SignatureDoesNotMatch", text)

    def _check_age(self, stamp: str, nonce: str) -> None:
        now = self.now()
        try:
            at = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError as error:
            raise ApiError(
                400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."
            ) from error
        if abs(now - at) > _VALID_FOR:
            raise ApiError(400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
        self._nonces = {old: seen for old, seen in self._nonces.items() if now - seen < 2 * _VALID_FOR}
        if nonce in self._nonces:
            raise ApiError(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
        self._nonces[nonce] = now


def _encode(text: str) -> str:
    return quote(text, safe="~")
