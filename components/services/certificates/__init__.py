"""Certificates for Nginx."""

from components.services.certificates.component import Certificates, CertificatesArgs

__all__ = ["Certificates", "CertificatesArgs"]
