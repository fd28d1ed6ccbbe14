"""Dendrite's config files, against what its source at v0.15.2 reads: it takes unknown keys in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
import yaml

from components.services.dendrite.render import DendriteConfig, render_files
from config.homeservers import HOMESERVERS
from config.tiers import Mebibytes
from tests.recording import is_sealed, record, unseal
from tests.samples import LOCAL, SECRETS

DATABASE = {"database": {"connection_string"}}
KEYS: Mapping[str, Any] = {
    "version": None,
    "global": {
        "server_name": None, "private_key": None, "old_private_keys": None, "key_validity_period": None, "cache": {
            "max_size_estimated", "max_age",
        }, "well_known_server_name": None, "well_known_client_name": None, "well_known_sliding_sync_proxy": None,
        "trusted_third_party_id_servers": None, "disable_federation": None,
        "presence": {"enable_inbound", "enable_outbound"}, "report_stats": {"enabled", "endpoint"},
        "server_notices": {"enabled", "local_part", "display_name", "avatar_url", "room_name"},
        "jetstream": {
            "addresses", "storage_path", "topic_prefix", "js_domain", "in_memory", "disable_tls_validation",
            "credentials_path",
        }, "metrics": {"enabled", "basic_auth"}, "dns_cache": {"enabled", "cache_size", "cache_lifetime"},
    },
    "client_api": {
        "registration_disabled": None, "registration_requires_token": None, "registration_shared_secret": None,
        "guests_disabled": None, "turn": None, "rate_limiting": {
            "enabled", "threshold", "cooloff_ms", "exempt_user_ids",
        },
    },
    "federation_api": {
        **DATABASE, "send_max_retries": None, "enable_relays": None, "disable_tls_validation": None,
        "disable_http_keepalives": None, "key_perspectives": None, "prefer_direct_fetch": None,
        "deny_networks": None, "allow_networks": None,
    },
    "key_server": DATABASE,
    "media_api": {
        **DATABASE, "base_path": None, "max_file_size_bytes": None, "dynamic_thumbnails": None,
        "max_thumbnail_generators": None, "thumbnail_sizes": None,
    },
    "mscs": {**DATABASE, "mscs": None},
    "relay_api": DATABASE,
    "room_server": {**DATABASE, "default_room_version": None},
    "sync_api": {
        **DATABASE, "real_ip_header": None, "search": {"enabled", "index_path", "in_memory", "language"},
    },
    "user_api": {
        "account_database": {"connection_string"}, "bcrypt_cost": None, "openid_token_lifetime_ms": None,
        "auto_join_rooms": None, "worker_count": None,
    },
    "logging": None,
}  # fmt: skip
"""setup/config/*.go of v0.15.2, without what this project has no use for."""

CONFIG = DendriteConfig(
    metrics=False,
    server_name="example.com",
    port=8008,
    client_url="https://matrix.example.com",
    federation_address="matrix.example.com:443",
    federation=True,
    private_ranges=(),
    upload_limit=20 * 2**20,
    cache=Mebibytes(64),
    registration_secret="a-registration-secret",
    turn_uris=(),
    turn_secret="",
)
CONTAINER = "docker:index/container:Container"
ON_DENDRITE = {**LOCAL, "homeserver": "dendrite", "imageSource": "packages"}


def parsed(config: DendriteConfig = CONFIG) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(render_files(config)["dendrite.yaml"])
    return found


def texts(value: object) -> Iterator[str]:
    """Return every text in a config."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


def test_every_key_exists() -> None:
    config = parsed()
    assert set(config) <= set(KEYS)
    for section, known in KEYS.items():
        if known is None:
            continue
        assert set(config[section]) <= set(known), section
        for key, below in config[section].items():
            if isinstance(below, dict):
                assert set(below) <= known[key], f"{section}.{key}"


def test_its_own_metrics_are_told_where_they_are_asked_for() -> None:
    assert parsed()["global"]["metrics"]["enabled"] is False
    assert parsed(replace(CONFIG, metrics=True))["global"]["metrics"]["enabled"] is True


def test_registration_is_closed_and_by_shared_secret_only() -> None:
    client = parsed()["client_api"]
    assert client["registration_disabled"] is True
    assert client["guests_disabled"] is True
    assert client["registration_shared_secret"] == "a-registration-secret"  # noqa: S105 (made up)


def test_each_part_has_a_database_of_its_own_on_the_data_volume() -> None:
    config = parsed()
    parts = ["federation_api", "key_server", "media_api", "mscs", "relay_api", "room_server", "sync_api"]
    files = [config[part]["database"]["connection_string"] for part in parts]
    files.append(config["user_api"]["account_database"]["connection_string"])
    assert len(set(files)) == len(files) == 8
    assert all(file.startswith("file:/data/") and file.endswith(".db") for file in files)
    assert "database" not in config["global"], "one for all works with PostgreSQL only"


def test_everything_it_writes_lies_on_the_data_volume() -> None:
    config = parsed()
    for path in (
        config["global"]["private_key"],
        config["global"]["jetstream"]["storage_path"],
        config["media_api"]["base_path"],
        config["sync_api"]["search"]["index_path"],
    ):
        assert path.startswith("/data/")
    assert [each["type"] for each in config["logging"]] == ["std"], "others write files"


def test_federation_off_is_said() -> None:
    assert parsed()["global"]["disable_federation"] is False
    assert parsed(replace(CONFIG, federation=False))["global"]["disable_federation"] is True


def test_it_calls_nobody_by_itself() -> None:
    config = parsed()
    assert config["global"]["report_stats"] == {"enabled": False}
    assert config["global"]["trusted_third_party_id_servers"] == []
    assert config["federation_api"]["key_perspectives"] == []
    assert not any(config["global"]["presence"].values())
    assert not [text for text in texts(config) if "matrix.org" in text or "vector.im" in text]


def test_the_upload_limit_is_in_bytes() -> None:
    assert parsed()["media_api"]["max_file_size_bytes"] == 20971520


def test_a_federation_with_private_networks_stays_forbidden() -> None:
    assert "deny_networks" not in parsed()["federation_api"], "its own list has all private networks"


@pytest.mark.parametrize("value", ['quote".example', "back\\slash.example", "line\nbreak", "colon: # hash"])
def test_no_value_can_break_out_of_its_quotes(value: str) -> None:
    assert parsed(replace(CONFIG, server_name=value))["global"]["server_name"] == value


def test_the_signing_key_is_made_only_where_there_is_none_and_is_whole_or_not_there() -> None:
    script = render_files(CONFIG)["start.sh"]
    assert "-s /data/signing.key" in script
    assert script.index("generate-keys") < script.index("mv ") < script.index("exec ")


def test_it_listens_where_nginx_and_the_health_check_look_for_it() -> None:
    container = record(ON_DENDRITE, SECRETS).named(CONTAINER, "dendrite").inputs
    port = HOMESERVERS["dendrite"].port
    assert f"--http-bind-address 0.0.0.0:{port}" in render_files(CONFIG)["start.sh"]
    assert container["healthcheck"]["tests"][-1] == f"http://127.0.0.1:{port}/_dendrite/monitor/health"


def test_go_knows_the_limit_of_its_container() -> None:
    container = record(ON_DENDRITE, SECRETS).named(CONTAINER, "dendrite").inputs
    (variable,) = container["envs"]
    limit = int(variable.removeprefix("GOMEMLIMIT=").removesuffix("MiB"))
    assert 0.8 * container["memory"] < limit < container["memory"]


def test_its_config_is_sealed_and_the_script_that_starts_it_can_be_read() -> None:
    seed = record(ON_DENDRITE, SECRETS).named(CONTAINER, "dendrite-seed").inputs
    uploads = {each["file"]: each for each in unseal(seed["uploads"])}
    assert SECRETS["dendriteRegistrationSecret"] in uploads["/seed/dendrite.yaml"]["content"]
    shown = [] if is_sealed(seed["uploads"]) else [each for each in seed["uploads"] if not is_sealed(each["content"])]
    assert SECRETS["dendriteRegistrationSecret"] not in str(shown)


def test_the_setting_of_registration_changes_nothing() -> None:
    closed = record({**ON_DENDRITE, "registration": "closed"}, SECRETS).named(CONTAINER, "dendrite-seed").inputs
    assert closed == record(ON_DENDRITE, SECRETS).named(CONTAINER, "dendrite-seed").inputs


def test_private_addresses_stay_closed_but_for_those_that_are_opened() -> None:
    assert "deny_networks" not in parsed()["federation_api"], "Dendrite's own list"
    opened = [IPv4Network("10.20.0.0/16"), IPv4Network("172.0.0.0/8")]
    closed = [
        IPv4Network(each) for each in parsed(replace(CONFIG, private_ranges=opened))["federation_api"]["deny_networks"]
    ]
    assert not any(each.overlaps(hole) for each in closed for hole in opened)
    for address in ("10.19.255.255", "10.21.0.0", "192.168.1.1", "100.100.100.200", "169.254.169.254", "127.0.0.1"):
        assert any(IPv4Address(address) in each for each in closed), address
