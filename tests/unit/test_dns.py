"""Which DNS records a stack needs, and which of them the program makes."""

from __future__ import annotations

import pytest

from config.dns import dns_records, is_managed
from tests.samples import cloud_settings


def records(**keys: str) -> dict[tuple[str, str], str | None]:
    return {(each.type, each.name): each.value for each in dns_records(cloud_settings(**keys))}


def test_a_stack_needs_an_address_two_services_and_an_authority() -> None:
    assert records() == {
        ("A", "matrix.example.com"): None,
        ("CAA", "matrix.example.com"): '0 issue "letsencrypt.org"',
        ("SRV", "_matrix-fed._tcp.example.com"): "10 5 8448 matrix.example.com",
        ("SRV", "_matrix._tcp.example.com"): "10 5 8448 matrix.example.com",
    }


def test_the_services_name_the_port_that_is_published() -> None:
    assert records(federationPort="18448")["SRV", "_matrix-fed._tcp.example.com"] == "10 5 18448 matrix.example.com"


def test_without_federation_there_are_no_services() -> None:
    assert {kind for kind, _ in records(federation="false")} == {"A", "CAA"}


def test_nothing_is_said_about_a_server_name_that_may_have_a_website() -> None:
    assert all(name != "example.com" for _, name in records())
    assert ("A", "example.com") in records(matrixHost="example.com")


@pytest.mark.parametrize(
    ("server_name", "relative"), [("example.com", "_matrix-fed._tcp"), ("chat.example.com", "_matrix-fed._tcp.chat")]
)
def test_names_are_relative_to_the_domain(server_name: str, relative: str) -> None:
    found = dns_records(cloud_settings(serverName=server_name))
    assert relative in {each.relative_to("example.com") for each in found}


def test_the_domain_itself_is_written_as_an_at_sign() -> None:
    (address, *_) = dns_records(cloud_settings(matrixHost="example.com"))
    assert address.relative_to("example.com") == "@"


def test_only_records_within_the_domain_are_made() -> None:
    found = cloud_settings(serverName="example.org", matrixHost="matrix.example.com")
    assert {each.type for each in dns_records(found) if is_managed(each, found)} == {"A", "CAA"}
    unmanaged = cloud_settings(dnsDomain="")
    assert not [each for each in dns_records(unmanaged) if is_managed(each, unmanaged)]


def test_no_authority_is_named_that_would_keep_the_chosen_one_from_issuing() -> None:
    assert {kind for kind, _ in records(acmeDirectory="https://ca.example.org/directory")} == {"A", "SRV"}
    assert ("CAA", "matrix.example.com") in records(acmeDirectory="staging")
