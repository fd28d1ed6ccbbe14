"""Prometheus."""

from components.services.prometheus.component import Prometheus, PrometheusArgs

__all__ = ["Prometheus", "PrometheusArgs"]
