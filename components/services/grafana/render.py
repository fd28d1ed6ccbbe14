"""Grafana's config files, environment and command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from components.templates import render
from config.dashboards import DATASOURCE
from config.monitoring import DASHBOARDS_USER
from config.scraping import SCRAPE_INTERVAL

ADMIN_PASSWORD_FILE: Final = "admin-password"  # noqa: S105 (a name)
SECRET_KEY_FILE: Final = "secret-key"  # noqa: S105
"""Two secrets: their files in the config volume."""
DASHBOARDS: Final = "dashboards"
PROVISIONING: Final = "provisioning"
"""Two folders of the config volume."""


@final
@dataclass(frozen=True, kw_only=True)
class GrafanaConfig:
    """What differs between stacks."""

    port: int
    url: str
    """Where people open it."""
    prometheus: str
    """Host name and port."""
    dashboards: Mapping[str, str]
    """Name of the file and JSON."""


def render_files(config: GrafanaConfig, config_folder: str) -> Mapping[str, str]:
    """Return the files of the config volume that hold no secret."""
    return {
        "grafana.ini": render(
            "grafana",
            "grafana.ini",
            port=config.port,
            url=config.url,
            admin=DASHBOARDS_USER,
            admin_password=f"{config_folder}/{ADMIN_PASSWORD_FILE}",
            secret_key=f"{config_folder}/{SECRET_KEY_FILE}",
            home=f"{config_folder}/{DASHBOARDS}/overview.json",
        ),
        f"{PROVISIONING}/datasources/prometheus.yml": render(
            "grafana", "datasource.yml", uid=DATASOURCE, url=f"http://{config.prometheus}", interval=SCRAPE_INTERVAL
        ),
        f"{PROVISIONING}/dashboards/matrix.yml": render(
            "grafana", "provider.yml", folder=f"{config_folder}/{DASHBOARDS}"
        ),
        **{f"{DASHBOARDS}/{name}": text for name, text in config.dashboards.items()},
    }


def render_command(config_folder: str) -> Sequence[str]:
    """Return Grafana's arguments, as the published image's start script has them."""
    return ["server", "--homepath=/usr/share/grafana", f"--config={config_folder}/grafana.ini", "--packaging=docker"]


def render_environment(config_folder: str, data_folder: str) -> Mapping[str, str]:
    """Return the folders. They are not in the config file: the image sets these variables, and they come first."""
    return {
        "GF_PATHS_DATA": data_folder,
        "GF_PATHS_LOGS": f"{data_folder}/log",
        "GF_PATHS_PLUGINS": f"{data_folder}/plugins",
        "GF_PATHS_PROVISIONING": f"{config_folder}/{PROVISIONING}",
    }
