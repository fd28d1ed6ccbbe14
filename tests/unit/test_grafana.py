"""Grafana's config: what it must not do, and whether its files lead to each other."""

from __future__ import annotations

import configparser
import json
import re

import yaml

from components.services.grafana.render import (
    ADMIN_PASSWORD_FILE,
    SECRET_KEY_FILE,
    GrafanaConfig,
    render_command,
    render_environment,
    render_files,
)
from config.dashboards import DATASOURCE, dashboard_files
from tests.samples import settings

CONFIG = GrafanaConfig(
    port=3000,
    url="http://127.0.0.1:3333",
    prometheus="prometheus:9090",
    dashboards=dashboard_files(settings(tier="2C4G", monitoring="full")),
)
FILES = render_files(CONFIG, "/config")


def ini() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(FILES["grafana.ini"])
    return parser


def test_nobody_looks_without_the_password_and_nobody_signs_up() -> None:
    found = ini()
    assert not found.getboolean("auth.anonymous", "enabled")
    assert not found.getboolean("users", "allow_sign_up")
    assert not found.getboolean("users", "allow_org_create")
    assert not found.getboolean("public_dashboards", "enabled")
    assert not found.getboolean("snapshots", "enabled")


def test_it_asks_nobody_outside() -> None:
    found = ini()
    asks = [
        ("analytics", "reporting_enabled"),
        ("analytics", "check_for_updates"),
        ("analytics", "check_for_plugin_updates"),
        ("analytics", "feedback_links_enabled"),
        ("news", "news_feed_enabled"),
        ("plugins", "preinstall_auto_update"),
        ("plugins", "plugin_admin_enabled"),
        ("snapshots", "external_enabled"),
    ]
    assert not [key for key in asks if found.getboolean(*key)]
    refuses = [
        ("security", "disable_gravatar"),
        ("plugins", "preinstall_disabled"),
        ("plugins", "public_key_retrieval_disabled"),
    ]
    assert all(found.getboolean(*key) for key in refuses)
    addresses = re.findall(r"https?://[^\s\"]+", "\n".join(FILES.values()))
    assert set(addresses) == {
        "http://127.0.0.1:3333/",
        "http://prometheus:9090",
        "http://127.0.0.1:9090/alerts",
    }


def test_secrets_are_read_from_files() -> None:
    security = ini()["security"]
    assert security["admin_password"] == f"$__file{{/config/{ADMIN_PASSWORD_FILE}}}"
    assert security["secret_key"] == f"$__file{{/config/{SECRET_KEY_FILE}}}"


def test_the_files_lead_to_each_other() -> None:
    environment = render_environment("/config", "/data")
    folder = environment["GF_PATHS_PROVISIONING"].removeprefix("/config/")
    (source,) = yaml.safe_load(FILES[f"{folder}/datasources/prometheus.yml"])["datasources"]
    assert (source["uid"], source["url"], source["editable"]) == (DATASOURCE, "http://prometheus:9090", False)
    (provider,) = yaml.safe_load(FILES[f"{folder}/dashboards/matrix.yml"])["providers"]
    assert provider["allowUiUpdates"] is False
    pages = provider["options"]["path"].removeprefix("/config/")
    shown = {json.loads(text)["uid"] for name, text in FILES.items() if name.startswith(f"{pages}/")}
    assert shown == {f"matrix-{page}" for page in ("overview", "homeserver", "nginx", "containers", "host")}
    home = ini()["dashboards"]["default_home_dashboard_path"].removeprefix("/config/")
    assert json.loads(FILES[home])["uid"] == "matrix-overview"
    assert f"--config=/config/{next(name for name in FILES if name.endswith('.ini'))}" in render_command("/config")


def test_the_images_own_folders_are_overruled() -> None:
    # The published image sets these, and a variable comes before the config file.
    assert set(render_environment("/config", "/data")) == {
        f"GF_PATHS_{each}" for each in ("DATA", "LOGS", "PLUGINS", "PROVISIONING")
    }
    assert not ini().has_section("paths")
