"""A stack as the commands see it: the Pulumi CLI, its config and its state. Secrets go through standard input only."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import docker

from config.project import PROJECT
from config.settings import Settings, parse
from ops import docker_host, engine
from ops.docker_host import DockerHost
from toolchain.steps import StepFailed

ROOT: Final = Path(__file__).resolve().parent.parent
STATE_FOLDER: Final = ROOT / ".state"
LOCAL_STACK: Final = "local"
CONTAINER_TYPE: Final = "docker:index/container:Container"
NETWORK_TYPE: Final = "docker:index/network:Network"
INSTANCE_TYPE: Final = "alicloud:ecs/instance:Instance"
_HOST_TYPES: Final = {
    INSTANCE_TYPE,
    "alicloud:ecs/eipAssociation:EipAssociation",
    "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment",
    "alicloud:ecs/securityGroupRule:SecurityGroupRule",
}
"""Without its address and the rules nothing reaches a host; without its data disk its Docker engine does not start."""
ENGINE_TYPE: Final = "matrix:index:DockerEngine"
VOLUME_TYPE: Final = "docker:index/volume:Volume"


@final
@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a stack at one moment. Reading it takes the Pulumi CLI half a second, so it is handed on."""

    resources: Sequence[Mapping[str, Any]]
    """As Pulumi exports them: secrets in them stay encrypted."""
    pending: Sequence[Mapping[str, Any]]
    """The operations that were begun and whose end the state does not know."""

    def ids(self, kind: str) -> set[str]:
        """Return the ids of the resources of a type."""
        return {each["id"] for each in self.resources if each["type"] == kind and each.get("id")}


