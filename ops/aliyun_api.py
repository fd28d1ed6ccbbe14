"""Alibaba Cloud's own client of the ECS API, for what Pulumi's plugin does not tell.

The SDK is imported where it is used: it is there for stacks on Aliyun only, and large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

# The spellings that the plugin reads too, in its order.
KEY_ID_VARIABLES: Final = ("ALICLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_ID")
_SECRETS: Final = ("ALICLOUD_SECRET_KEY", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABACLOUD_ACCESS_KEY_SECRET")
_TOKENS: Final = ("ALICLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN", "ALIBABACLOUD_SECURITY_TOKEN")
_ENDPOINTS: Final = ("ALIBABA_CLOUD_ENDPOINT_ECS", "ECS_ENDPOINT")

_ANSWER_MILLISECONDS: Final = 60_000
"""The client waits for 10 s where nothing is said, and asks once: a busy rehearsal was given up for that."""


def _first(environment: Mapping[str, str], names: Sequence[str]) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")


def has_credentials(environment: Mapping[str, str]) -> bool:
    """Return whether there is an access key."""
    return bool(_first(environment, KEY_ID_VARIABLES) and _first(environment, _SECRETS))


def ecs(environment: Mapping[str, str], region: str) -> Any:  # noqa: ANN401 (the SDK has no types)
    """Return a client with the credentials and the endpoint of the environment."""
    from alibabacloud_ecs20140526.client import Client  # noqa: PLC0415
    from alibabacloud_tea_openapi.utils_models import Config  # noqa: PLC0415

    return Client(
        Config(
            access_key_id=_first(environment, KEY_ID_VARIABLES),
            access_key_secret=_first(environment, _SECRETS),
            security_token=_first(environment, _TOKENS) or None,
            region_id=region,
            endpoint=_first(environment, _ENDPOINTS) or None,
            protocol="HTTPS",
            read_timeout=_ANSWER_MILLISECONDS,
            # The variable that Go's programs read, among them the plugin.
            ca=environment.get("SSL_CERT_FILE") or None,
        )
    )


def errors() -> tuple[type[Exception], ...]:
    """Return what the client raises."""
    from darabonba.exceptions import DaraException, UnretryableException  # noqa: PLC0415

    return DaraException, UnretryableException


def reason(error: Exception) -> str:
    """Return what an error of the client says; as a text it repeats the whole answer."""
    code, message = getattr(error, "code", None), getattr(error, "message", None)
    return f"{code}: {message}" if code else f"the API does not answer: {str(message or error).splitlines()[0][:300]}"
