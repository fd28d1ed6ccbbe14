"""Records of a hosted zone, and the name server that answers them."""

from __future__ import annotations

from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.resolver
import pytest

from tests.aliyun.console import Console, refusal
from tests.aliyun.emulation.emulation import Emulation


def add(console: Console, rr: str, kind: str, value: str, **more: object) -> str:
    made = console.dns("AddDomainRecord", DomainName="example.com", RR=rr, Type=kind, Value=value, **more)
    return str(made["RecordId"])


def ask(emulation: Emulation, name: str, kind: str, *, tcp: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, kind)
    over = dns.query.tcp if tcp else dns.query.udp
    return over(query, "127.0.0.1", port=emulation.dns.port, timeout=10)


def values(answer: dns.message.Message) -> list[str]:
    return sorted(value.to_text() for found in answer.answer for value in found)


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize(
    ("rr", "name", "kind", "value", "answered"),
    [
        ("matrix", "matrix.example.com", "A", "198.51.100.129", "198.51.100.129"),
        ("matrix", "matrix.example.com", "AAAA", "2001:db8::1", "2001:db8::1"),
        ("@", "example.com", "CAA", '0 issue "letsencrypt.org"', '0 issue "letsencrypt.org"'),
        ("_acme-challenge", "_acme-challenge.example.com", "TXT", "a token", '"a token"'),
        ("www", "www.example.com", "CNAME", "matrix.example.org", "matrix.example.org."),
        (
            "_matrix-fed._tcp",
            "_matrix-fed._tcp.example.com",
            "SRV",
            "10 5 8448 matrix.example.com",
            "10 5 8448 matrix.example.com.",
        ),
    ],
)
def test_a_record_is_answered(  # noqa: PLR0917 - a table
    emulation: Emulation, console: Console, rr: str, name: str, kind: str, value: str, answered: str, *, tcp: bool
) -> None:
    add(console, rr, kind, value)
    answer = ask(emulation, name, kind, tcp=tcp)
    assert values(answer) == [answered]
    assert answer.flags & dns.flags.AA
    assert answer.answer[0].ttl == 600


def test_a_resolver_finds_what_a_homeserver_looks_for(emulation: Emulation, console: Console) -> None:
    add(console, "matrix", "A", "198.51.100.129")
    add(console, "_matrix-fed._tcp", "SRV", "10 5 8448 matrix.example.com")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], emulation.dns.port
    service: Any = resolver.resolve("_matrix-fed._tcp.example.com", "SRV")[0]
    assert (str(service.target), service.port) == ("matrix.example.com.", 8448)
    assert [str(found) for found in resolver.resolve(service.target, "A")] == ["198.51.100.129"]


def test_a_change_shows_at_once_and_a_disabled_record_is_silent(emulation: Emulation, console: Console) -> None:
    record = add(console, "matrix", "A", "198.51.100.129")
    console.dns("UpdateDomainRecord", RecordId=record, RR="matrix", Type="A", Value="198.51.100.130")
    assert values(ask(emulation, "matrix.example.com", "A")) == ["198.51.100.130"]
    console.dns("SetDomainRecordStatus", RecordId=record, Status="DISABLE")
    assert ask(emulation, "matrix.example.com", "A").rcode() == dns.rcode.NXDOMAIN
    console.dns("SetDomainRecordStatus", RecordId=record, Status="ENABLE")
    assert values(ask(emulation, "matrix.example.com", "A")) == ["198.51.100.130"]
    console.dns("DeleteDomainRecord", RecordId=record)
    assert ask(emulation, "matrix.example.com", "A").rcode() == dns.rcode.NXDOMAIN


def test_what_is_not_there_is_denied_and_what_is_foreign_refused(emulation: Emulation, console: Console) -> None:
    add(console, "_matrix-fed._tcp", "SRV", "10 5 8448 matrix.example.com")
    nothing = ask(emulation, "_matrix-fed._tcp.example.com", "A")
    assert (nothing.rcode(), nothing.answer) == (dns.rcode.NOERROR, [])
    assert nothing.authority
    assert ask(emulation, "_tcp.example.com", "A").rcode() == dns.rcode.NOERROR  # there is something below it
    assert ask(emulation, "none.example.com", "A").rcode() == dns.rcode.NXDOMAIN
    assert ask(emulation, "example.org", "A").rcode() == dns.rcode.REFUSED


def test_a_wildcard_covers_what_has_no_record_and_an_alias_is_followed(emulation: Emulation, console: Console) -> None:
    add(console, "*", "A", "198.51.100.140")
    add(console, "matrix", "A", "198.51.100.129")
    add(console, "chat", "CNAME", "matrix.example.com")
    assert values(ask(emulation, "any.example.com", "A")) == ["198.51.100.140"]
    assert values(ask(emulation, "chat.example.com", "A")) == ["198.51.100.129", "matrix.example.com."]


def test_an_answer_that_is_too_long_comes_over_tcp(emulation: Emulation, console: Console) -> None:
    for number in range(10):
        add(console, "long", "TXT", f"{number} " + "x" * 200)
    short = ask(emulation, "long.example.com", "TXT")
    assert short.flags & dns.flags.TC
    assert len(values(ask(emulation, "long.example.com", "TXT", tcp=True))) == 10


def test_nonsense_does_not_end_the_server(emulation: Emulation, console: Console) -> None:
    add(console, "matrix", "A", "198.51.100.129")
    assert emulation.dns.answer(b"nonsense", tcp=False) is None
    assert values(ask(emulation, "matrix.example.com", "A")) == ["198.51.100.129"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"DomainName": "example.org"}, "InvalidDomainName.NoExist"),
        ({"Type": "A", "Value": "matrix"}, "SubDomainInvalid.Value"),
        ({"Value": "10 5 8448"}, "SubDomainInvalid.Value"),
        ({"Value": "5 8448 matrix.example.com"}, "SubDomainInvalid.Value"),
        ({"Type": "CAA", "Value": "letsencrypt.org"}, "SubDomainInvalid.Value"),
        ({"TTL": 599}, "InvalidTTL"),
        ({"TTL": 86401}, "InvalidTTL"),
        ({"RR": "-matrix"}, "SubDomainInvalid.Rr"),
        ({"RR": "a..b"}, "SubDomainInvalid.Rr"),
        ({"Type": "SPF"}, "InvalidType"),
    ],
)
def test_a_record_that_cannot_be_is_refused(console: Console, changes: dict[str, Any], code: str) -> None:
    usual = {"DomainName": "example.com", "RR": "_matrix._tcp", "Type": "SRV", "Value": "10 5 8448 matrix.example.com"}
    assert refusal(lambda: console.dns("AddDomainRecord", **(usual | changes))) == code


def test_the_same_record_twice_is_a_duplicate_and_an_alias_stands_alone(console: Console) -> None:
    add(console, "matrix", "A", "198.51.100.129")
    assert refusal(lambda: add(console, "matrix", "A", "198.51.100.129")) == "DomainRecordDuplicate"
    assert refusal(lambda: add(console, "matrix", "CNAME", "other.example.com")) == "DomainRecordConflict"
    add(console, "matrix", "A", "198.51.100.130")


def test_a_record_that_is_gone_belongs_to_nobody(console: Console) -> None:
    record = add(console, "matrix", "A", "198.51.100.129")
    console.dns("DeleteDomainRecord", RecordId=record)
    for action in ("DescribeDomainRecordInfo", "DeleteDomainRecord"):
        code = refusal(lambda action=action: console.dns(action, RecordId=record))  # type: ignore[misc]
        assert code == "DomainRecordNotBelongToUser"
