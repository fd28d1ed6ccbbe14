"""Conduit."""

from components.services.conduit.component import Conduit, ConduitArgs

__all__ = ["Conduit", "ConduitArgs"]
