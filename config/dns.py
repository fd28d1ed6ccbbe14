"""The DNS records of a stack, whoever makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, final

from config.cloud import inside
from config.settings import Settings

CERTIFICATE_AUTHORITY: Final = "letsencrypt.org"


@final
@dataclass(frozen=True, kw_only=True)
class DnsRecord:
    """One record. ``value`` is None where it is the public address of the host."""

    key: str
    """What Pulumi knows it by."""
    name: str
    """In full, without a dot at the end."""
    type: Literal["A", "SRV", "CAA"]
    value: str | None

    def relative_to(self, domain: str) -> str:
        """Return the name as the records of a domain have it: ``@`` for the domain itself."""
        return self.name.removesuffix(domain).removesuffix(".") or "@"


def dns_records(settings: Settings) -> tuple[DnsRecord, ...]:
    """Return the records that a stack needs.

    The address of ``serverName`` itself is not among them, unless that is where the homeserver is: there may be a
    website behind it.
    """
    host, name = settings.matrix_host, settings.server_name
    records = [DnsRecord(key="address", name=host, type="A", value=None)]
    if settings.acme.lets_encrypt:
        # What another CA calls itself is not known here; with this record it would refuse.
        # Not for serverName: whoever has a website there chooses its certificate authority.
        records.append(
            DnsRecord(key="certificate-authority", name=host, type="CAA", value=f'0 issue "{CERTIFICATE_AUTHORITY}"')
        )
    if settings.federation:
        # Priority, weight, port and target; the target without a dot at the end, which Alidns would store as it is.
        target = f"10 5 {settings.federation_port} {host}"
        records += [
            DnsRecord(key="federation", name=f"_matrix-fed._tcp.{name}", type="SRV", value=target),
            # Deprecated since v1.8 of the specification; servers and testers from before it look up nothing else.
            DnsRecord(key="federation-deprecated", name=f"_matrix._tcp.{name}", type="SRV", value=target),
        ]
    return tuple(records)


def is_managed(record: DnsRecord, settings: Settings) -> bool:
    """Return whether this program makes a record: where its name lies in the domain that it is given."""
    domain = settings.cloud.dns_domain if settings.cloud else ""
    return bool(domain) and inside(record.name, domain)
