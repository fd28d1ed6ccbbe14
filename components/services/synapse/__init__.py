"""Synapse."""

from components.services.synapse.component import Synapse, SynapseArgs

__all__ = ["Synapse", "SynapseArgs"]
