"""Redis with the config we render."""

from __future__ import annotations

import time

import pytest
from docker.models.containers import Container

from components.services.redis.component import PORT, USER
from components.services.redis.render import RedisConfig, render_files, render_users
from tests.services.conftest import Bench, execute

PASSWORD = "Made-up-password-0123456789"  # noqa: S105


@pytest.fixture(scope="module")
def redis(bench: Bench) -> Container:
    config = RedisConfig(port=PORT, maxmemory=24 * 2**20, policy="allkeys-lru")
    volume = bench.volume(
        {
            **render_files(config),
            "secrets/users.conf": render_users(PASSWORD),
            "secrets/password": PASSWORD,
        },
        USER,
    )
    container = bench.container(
        "redis",
        ["redis-server", "/config/redis.conf"],
        user=f"{USER}:{USER}",
        network_mode="none",
        working_dir="/tmp",  # noqa: S108 (in the container)
        volumes={volume.name: {"bind": "/config", "mode": "ro"}, **_data(bench)},
    )
    deadline = time.monotonic() + 60
    while "PONG" not in ask(container, "ping"):
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.2)
    return container


def _data(bench: Bench) -> dict[str, dict[str, str]]:
    volume = bench.volume({}, USER)
    bench.run(
        "toolbox",
        ["chown", f"{USER}:{USER}", "/data"],
        user="0",
        volumes={volume.name: {"bind": "/data", "mode": "rw"}},
    )
    return {volume.name: {"bind": "/data", "mode": "rw"}}


def ask(container: Container, *command: str, password: str = PASSWORD) -> str:
    return execute(container, "redis-cli", *command, REDISCLI_AUTH=password)[1]


def test_nobody_gets_in_without_the_password(redis: Container) -> None:
    assert "NOAUTH" in ask(redis, "ping", password="")
    assert "WRONGPASS" in ask(redis, "ping", password="wrong")


def test_what_synapse_does_is_allowed(redis: Container) -> None:
    assert "OK" in ask(redis, "set", "key", "value", "px", "60000")
    assert "value" in ask(redis, "get", "key")
    assert ask(redis, "publish", "channel", "text").split()[-1] == "0"


@pytest.mark.parametrize("command", [["flushall"], ["config", "get", "*"], ["keys", "*"], ["shutdown"]])
def test_what_would_wipe_or_change_it_is_not(redis: Container, command: list[str]) -> None:
    assert "NOPERM" in ask(redis, *command)


def test_limits_and_persistence_are_those_of_the_config(redis: Container) -> None:
    info = ask(redis, "info")
    assert "maxmemory:25165824" in info
    assert "maxmemory_policy:allkeys-lru" in info
    assert "aof_enabled:1" in info


def test_what_was_written_survives_a_kill(redis: Container) -> None:
    assert "OK" in ask(redis, "set", "kept", "yes")
    time.sleep(1.5)
    redis.kill()
    redis.start()
    deadline = time.monotonic() + 60
    while "yes" not in ask(redis, "get", "kept"):
        assert time.monotonic() < deadline, redis.logs().decode()
        time.sleep(0.2)
