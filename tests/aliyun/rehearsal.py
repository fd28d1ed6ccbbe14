"""A stack for Aliyun, deployed by the program as it is on an emulated Aliyun whose instances boot on this machine.

The program runs in a copy of the work tree with state, secrets and config of its own, so that a rehearsal of a stack
and the stack itself never meet. It learns of the emulation from its environment alone.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final
from urllib.parse import urlsplit

import docker
import yaml

from config.project import PROJECT
from ops.scratch import plain_texts
from tests.aliyun.emulation.hosts import INTERNET, remove_all
from tests.e2e.deployment import Deployment, copy_work_tree
from tests.recording import ROOT
from toolchain.steps import StepFailed, step

FOLDER: Final = ROOT / ".state" / "rehearsal"
MACHINE: Final = f"{INTERNET.network_address + 1}/32"
"""This machine, as the instances see it."""
OVERRIDES: Final[Mapping[str, str]] = {
    # No registry is asked, so that it is the same everywhere; and of Conduit no package exists.
    "homeserver": "synapse",
    "imageSource": "packages",
    "adminCidrs": MACHINE,
    # No CA reaches an emulated host.
    "certificates": "self-signed",
}
_START_SECONDS: Final = 600
"""The first start makes the image of the host, which takes minutes."""
_STOP_SECONDS: Final = 60


@final
@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """One rehearsal. Everything that it keeps is in its folder; its hosts are in this machine's Docker engine."""

    stack: str
    folder: Path
    hosts: bool = True
    """Whether instances boot; without, there is the API alone."""
    changes: Mapping[str, str] = field(default_factory=dict)
    """Settings that are other ones than those of the repository."""

    @property
    def project(self) -> Path:
        """The copy of the work tree."""
        return self.folder / "project"

    @property
    def account(self) -> Path:
        """What the emulated Aliyun keeps."""
        return self.folder / "account"

    @property
    def log(self) -> Path:
        """What the emulation prints."""
        return self.folder / "emulation.log"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the program finds in its environment."""
        words = shlex.split((self.account / "environment").read_text(), comments=True)
        return dict(word.split("=", 1) for word in words if "=" in word)

    def settings(self) -> Mapping[str, str]:
        """Return the config of the stack as the repository has it, with what a rehearsal cannot have replaced.

        Raises:
            StepFailed: there is no such stack, or it is not one for Aliyun.

        """
        file = ROOT / f"Pulumi.{self.stack}.yaml"
        # Secrets are sealed by another passphrase than the copy has; it makes its own.
        plain = plain_texts(file) if file.exists() else {}
        if plain.get("target") != "aliyun":
            raise StepFailed(
                step=f"stack {self.stack}",
                reason=f"{file.name} is not there, or its target is not aliyun",
                remedy="make rehearse STACK=dev",
            )
        return {**plain, **OVERRIDES, **self.changes}

    def deployment(self) -> Deployment:
        """Return the stack in the copy, with the environment of the emulation that runs."""
        return Deployment(
            stack=self.stack,
            folder=self.project,
            ports=(80, 443, 8448),
            settings={},
            environment={**self.environment, "MATRIX_ENV": "aliyun"},
        )

    def prepare(self) -> None:
        """Bring the copy up to date; its state and secrets stay."""
        settings = self.settings()
        file = self.project / f"Pulumi.{self.stack}.yaml"
        # With the secrets that the copy has made, and by what they are sealed.
        document: dict[str, Any] = yaml.safe_load(file.read_text()) if file.exists() else {}
        self.project.mkdir(parents=True, exist_ok=True)
        copy_work_tree(self.project)
        config = {**document.get("config", {}), **{f"{PROJECT}:{key}": value for key, value in settings.items()}}
        file.write_text(yaml.safe_dump({**document, "config": config}))

    def process(self) -> int | None:
        """Return the process of the emulation, None if none runs."""
        try:
            number = int((self.folder / "process").read_text())
            command = Path(f"/proc/{number}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return number if str(self.account).encode() in command else None

    def start(self) -> None:
        """Start the emulation, and wait until it serves.

        Raises:
            StepFailed: it does not.

        """
        settings = self.settings()
        (self.account / "environment").unlink(missing_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.aliyun.emulation", "--state", str(self.account)]
        command += ["--region", settings["region"], *([] if self.hosts else ["--no-hosts"])]
        command += [word for domain in _domains(settings) for word in ("--domain", domain)]
        with self.log.open("wb") as log:
            started = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (self.folder / "process").write_text(str(started.pid))
        deadline = time.monotonic() + _START_SECONDS
        while not (self.account / "environment").exists():
            if started.poll() is not None or time.monotonic() > deadline:
                raise StepFailed(
                    step="Emulated Aliyun",
                    reason="\n".join(["it does not start:", *self.log.read_text(errors="replace").splitlines()[-10:]]),
                    log=self.log,
                    remedy="make rehearse-down, then again",
                )
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the emulation; what it keeps stays."""
        number = self.process()
        if number is None:
            return
        os.kill(number, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while self.process() is not None and time.monotonic() < deadline:
            time.sleep(0.1)
        if self.process() is not None:
            os.kill(number, signal.SIGKILL)

    def remove(self, client: docker.DockerClient) -> None:
        """Remove everything: the emulation, its hosts and disks, the copy with its state."""
        self.stop()
        remove_all(self.account / "hosts", client)
        shutil.rmtree(self.folder, ignore_errors=True)


def _domains(settings: Mapping[str, str]) -> list[str]:
    return [settings["dnsDomain"]] if settings.get("dnsDomain") else []


def ways_in(rehearsal: Rehearsal, outputs: Mapping[str, Any]) -> str:
    """Return what a person can do with a rehearsed stack."""
    name_server, _, port = rehearsal.environment["EMULATED_ALIYUN_DNS"].partition(":")
    name = urlsplit(str(outputs["homeserverUrl"])).hostname
    return "\n".join(
        [
            f"The host answers at {outputs['publicIp']}, from this machine only.",
            f"Its names:      dig @{name_server} -p {port} {name}",
            f"The stack:      cd {rehearsal.project} && . {rehearsal.account}/environment",
            f"                make status STACK={rehearsal.stack}",
            "Remove it all:  make rehearse-down",
        ]
    )


def up(stack: str) -> None:
    """Deploy a stack on an emulated Aliyun, or bring the one that is there up to date."""
    rehearsal = Rehearsal(stack=stack, folder=FOLDER)
    other = FOLDER / "stack"
    if other.exists() and other.read_text() != stack:
        raise StepFailed(
            step="rehearsal",
            reason=f"one of {other.read_text()} is there, and there is one at a time",
            remedy="make rehearse-down",
        )
    rehearsal.settings()
    FOLDER.mkdir(parents=True, exist_ok=True)
    other.write_text(stack)
    for key, value in OVERRIDES.items():
        print(f"In a rehearsal {key} is {value}.")
    with step("Emulated Aliyun") as this:
        if rehearsal.process() is None:
            if (rehearsal.account / "hosts").exists():
                raise StepFailed(
                    step="Emulated Aliyun",
                    reason="it was stopped, and its hosts have no owner any more",
                    remedy="make rehearse-down, then again",
                )
            rehearsal.start()
        else:
            this.reused()
    rehearsal.prepare()
    deployment = rehearsal.deployment()
    done = subprocess.run(
        ["make", "up", f"STACK={stack}"], cwd=rehearsal.project, env=deployment.variables, check=False
    )
    if done.returncode:
        raise StepFailed(
            step=f"make up STACK={stack}",
            reason="it failed, see above",
            log=rehearsal.log,
            remedy="make rehearse again goes on from there; make rehearse-down removes it all",
        )
    print(f"\n{ways_in(rehearsal, json.loads(deployment.make('outputs').stdout))}")


def down() -> None:
    """Remove the rehearsal."""
    with step("Rehearsal") as this:
        client = docker.from_env()
        try:
            Rehearsal(stack="", folder=FOLDER).remove(client)
        finally:
            client.close()
        this.outcome("removed")
