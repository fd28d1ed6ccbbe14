"""The ACME client as a service."""

from components.services.acme.component import Acme, AcmeArgs

__all__ = ["Acme", "AcmeArgs"]
