"""Dendrite."""

from components.services.dendrite.component import Dendrite, DendriteArgs

__all__ = ["Dendrite", "DendriteArgs"]
