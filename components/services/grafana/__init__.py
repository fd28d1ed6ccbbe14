"""Grafana."""

from components.services.grafana.component import Grafana, GrafanaArgs

__all__ = ["Grafana", "GrafanaArgs"]
