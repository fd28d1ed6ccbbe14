"""Docker facts."""

from components.services.facts.component import Facts, FactsArgs

__all__ = ["Facts", "FactsArgs"]
