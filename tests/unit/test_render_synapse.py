"""Synapse's config files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from components.services.synapse.render import SynapseConfig, render_files

CONFIG = SynapseConfig(
    server_name="example.com",
    port=8008,
    client_url="https://matrix.example.com",
    federation=True,
    private_ranges=(),
    registration=True,
    upload_limit=20 * 2**20,
    cache_factor=0.25,
    redis_address="redis:6379",
)


def parsed(config: SynapseConfig = CONFIG) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(render_files(config)["homeserver.yaml"])
    return found


def test_registration_needs_a_token_or_is_closed() -> None:
    assert parsed()["enable_registration"] is True
    assert parsed()["registration_requires_token"] is True
    assert parsed(replace(CONFIG, registration=False))["enable_registration"] is False


def test_secrets_are_in_files_of_their_own() -> None:
    config = parsed()
    for name in ("registration_shared_secret", "macaroon_secret_key", "form_secret"):
        assert config[f"{name}_path"] == f"/config/secrets/{name}"
        assert name not in config
    assert config["redis"] == {
        "enabled": True,
        "host": "redis",
        "port": 6379,
        "password_path": "/config/secrets/redis_password",
    }


def test_without_redis_there_is_no_word_of_it() -> None:
    assert "redis" not in parsed(replace(CONFIG, redis_address=None))


def test_federation_off_closes_both_directions() -> None:
    config = parsed(replace(CONFIG, federation=False))
    assert config["listeners"][0]["resources"][0]["names"] == ["client"]
    assert config["federation_domain_whitelist"] == []
    assert parsed()["listeners"][0]["resources"][0]["names"] == ["client", "federation"]
    assert "federation_domain_whitelist" not in parsed()


def test_it_calls_nobody_by_itself() -> None:
    config = parsed()
    assert config["report_stats"] is False
    assert config["trusted_key_servers"] == []
    assert config["url_preview_enabled"] is False


def test_the_upload_limit_is_in_bytes() -> None:
    assert parsed()["max_upload_size"] == 20971520


def test_everything_it_writes_lies_on_the_data_volume() -> None:
    config = parsed()
    for path in (config["database"]["args"]["database"], config["media_store_path"], config["signing_key_path"]):
        assert path.startswith("/data/")


def test_the_signing_key_is_made_only_where_there_is_none() -> None:
    script = render_files(CONFIG)["start.sh"]
    assert "-s /data/signing.key" in script
    assert script.index("--generate-keys") < script.index("exec ")


def test_private_addresses_stay_closed_but_for_those_that_are_opened() -> None:
    assert "ip_range_whitelist" not in parsed()
    assert parsed(replace(CONFIG, private_ranges=["10.20.0.0/16"]))["ip_range_whitelist"] == ["10.20.0.0/16"]
