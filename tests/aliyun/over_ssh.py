"""The unmodified program, with its Docker engine on a host of the tests: put in place of ``__main__.py`` of a copy.

What is in the cloud does not come into it, so a test needs no emulated API.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pulumi

from components import docker_location
from components.docker_engine import SshHost
from components.docker_location import DockerLocation
from config.settings import Settings

HOST_FILE = "host.json"
PROGRAM = "program.py"


def on_the_host(settings: Settings) -> DockerLocation:
    """Return the host, whatever the settings say."""
    del settings
    host = json.loads(Path(HOST_FILE).read_text())
    return DockerLocation(
        host=SshHost(
            address=pulumi.Output.from_input(host["address"]),
            user=host["user"],
            port=host["port"],
            host_key=pulumi.Output.from_input(host["host_key"]),
            private_key=pulumi.Output.secret(host["private_key"]),
            incarnation=host.get("incarnation", ""),
        )
    )


if __name__ == "__main__":
    docker_location.docker_location = on_the_host
    runpy.run_path(PROGRAM, run_name="__main__")
