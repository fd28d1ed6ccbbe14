"""The keys of the host: its own, and the one that people and Pulumi log in with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import final

import pulumi
import pulumi_tls as tls
from pulumi_alicloud import ecs

from components.aliyun.ownership import Ownership


@final
@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """Inputs of :class:`Access`."""

    owner: Ownership
    protect: bool


@final
class Access(pulumi.ComponentResource):
    """Two key pairs that never leave the state unsealed.

    The host's own is made here, so that its public half is known before the first connection.
    """

    host_key: tls.PrivateKey
    admin_key: tls.PrivateKey
    key_pair_name: pulumi.Output[str]
    """Name of the admin key's pair in ECS."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:aliyun:Access", name, {}, opts)
        kept = pulumi.ResourceOptions(
            parent=self,
            protect=args.protect,
            additional_secret_outputs=["privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"],
        )
        self.host_key = tls.PrivateKey("host-key", algorithm="ED25519", opts=kept)
        # RSA: ECS has imported nothing else for long.
        self.admin_key = tls.PrivateKey("admin-key", algorithm="RSA", rsa_bits=4096, opts=kept)
        public_key = self.admin_key.public_key_openssh.apply(str.strip)
        pair = ecs.EcsKeyPair(
            "key-pair",
            # The provider takes another public key under the same name for no change at all, and ECS deletes no pair
            # that an instance still has. With the key in its name another key is another pair, made first.
            key_pair_name=public_key.apply(lambda key: f"{args.owner.name('admin')}-{fingerprint(key)}"),
            public_key=public_key,
            tags=args.owner.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.key_pair_name = pair.key_pair_name
        self.register_outputs({"keyPairName": pair.key_pair_name})


def fingerprint(public_key: str) -> str:
    """Return a short name of a public key."""
    return hashlib.sha256(public_key.encode()).hexdigest()[:8]
