"""The account as a person at the console has it: calls the emulated API with Alibaba's own client.

It signs by the SDK's code, not by ours, so it also shows that the emulation checks signatures as the real API does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, final

from alibabacloud_tea_openapi import utils_models
from alibabacloud_tea_openapi.client import Client
from darabonba.exceptions import DaraException, UnretryableException
from darabonba.runtime import RuntimeOptions

from tests.aliyun.emulation.actions import ALIDNS, ECS, VPC

_VERSIONS = {product.name: product.version for product in (ECS, VPC, ALIDNS)}
_PATIENT = RuntimeOptions(connect_timeout=60_000, read_timeout=60_000)  # milliseconds: a busy machine is not silent


@final
class RefusedError(Exception):
    """The API answered an error; ``code`` is what it is known by."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.code = code
        self.status = status


@final
class UnansweredError(Exception):
    """The connection ended without an answer: whether anything was done is not known."""


@final
class Console:
    """Calls actions of one emulation.

    Args:
        environment: where it is, as the emulation itself says it: ``Emulation.environment``, or a shell's that has read
            the file ``environment`` of its folder.
        key_id, secret: other credentials than those in there.
        signature: by which of the two recipes requests are signed.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        key_id: str = "",
        secret: str = "",
        signature: Literal["v1", "v3"] = "v1",
    ) -> None:
        self._region = environment["ALICLOUD_REGION"]
        config = utils_models.Config(
            access_key_id=key_id or environment["ALICLOUD_ACCESS_KEY"],
            access_key_secret=secret or environment["ALICLOUD_SECRET_KEY"],
            endpoint=environment["ALIBABA_CLOUD_ENDPOINT_ECS"],
            region_id=self._region,
            ca=environment["SSL_CERT_FILE"],
            protocol="HTTPS",
            # The SDK's name for RPC signature 1.0, which the plugin uses too; unset, it signs with ACS3.
            signature_algorithm="v2" if signature == "v1" else None,
        )
        self._client = Client(config)

    def ecs(self, action: str, **parameters: object) -> dict[str, Any]:
        """Call an action of ECS. ``a__b`` stands for ``a.b``; lists become ``a.1``, ``a.2``; raises RefusedError."""
        return self.call("ecs", action, parameters)

    def vpc(self, action: str, **parameters: object) -> dict[str, Any]:
        """Call an action of VPC or EIP; raises RefusedError."""
        return self.call("vpc", action, parameters)

    def dns(self, action: str, **parameters: object) -> dict[str, Any]:
        """Call an action of Alidns; raises RefusedError."""
        return self.call("alidns", action, parameters)

    def call(self, product: str, action: str, parameters: Mapping[str, object]) -> dict[str, Any]:
        """Call any action; raises RefusedError, UnansweredError."""
        asked = utils_models.Params(
            action=action,
            version=_VERSIONS[product],
            protocol="HTTPS",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        )
        query = {"RegionId": self._region, **_flat(parameters)}
        try:
            answer = self._client.call_api(asked, utils_models.OpenApiRequest(query=query), _PATIENT)
        except DaraException as error:
            raise RefusedError(error.code, error.message, int((error.data or {}).get("statusCode", 0))) from error
        except UnretryableException as error:
            raise UnansweredError(str(error)) from error
        body: dict[str, Any] = answer["body"]
        return body


def _flat(parameters: Mapping[str, object]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in parameters.items():
        name = key.replace("__", ".")
        if isinstance(value, list):
            flat |= {f"{name}.{number}": str(item) for number, item in enumerate(value, 1)}
        elif isinstance(value, bool):
            flat[name] = str(value).lower()
        else:
            flat[name] = str(value)
    return flat


def refusal(call: Callable[[], object]) -> str:
    """Return the code with which a call is refused; fails where it is not."""
    try:
        call()
    except RefusedError as error:
        return error.code
    raise AssertionError("the call was answered and not refused")