@final
@dataclass(frozen=True)
class Stack:
    """One stack, by name."""

    name: str

    @property
    def config_file(self) -> Path:
        """The stack's config file."""
        return ROOT / f"Pulumi.{self.name}.yaml"

    @property
    def ca_file(self) -> Path:
        """Where `make up` puts the CA certificate of a stack that has one of its own."""
        return STATE_FOLDER / f"{self.name}-ca.pem"

    def run(self, *arguments: str) -> None:
        """Run the Pulumi CLI with its output shown.

        Raises:
            StepFailed: it ended in error; what it printed says why.

        """
        command = ["pulumi", *arguments, "--stack", self.name]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # The terminal has sent the signal to the Pulumi engine too: let it finish and write its state.
            process.wait()
            raise
        if code:
            raise StepFailed(
                step=f"pulumi {arguments[0]}",
                reason=f"it ended with exit code {code}; the reason stands above",
                remedy="correct it and run the same command again: what was done already stays done",
            )

    def ask(self, *arguments: str, stdin: str = "") -> str:
        """Run the Pulumi CLI and return what it printed.

        Raises:
            StepFailed: it ended in error.

        """
        result = subprocess.run(
            ["pulumi", *arguments, "--stack", self.name, "--non-interactive"],
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if "incorrect passphrase" in result.stderr:
            raise StepFailed(
                step=f"stack {self.name}",
                reason=f"the secrets in {self.config_file.name} are sealed with another passphrase than "
                f"{STATE_FOLDER.name}/passphrase has",
                remedy=f"put back the folder {STATE_FOLDER.name} of the work tree that made them; "
                f'where it is lost, docs/operations.md says what to do ("When `{STATE_FOLDER.name}` is lost")',
            )
        if result.returncode:
            raise StepFailed(
                step=f"pulumi {' '.join(arguments[:2])}",
                # Pulumi does not say which file.
                reason=result.stderr.strip().replace("invalid YAML file", f"{self.config_file.name} is not valid YAML")
                or f"it ended with exit code {result.returncode}",
                remedy="correct it and run the same command again",
            )
        return result.stdout

    def exists(self) -> bool:
        """Return whether the backend knows the stack."""
        result = subprocess.run(
            ["pulumi", "stack", "ls", "--json"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return result.returncode == 0 and any(each["name"] == self.name for each in json.loads(result.stdout))

    def select(self) -> None:
        """Let plain Pulumi work on this stack; one that the backend does not know is made."""
        self.ask("stack", "select", "--create", "--secrets-provider", "passphrase")

    def config(self) -> tuple[dict[str, str], set[str]]:
        """Return the texts of the project's keys in the stack's config, decrypted, and which of them are encrypted."""
        shown = json.loads(self.ask("config", "--json", "--show-secrets"))
        prefix = f"{PROJECT}:"
        own = {name.removeprefix(prefix): entry for name, entry in shown.items() if name.startswith(prefix)}
        texts = {name: str(entry.get("value", "")) for name, entry in own.items()}
        return texts, {name for name, entry in own.items() if entry.get("secret")}

    def settings(self) -> Settings:
        """Return the checked settings.

        Raises:
            ConfigError: with all that is wrong.

        """
        return parse(self.name, *self.config())

    def set_config(self, name: str, value: str) -> None:
        """Write a plain key into the stack's config."""
        self.ask("config", "set", name, value)

    def remove_config(self, name: str) -> None:
        """Remove a key from the stack's config."""
        self.ask("config", "rm", name)

    def set_secret(self, name: str, value: str) -> None:
        """Write an encrypted key into the stack's config; the value goes through standard input."""
        self.ask("config", "set", "--secret", name, stdin=value)

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets masked. Empty before the first `up`."""
        outputs: dict[str, Any] = json.loads(self.ask("stack", "output", "--json"))
        return outputs

    @property
    def lock_folder(self) -> Path:
        """Where the backend keeps the locks of the stack."""
        return STATE_FOLDER / "pulumi" / ".pulumi" / "locks" / "organization" / PROJECT / self.name

    def remote_host(self) -> DockerHost | None:
        """Return the machine of the stack's Docker engine, where it is another one and the state knows it."""
        exported = json.loads(self.ask("stack", "export", "--show-secrets"))
        return host_in(exported.get("deployment", {}).get("resources") or [])

    @contextlib.contextmanager
    def docker_engine(
        self, settings: Settings | None = None, *, wait: float = docker_host.COMMAND_SECONDS
    ) -> Iterator[str | None]:
        """Give the address of the stack's Docker engine as this machine reaches it; None while there is no host.

        Args:
            settings: what is about to be deployed; None for what is.
            wait: how long to wait for a host that does not answer, in seconds.

        Raises:
            StepFailed: there is a host, and it does not answer.

        """
        deployed = "" if settings else str(self.outputs().get("dockerHost", ""))
        if settings is None and not deployed:
            settings = self.settings()
        local = deployed or (settings.docker_host if settings and settings.cloud is None else "")
        if local and not local.startswith("ssh:"):
            yield local
        elif (host := self.remote_host()) is not None:
            with docker_host.reached(host, wait) as address:
                yield address
        else:
            yield None

    @contextlib.contextmanager
    def docker_client(self) -> Iterator[docker.DockerClient]:
        """Give a client of the stack's Docker engine, for commands that make no sense without.

        Raises:
            StepFailed: it does not answer, or there is no host.

        """
        with self.docker_engine() as address:
            if address is None:
                raise StepFailed(
                    step=f"stack {self.name}", reason="it has no host", remedy=f"make up STACK={self.name}"
                )
            with engine.connect(address) as client:
                yield client

    def state(self) -> State:
        """Read the state."""
        deployment = json.loads(self.ask("stack", "export")).get("deployment") or {}
        return State(resources=deployment.get("resources") or [], pending=deployment.get("pending_operations") or [])


def host_in(resources: Sequence[Mapping[str, Any]]) -> DockerHost | None:
    """Return the host that a state, exported with its secrets, has; None where there is none."""
    types = {str(each["type"]) for each in resources}
    if any(each.startswith("alicloud:") for each in types) and not types >= _HOST_TYPES:
        return None  # its address and keys are there, it is not, or not whole: a run that failed is to go on
    for each in resources:
        outputs = each.get("outputs") or {}
        if each["type"] == ENGINE_TYPE and "privateKey" in outputs:
            return DockerHost(
                address=outputs["address"],
                user=outputs["user"],
                port=int(outputs["port"]),
                host_key=outputs["hostKey"],
                private_key=json.loads(outputs["privateKey"]["plaintext"]),
            )
    return None


def from_arguments(description: str) -> Stack:
    """Read the one argument that every command has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--stack", default=LOCAL_STACK, help="name of the stack (default: %(default)s)")
    stack = Stack(parser.parse_args().stack)
    if "PULUMI_BACKEND_URL" not in os.environ:
        raise StepFailed(
            step="environment",
            reason="the project's environment is not active",
            remedy="run the command through make, or first: . ./activate",
        )
    return stack


def require(stack: Stack) -> Stack:
    """Return the stack if it is there.

    Raises:
        StepFailed: it is not.

    """
    if not (stack.config_file.exists() and stack.exists()):
        raise missing(stack)
    return stack


def missing(stack: Stack) -> StepFailed:
    """Return what to tell of a stack that is not there."""
    return StepFailed(
        step=f"stack {stack.name}",
        reason="there is no such stack yet",
        remedy="make up" if stack.name == LOCAL_STACK else f"make up STACK={stack.name}",
    )
