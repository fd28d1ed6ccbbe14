"""coturn."""

from components.services.coturn.component import Coturn, CoturnArgs

__all__ = ["Coturn", "CoturnArgs"]
