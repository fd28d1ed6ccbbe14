"""The CAs that a homeserver trusts."""

from __future__ import annotations

import ssl

import certifi
import pytest
import trustme

from components.trust import trust_environment, trust_files
from config.errors import ConfigError
from tests.samples import settings

CA = trustme.CA()
PEM = CA.cert_pem.bytes().decode()


def test_a_ca_of_ones_own_comes_beside_the_public_ones() -> None:
    ours = settings(extraCa=PEM)
    (path, text) = next(iter(trust_files(ours).items()))
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.load_verify_locations(cadata=text)
    public = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    public.load_verify_locations(cafile=certifi.where())
    assert len(trusted.get_ca_certs()) == len(public.get_ca_certs()) + 1
    assert trust_environment(ours) == {"SSL_CERT_FILE": f"/config/{path}"}


def test_without_one_the_image_decides() -> None:
    assert trust_files(settings()) == {}
    assert trust_environment(settings()) == {}


def test_a_certificate_that_comes_with_its_key_is_refused_and_the_key_is_not_shown() -> None:
    key = CA.private_key_pem.bytes().decode()
    with pytest.raises(ConfigError, match="a private key") as raised:
        settings(extraCa=PEM + key)
    assert key.splitlines()[1] not in str(raised.value)
