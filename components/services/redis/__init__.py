"""Redis."""

from components.services.redis.component import Redis, RedisArgs

__all__ = ["Redis", "RedisArgs"]
