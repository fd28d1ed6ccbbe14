"""One call, from the parameters to the answer: signature, fault, model, ClientToken, action, journal."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any, final

from tests.aliyun.emulation import (  # the modules enter their actions when they are loaded
    account,
    alidns,
    disks,
    ecs_instances,
    eip,
    instance_attributes,
    instance_lifecycle,
    key_pairs,
    models,
    prices,
    security_group_rules,
    security_groups,
    snapshot_policies,
    tags,
    vpc,
)
from tests.aliyun.emulation.actions import ACTIONS, PRODUCTS, Product, Reply
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import ApiError, unknown_action
from tests.aliyun.emulation.faults import Fault, Faults
from tests.aliyun.emulation.journal import Entry, Journal, now
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.signature import Request, Verifier
from tests.aliyun.emulation.state import Token

MODULES = (
    account,
    alidns,
    disks,
    ecs_instances,
    eip,
    instance_attributes,
    instance_lifecycle,
    key_pairs,
    prices,
    security_group_rules,
    security_groups,
    snapshot_policies,
    tags,
    vpc,
)

_ENVELOPE = frozenset(
    {
        "AccessKeyId",
        "Action",
        "Format",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureType",
        "SignatureVersion",
        "Timestamp",
        "Version",
    }
)
"""Parameters of every request, not of its action."""


@final
class NoAnswerError(Exception):
    """The connection is to be closed without a word."""


@final
@dataclass(frozen=True, kw_only=True)
class Api:
    """The API of one account."""

    cloud: Cloud
    verifier: Verifier
    faults: Faults
    journal: Journal

    def answer(self, request: Request) -> tuple[int, Reply]:
        """Return the HTTP status and the reply; raises :class:`NoAnswerError` where a fault wants that."""
        given = {**request.query, **request.form}
        action = given.get("Action") or request.headers.get("x-acs-action", "")
        version = given.get("Version") or request.headers.get("x-acs-version", "")
        own = {name: value for name, value in given.items() if name not in _ENVELOPE}
        product = PRODUCTS.get(version)
        request_id = str(uuid.uuid4()).upper()
        note: dict[str, Any] = {}
        try:
            return 200, {"RequestId": request_id, **self._result(request, product, action, own, note)}
        except ApiError as error:
            note["code"] = error.code
            host = request.headers.get("host", "")
            body = {"Code": error.code, "Message": error.message, "RequestId": request_id, "HostId": host}
            return error.status, body
        finally:
            entry = Entry(
                at=now(),
                product=product.name if product else version,
                action=action,
                client=_client(request),
                parameters=sorted(own),
                **note,
            )
            self.journal.add(entry)

    def _result(
        self, request: Request, product: Product | None, action: str, own: dict[str, str], note: dict[str, Any]
    ) -> Reply:
        self.verifier.check(request)
        if product is None:
            raise ApiError(400, "InvalidVersion", "Specified parameter Version is not valid.")
        fault = self.faults.take(action, own)
        if fault is not None:
            note["fault"] = fault.kind
            _before(fault)
        reply = self._checked(product, action, own, note)
        if fault is not None:
            _after(fault)
        return reply

    def _checked(self, product: Product, action: str, own: dict[str, str], note: dict[str, Any]) -> Reply:
        handler = ACTIONS.get((product.version, action))
        if product.package:
            known = models.parameters(product.package, action)
            if known is None or handler is None:
                raise unknown_action(action)
            lacking = models.check(known, own)
            if lacking:
                raise product.missing(lacking[0])
        if handler is None:
            raise unknown_action(action)
        region = own.get("RegionId") or own.get("regionId") or self.cloud.region
        if region != self.cloud.region:
            raise ApiError(404, "InvalidRegionId.NotFound", "The specified RegionId does not exist.")
        with self.cloud.lock:
            reply = self._once(action, own, note, lambda: handler(self.cloud, Parameters(own)))
            self.cloud.save()
        return reply

    def _once(self, action: str, own: dict[str, str], note: dict[str, Any], do: Any) -> Reply:  # noqa: ANN401
        """Do it unless the same was done with the same ClientToken: then answer what was answered."""
        token = own.get("ClientToken", "")
        asked = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()
        earlier = self.cloud.state.tokens.get(token) if token else None
        if earlier is not None:
            if (earlier.action, earlier.asked) != (action, asked):
                raise ApiError(403, "IdempotentParameterMismatch", "The specified clientToken is used.")
            note["repeated"] = True
            return earlier.reply
        reply: Reply = do()
        if token:
            self.cloud.state.tokens[token] = Token(action=action, asked=asked, reply=reply)
        return reply


def _before(fault: Fault) -> None:
    if fault.kind in {"error", "throttle"}:
        raise fault.error()
    if fault.kind in {"timeout", "slow"}:
        time.sleep(fault.seconds)
    if fault.kind == "timeout":
        raise NoAnswerError


def _after(fault: Fault) -> None:
    if fault.kind == "lost":
        raise NoAnswerError
    if fault.kind == "failed":
        raise fault.error()


def _client(request: Request) -> str:
    if "TeaDSL" in request.headers.get("user-agent", "") and request.headers.get("authorization") is None:
        return "tea"
    return "old" if "x-sdk-client" in request.headers else "sdk"
