"""mtail."""

from components.services.mtail.component import Mtail, MtailArgs

__all__ = ["Mtail", "MtailArgs"]
