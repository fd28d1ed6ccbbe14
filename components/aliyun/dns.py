"""The DNS records of a stack, in a domain that is hosted at Alidns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import pulumi
from pulumi_alicloud import dns

from config.dns import DnsRecord


@final
@dataclass(frozen=True, kw_only=True)
class DnsArgs:
    """Inputs of :class:`Dns`."""

    domain: str
    """It has to be there. Declared here, it would be deleted with everything in it."""
    ttl: int
    """Seconds."""
    records: Sequence[DnsRecord]
    address: pulumi.Input[str]


@final
class Dns(pulumi.ComponentResource):
    """The records that lead clients and other homeservers here."""

    def __init__(self, name: str, args: DnsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:aliyun:Dns", name, {}, opts)
        for record in args.records:
            dns.AlidnsRecord(
                f"dns-{record.key}",
                domain_name=args.domain,
                rr=record.relative_to(args.domain),
                type=record.type,
                value=args.address if record.value is None else record.value,
                ttl=args.ttl,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"records": [record.name for record in args.records]})
