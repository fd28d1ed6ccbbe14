"""Prometheus' blackbox exporter."""

from components.services.blackbox_exporter.component import BlackboxExporter, BlackboxExporterArgs

__all__ = ["BlackboxExporter", "BlackboxExporterArgs"]
