"""Conduit's config, against what its source at v0.10.12 reads, and against the errors of a popular article.

Conduit takes unknown keys in silence and unknown tables for profiles, so nothing but a test notices a wrong one.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from components.services.conduit.render import ConduitConfig, render_files
from config.tiers import Mebibytes
from tests.recording import record, unseal
from tests.samples import LOCAL, SECRETS

KEYS = {
    "address", "port", "tls", "server_name", "database_backend", "database_path", "db_cache_capacity_mb",
    "conduit_cache_capacity_modifier", "rocksdb_max_open_files", "pdu_cache_capacity", "cleanup_second_interval",
    "max_request_size", "max_concurrent_requests", "max_fetch_prev_events", "allow_registration", "registration_token",
    "openid_token_ttl", "allow_encryption", "allow_federation", "allow_room_creation", "allow_unstable_room_versions",
    "default_room_version", "enable_lightning_bolt", "allow_check_for_updates", "allow_jaeger", "tracing_flame",
    "jwt_secret", "trusted_servers", "log", "turn_uris", "turn_secret", "turn_username", "turn_password", "turn_ttl",
    "ignored_keys", "media", "emergency_password", "well_known", "proxy", "turn",
}  # fmt: skip
"""src/config/mod.rs of v0.10.12."""

CONFIG = ConduitConfig(
    server_name="example.com",
    port=6167,
    client_url="https://matrix.example.com",
    federation_address="matrix.example.com:443",
    federation=True,
    upload_limit=20 * 2**20,
    cache=Mebibytes(64),
    cache_modifier=0.5,
    registration_token="a-registration-token",
    turn_uris=(),
    turn_secret="",
)


def parsed(config: ConduitConfig = CONFIG) -> dict[str, Any]:
    files = render_files(config)
    assert set(files) == {"conduit.toml"}
    return tomllib.loads(files["conduit.toml"])


def test_there_is_one_table_and_every_key_in_it_exists() -> None:
    config = parsed()
    assert set(config) == {"global"}, "tables such as [database] or [cache] are taken for profiles and ignored"
    assert set(config["global"]) <= KEYS
    assert set(config["global"]["well_known"]) == {"client", "server"}


def test_what_conduit_requires_is_there() -> None:
    config = parsed()["global"]
    assert config["server_name"] == "example.com"
    assert config["database_backend"] == "rocksdb"
    assert config["database_path"] == "/data"


def test_nginx_can_reach_it() -> None:
    assert parsed()["global"]["address"] == "0.0.0.0"
    assert parsed()["global"]["port"] == 6167


def test_registration_needs_the_token_or_is_closed_and_is_never_open() -> None:
    config = parsed()["global"]
    assert (config["allow_registration"], config["registration_token"]) == (True, "a-registration-token")
    closed = parsed(replace(CONFIG, registration_token=None))["global"]
    assert closed["allow_registration"] is False
    assert "registration_token" not in closed, "an empty token is fatal"


def test_federation_is_said_because_the_code_defaults_to_off() -> None:
    assert parsed()["global"]["allow_federation"] is True
    assert parsed(replace(CONFIG, federation=False))["global"]["allow_federation"] is False


def test_it_calls_nobody_by_itself() -> None:
    config = parsed()["global"]
    assert config["allow_check_for_updates"] is False
    assert config["trusted_servers"] == []


def test_numbers_have_the_types_that_conduit_reads() -> None:
    config = parsed()["global"]
    assert isinstance(config["db_cache_capacity_mb"], float)
    assert isinstance(config["conduit_cache_capacity_modifier"], float)
    assert config["max_request_size"] == 20971520
    assert parsed(replace(CONFIG, cache_modifier=2.0))["global"]["conduit_cache_capacity_modifier"] == 2.0


def test_both_documents_of_discovery_are_set() -> None:
    assert parsed()["global"]["well_known"] == {
        "client": "https://matrix.example.com",
        "server": "matrix.example.com:443",
    }


@pytest.mark.parametrize("value", ['quote".example', "back\\slash.example", "line\nbreak"])
def test_no_value_can_break_out_of_its_quotes(value: str) -> None:
    assert parsed(replace(CONFIG, server_name=value))["global"]["server_name"] == value


def test_the_container_names_the_file_and_uses_no_variable_that_conduit_ignores() -> None:
    container = record(LOCAL, SECRETS).named("docker:index/container:Container", "conduit").inputs
    assert container["envs"] == ["CONDUIT_CONFIG=/config/conduit.toml"], "unset, it panics; it ignores RUST_LOG"
    assert container["image"] == "matrixconduit/matrix-conduit:v0.10.12", "matrixorg/conduit does not exist"
    assert "command" not in container, "the image has no path to the binary that could be named"
    assert "entrypoints" not in container


def test_the_health_check_needs_no_shell_in_the_image() -> None:
    container = record(LOCAL, SECRETS).named("docker:index/container:Container", "conduit").inputs
    tests = container["healthcheck"]["tests"]
    assert tests[:2] == ["CMD", "/probe/busybox"]
    assert tests[-1] == "http://127.0.0.1:6167/_matrix/client/versions"


def test_its_config_is_sealed_and_its_token_nowhere_else() -> None:
    recording = record(LOCAL, SECRETS)
    seed = recording.named("docker:index/container:Container", "conduit-seed").inputs
    assert SECRETS["registrationToken"] in str(unseal(seed["uploads"]))
    assert SECRETS["registrationToken"] not in str(seed["name"])


def test_it_may_finish_its_requests_before_it_is_killed() -> None:
    container = record(LOCAL, SECRETS).named("docker:index/container:Container", "conduit").inputs
    assert container["destroyGraceSeconds"] > 30, "it finishes open requests for up to 30 s after SIGTERM"


def test_redis_is_not_in_its_config() -> None:
    assert "redis" not in render_files(CONFIG)["conduit.toml"].lower(), "Conduit has no code that talks to Redis"


def test_a_turn_server_is_a_table_of_its_own_and_only_where_there_is_one() -> None:
    uris = ("turn:matrix.example.com:3478?transport=udp", "turn:matrix.example.com:3478?transport=tcp")
    config = parsed(replace(CONFIG, turn_uris=uris, turn_secret="shared"))
    assert config["global"]["turn"] == {"uris": list(uris), "secret": "shared", "ttl": 43200}
    assert "turn" not in parsed()["global"]
