"""SSH key pairs. Only imported ones: a private key that the cloud makes is not wanted here."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from tests.aliyun.emulation.actions import ECS, Reply, action, page
from tests.aliyun.emulation.cloud import Cloud
from tests.aliyun.emulation.errors import ApiError, no_instance
from tests.aliyun.emulation.parameters import Parameters
from tests.aliyun.emulation.state import KeyPair
from tests.aliyun.emulation.tags import for_ecs

_NAME = re.compile(r"[A-Za-z一-鿿][A-Za-z0-9一-鿿:_-]{1,127}")
_KINDS = frozenset({"ssh-rsa", "ssh-ed25519"})


@action(ECS, "ImportKeyPair")
def import_key_pair(cloud: Cloud, call: Parameters) -> Reply:
    name = call.text("KeyPairName")
    if not _NAME.fullmatch(name):
        raise ApiError(400, "InvalidKeyPairName.Malformed", "Specified Key Pair name is not valid.")
    if name in cloud.state.key_pairs:
        raise ApiError(400, "KeyPair.AlreadyExist", "The key pair already exist.")
    if len(cloud.state.key_pairs) >= cloud.limits.key_pairs:
        raise ApiError(403, "QuotaExceed.KeyPair", "The key pair quota exceeds.")
    public_key = call.text("PublicKeyBody").strip()
    pair = KeyPair(
        name=name,
        public_key=public_key,
        fingerprint=_fingerprint(public_key),
        created=cloud.minute(),
        tags=call.tags(),
    )
    cloud.state.key_pairs[name] = pair
    return {"KeyPairName": name, "KeyPairFingerPrint": pair.fingerprint}


@action(ECS, "DescribeKeyPairs")
def describe_key_pairs(cloud: Cloud, call: Parameters) -> Reply:
    wanted = call.text("KeyPairName")
    rows = [
        {
            "KeyPairName": pair.name,
            "KeyPairFingerPrint": pair.fingerprint,
            "CreationTime": pair.created,
            "ResourceGroupId": "rg-default",
            "Tags": for_ecs(pair.tags),
        }
        for pair in cloud.state.key_pairs.values()
        if wanted in {"", pair.name}
    ]
    return page(rows, "KeyPairs", "KeyPair")


@action(ECS, "DeleteKeyPairs")
def delete_key_pairs(cloud: Cloud, call: Parameters) -> Reply:
    names = call.listed("KeyPairNames")
    if any(instance.key_pair in names for instance in cloud.state.instances.values()):
        text = "The specified key pair is attached to an instance."
        raise ApiError(400, "InvalidParameter.KeypairAlreadyAttachedInstance", text)
    for name in names:
        cloud.state.key_pairs.pop(name, None)  # a pair that does not exist is no error
    return {}


@action(ECS, "AttachKeyPair")
def attach_key_pair(cloud: Cloud, call: Parameters) -> Reply:
    if call.text("KeyPairName") not in cloud.state.key_pairs:
        raise ApiError(404, "InvalidKeyPairName.NotFound", "The specified KeyPairName does not exist.")
    return _set(cloud, call, call.text("KeyPairName"))


@action(ECS, "DetachKeyPair")
def detach_key_pair(cloud: Cloud, call: Parameters) -> Reply:
    return _set(cloud, call, "")


def _set(cloud: Cloud, call: Parameters, name: str) -> Reply:
    wanted = call.listed("InstanceIds")
    for found in wanted:
        if found not in cloud.state.instances:
            raise no_instance()
        # It reaches the guest at its next start, as on Aliyun.
        cloud.state.instances[found].key_pair = name
    return {"TotalCount": str(len(wanted)), "FailCount": "0", "Results": {"Result": []}}


def _fingerprint(public_key: str) -> str:
    kind, _, rest = public_key.partition(" ")
    try:
        blob = base64.b64decode(rest.split(" ")[0], validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    # The blob repeats the kind, after its length.
    if kind not in _KINDS or blob[4 : 4 + len(kind)] != kind.encode():
        raise ApiError(400, "InvalidPublicKeyBody.Malformed", "The PublicKeyBody format is not supported.")
    return hashlib.md5(blob, usedforsecurity=False).hexdigest()
