"""The blackbox exporter's config file."""

from __future__ import annotations

from collections.abc import Sequence

from components.templates import render
from config.scraping import Probe


def render_config(probes: Sequence[Probe], ca_file: str) -> str:
    """Return the config: one module for each probe, of the same name.

    Args:
        probes: what is asked.
        ca_file: path of the CA that the answering certificate is held against; empty: none, for
            one that nobody trusts.

    """
    return render("blackbox_exporter", "blackbox.yml", probes=probes, ca_file=ca_file)
