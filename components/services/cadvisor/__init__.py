"""cAdvisor."""

from components.services.cadvisor.component import Cadvisor, CadvisorArgs

__all__ = ["Cadvisor", "CadvisorArgs"]
