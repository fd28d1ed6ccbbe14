"""A stack deployed the way a user does it: a clean copy of the work tree, a config file, ``make up``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container

from components.container import LABEL_STACK
from config.secret_keys import SECRET_KEYS
from ops.stack import VOLUME_TYPE
from tests.recording import ROOT

OUTGOING_PORTS = 32768
"""The first of those that Linux gives to outgoing connections (``net.ipv4.ip_local_port_range``)."""


def copy_work_tree(folder: Path) -> None:
    """Copy the project's files, what is not committed yet included."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


@dataclass
class Deployment:
    """One stack in a copy of the work tree."""

    stack: str
    folder: Path
    ports: tuple[int, int, int]
    settings: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the commands find in their environment besides the user's."""
    client: docker.DockerClient = field(default_factory=docker.from_env)
    timings: dict[str, float] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    """What the commands printed, but for those that are there to show a secret."""

    @property
    def url(self) -> str:
        """Base URL for clients."""
        return f"https://localhost:{self.ports[1]}"

    @property
    def federation_url(self) -> str:
        """Base URL for other homeservers."""
        return f"https://localhost:{self.ports[2]}"

    @property
    def ca(self) -> str:
        """File of the CA certificate."""
        return str(self.folder / ".state" / f"{self.stack}-ca.pem")

    @property
    def config_file(self) -> Path:
        """The stack's config."""
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def variables(self) -> Mapping[str, str]:
        """Environment of the commands."""
        return {**users_environment(), **self.environment}

    def prepare(self, *, second_clone: bool = False) -> None:
        """Copy the work tree, what is not committed yet included, and write the stack's config.

        What a killed run left of a stack of that name is removed: `make up` would refuse to go on with its volumes. Not
        for a second clone, beside which the stack of the first one runs.
        """
        assert max(self.ports) < OUTGOING_PORTS, "an outgoing connection may have one of them just then"
        if not second_clone:
            self._clear()
        copy_work_tree(self.folder)
        self.write_config(self.settings)

    def write_config(self, settings: Mapping[str, str]) -> None:
        """Write the stack's config as a user would, without secrets; what is empty is left to the program."""
        http, https, federation = self.ports
        keys = {
            "target": "local",
            "tier": "1C1G",
            "httpPort": str(http),
            "httpsPort": str(https),
            "federationPort": str(federation),
            # Tests of something else do not wait for it, nor have a port of Prometheus' own.
            "monitoring": "off",
            **settings,
        }
        config = {"config": {f"matrix:{key}": value for key, value in keys.items() if value}}
        self.config_file.write_text(yaml.safe_dump(config))

    def make(self, target: str, *, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the Makefile as a user would."""
        started = time.monotonic()
        result = subprocess.run(
            ["make", target, *(f"{key}={value}" for key, value in {"STACK": self.stack, **variables}.items())],
            cwd=self.folder,
            env=dict(self.variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        self.timings[target] = time.monotonic() - started
        if target not in {"token", "invite"}:
            self.printed.append(result.stdout + result.stderr)
        assert not check or result.returncode == 0, f"make {target}\n{result.stdout[-6000:]}\n{result.stderr[-3000:]}"
        assert "Traceback" not in result.stdout + result.stderr
        return result

    def start(self, target: str, output: Path, **environment: str) -> subprocess.Popen[bytes]:
        """Start a command of the Makefile in a session of its own, as a terminal would, and return at once."""
        with output.open("wb") as sink:
            return subprocess.Popen(
                ["make", target, f"STACK={self.stack}"],
                cwd=self.folder,
                env={**self.variables, **environment},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def seconds(self, target: str) -> str:
        """Return how long the last run of a command took, for people."""
        return f"{self.timings[target]:.1f}"

    def pulumi(self, *arguments: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the Pulumi CLI in the activated environment."""
        result = subprocess.run(
            ["sh", "-c", '. ./activate && exec pulumi "$@"', "sh", *arguments, "--stack", self.stack],
            cwd=self.folder,
            env=dict(self.variables),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert not check or result.returncode == 0, (
            f"pulumi {arguments}\n{result.stdout[-6000:]}\n{result.stderr[-3000:]}"
        )
        return result

    def containers(self) -> list[Container]:
        """Return the stack's containers, one-shots included."""
        return list(
            self.client.containers.list(all=True, ignore_removed=True, filters={"label": f"{LABEL_STACK}={self.stack}"})
        )

    def container(self, service: str) -> Container:
        """Return the container of a service."""
        return self.client.containers.get(f"matrix-{self.stack}-{service}")

    def left_in_the_docker_engine(self) -> list[str]:
        """Return the names of everything there that carries the stack's label."""
        filters = {"label": f"{LABEL_STACK}={self.stack}"}
        return [
            *(str(each.name) for each in self.containers()),
            *(str(each.name) for each in self.client.volumes.list(filters=filters)),
            *(str(each.name) for each in self.client.networks.list(filters=filters)),
        ]

    def remove(self) -> None:
        """Remove what is left after a test that failed."""
        self._clear()
        self.client.close()

    def _clear(self) -> None:
        filters = {"label": f"{LABEL_STACK}={self.stack}"}
        for container in self.containers():
            container.remove(force=True, v=True)
        for volume in self.client.volumes.list(filters=filters):
            if os.path.ismount(volume.attrs["Mountpoint"]):  # the small disk of a killed run
                subprocess.run(["umount", "--lazy", volume.attrs["Mountpoint"]], check=True)
            volume.remove()
        for network in self.client.networks.list(filters=filters):
            network.remove()

    def configure(self, key: str, value: str) -> None:
        """Change a setting, or a secret."""
        self.pulumi("config", "set", key, *(["--secret"] if key in SECRET_KEYS else []), stdin=value)

    def secrets(self) -> Mapping[str, str]:
        """Return the stack's secrets, in clear."""
        shown = json.loads(self.pulumi("config", "--json", "--show-secrets").stdout)
        return {name: entry["value"] for name, entry in shown.items() if entry["secret"]}

    def resources(self) -> Sequence[Mapping[str, Any]]:
        """Return the resources in the state."""
        resources: list[Mapping[str, Any]] = json.loads(self.pulumi("stack", "export").stdout)["deployment"][
            "resources"
        ]
        return resources

    def started_at(self) -> Mapping[str, str]:
        """Return the id of each container and when it was started."""
        return {f"{each.name} {each.id}": each.attrs["State"]["StartedAt"] for each in self.containers()}

    def data_volumes(self) -> set[str]:
        """Return the names of the protected volumes in the state."""
        return {
            each["outputs"]["name"] for each in self.resources() if each["type"] == VOLUME_TYPE and each.get("protect")
        }


def users_environment() -> Mapping[str, str]:
    """Return this process's environment without what the activated one of the tests has set."""
    ours = ("PULUMI_", "MATRIX_", "VIRTUAL_ENV", "PYTHON", "MAKE", "MFLAGS")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)}
