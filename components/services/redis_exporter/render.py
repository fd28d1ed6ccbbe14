"""The Redis exporter's password file and command line."""

from __future__ import annotations

import json
from collections.abc import Sequence


def render_passwords(redis: str, password: str) -> str:
    """Return the password file. Secret."""
    return json.dumps({f"redis://{redis}": password})


def render_command(port: int, redis: str, password_file: str) -> Sequence[str]:
    """Return the arguments."""
    return [
        f"-redis.addr=redis://{redis}",
        f"-redis.password-file={password_file}",
        # Redis lets nobody read its config (components/services/redis/render.py).
        "-config-command=-",
        # Shorter than Prometheus waits: it has to say that Redis is gone, instead of seeming gone itself.
        "-connection-timeout=3s",
        f"-web.listen-address=0.0.0.0:{port}",
    ]
