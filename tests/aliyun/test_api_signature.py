"""Only who has the account's secret is answered, and a request is answered once."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.aliyun.console import Console, refusal
from tests.aliyun.emulation.emulation import KEY_ID, SECRET, Emulation
from tests.aliyun.emulation.errors import ApiError
from tests.aliyun.emulation.signature import Request, Verifier

Signature = Literal["v1", "v3"]
both = pytest.mark.parametrize("signature", ["v1", "v3"])


@both
def test_a_request_of_alibabas_own_client_is_answered(emulation: Emulation, signature: Signature) -> None:
    assert Console(emulation.environment, signature=signature).vpc("CreateVpc", CidrBlock="10.42.0.0/16")["VpcId"]


@both
def test_a_wrong_secret_is_refused_and_nothing_is_done(emulation: Emulation, signature: Signature) -> None:
    console = Console(emulation.environment, secret="guessed", signature=signature)
    assert refusal(lambda: console.vpc("CreateVpc")) == "SignatureDoesNotMatch"
    assert not emulation.cloud.state.vpcs


@both
def test_an_unknown_key_is_refused(emulation: Emulation, signature: Signature) -> None:
    console = Console(emulation.environment, key_id="nobody", signature=signature)
    assert refusal(lambda: console.vpc("CreateVpc")) == "InvalidAccessKeyId.NotFound"


def signed_once(**changes: str) -> Request:
    """A request as the plugin's older client signs it; its signature is by openssl."""
    query = {
        "AccessKeyId": KEY_ID,
        "Action": "DescribeDisks",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "17",
        "SignatureVersion": "1.0",
        "Timestamp": "2026-01-01T00:00:00Z",
        "Version": "2014-05-26",
        "DiskIds": '["d-1 ~*"]',
        "Signature": "",
    }
    return Request(method="POST", path="/", query=query | changes, form={}, headers={}, body=b"")


AT = 1767225600.0  # 2026-01-01T00:00:00Z
SIGNATURE = "hPrHNOJSYGgko+ef/grjo0CNn54="


def verifier(seconds_later: float = 0.0) -> Verifier:
    return Verifier(key_id=KEY_ID, secret=SECRET, now=lambda: AT + seconds_later)


def code(found: Verifier, request: Request) -> str:
    with pytest.raises(ApiError) as error:
        found.check(request)
    return error.value.code


def test_the_signature_is_the_published_one() -> None:
    verifier().check(signed_once(Signature=SIGNATURE))


def test_every_parameter_is_signed() -> None:
    changed = signed_once(Signature=SIGNATURE, DiskIds='["d-2"]')
    assert code(verifier(), changed) == "SignatureDoesNotMatch"
    added = signed_once(Signature=SIGNATURE, Force="true")
    assert code(verifier(), added) == "SignatureDoesNotMatch"


def test_a_request_is_taken_once() -> None:
    found = verifier()
    found.check(signed_once(Signature=SIGNATURE))
    assert code(found, signed_once(Signature=SIGNATURE)) == "SignatureNonceUsed"


@pytest.mark.parametrize("seconds", [16 * 60.0, -16 * 60.0])
def test_an_old_or_early_request_is_refused(seconds: float) -> None:
    assert code(verifier(seconds), signed_once(Signature=SIGNATURE)) == "InvalidTimeStamp.Expired"


def test_a_request_without_signature_is_refused() -> None:
    assert code(verifier(), signed_once()) == "MissingParameter"
