"""The Redis exporter."""

from components.services.redis_exporter.component import RedisExporter, RedisExporterArgs

__all__ = ["RedisExporter", "RedisExporterArgs"]
