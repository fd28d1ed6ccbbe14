"""The canary."""

from components.services.canary.component import Canary, CanaryArgs

__all__ = ["Canary", "CanaryArgs"]
