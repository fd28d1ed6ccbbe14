"""Prometheus' node exporter."""

from components.services.node_exporter.component import NodeExporter, NodeExporterArgs

__all__ = ["NodeExporter", "NodeExporterArgs"]
