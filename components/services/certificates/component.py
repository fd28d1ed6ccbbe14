"""A CA of the stack's own and a certificate for its names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

import pulumi
import pulumi_tls as tls

from config.settings import LOCALHOST, LOOPBACK, Settings

_CA_YEARS: Final = 10
_LEAF_DAYS: Final = 180
"""Mozilla's guideline 6.0 allows 366 days, Apple's platforms 825 for a CA that a person installed."""
_RENEW_DAYS_BEFORE: Final = 60
_DAY: Final = 24


@final
@dataclass(frozen=True, kw_only=True)
class CertificatesArgs:
    """Inputs of :class:`Certificates`."""

    settings: Settings


@final
class Certificates(pulumi.ComponentResource):
    """Certificate and key for the stack's names, signed by a CA that people can trust once.

    The next ``pulumi up`` after two thirds of the certificate's life renews it, with the same key.
    """

    ca_pem: pulumi.Output[str]
    files: Mapping[str, pulumi.Output[str]]
    """For Nginx' config volume: chain and key under ``tls/``, the CA for people to fetch under ``static/``."""

    def __init__(self, name: str, args: CertificatesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Certificates", name, {}, opts)
        settings = args.settings
        # Who has trusted the CA once shall not have to do it again: it survives a destroy.
        protect = settings.delete_protection
        names = sorted({settings.matrix_host, settings.server_name, LOCALHOST})
        kept = pulumi.ResourceOptions(
            parent=self,
            protect=protect,
            additional_secret_outputs=["privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"],
        )
        ca_key = tls.PrivateKey(f"{name}-ca-key", algorithm="ECDSA", ecdsa_curve="P256", opts=kept)
        key = tls.PrivateKey(f"{name}-key", algorithm="ECDSA", ecdsa_curve="P256", opts=kept)
        ca_key_pem: pulumi.Output[str] = pulumi.Output.secret(ca_key.private_key_pem)
        key_pem: pulumi.Output[str] = pulumi.Output.secret(key.private_key_pem)
        ca = tls.SelfSignedCert(
            f"{name}-ca",
            private_key_pem=ca_key_pem,
            is_ca_certificate=True,
            max_path_length=0,
            set_subject_key_id=True,
            subject=tls.SelfSignedCertSubjectArgs(
                common_name=f"Matrix CA of stack {settings.stack}", organization="matrix-homeserver"
            ),
            validity_period_hours=_CA_YEARS * 365 * _DAY,
            allowed_uses=["cert_signing", "crl_signing"],
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        request = tls.CertRequest(
            f"{name}-request",
            private_key_pem=key_pem,
            subject=tls.CertRequestSubjectArgs(common_name=settings.matrix_host),
            dns_names=names,
            ip_addresses=sorted({LOOPBACK, settings.bind_address} - {"0.0.0.0"}),  # noqa: S104 (not an address)
            opts=pulumi.ResourceOptions(parent=self),
        )
        leaf = tls.LocallySignedCert(
            f"{name}-leaf",
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=ca_key_pem,
            ca_cert_pem=ca.cert_pem,
            set_subject_key_id=True,
            validity_period_hours=_LEAF_DAYS * _DAY,
            early_renewal_hours=_RENEW_DAYS_BEFORE * _DAY,
            allowed_uses=["digital_signature", "server_auth"],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.ca_pem = ca.cert_pem
        self.files = MappingProxyType(
            {
                "tls/fullchain.pem": pulumi.Output.concat(leaf.cert_pem, ca.cert_pem),
                "tls/privkey.pem": key_pem,
                "static/ca.pem": ca.cert_pem,
            }
        )
        self.register_outputs({"caPem": self.ca_pem})
