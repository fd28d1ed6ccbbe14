"""A preview of a stack that nobody has deployed from here: against an empty state, which is gone afterwards.

It needs no account, no host and none of the stack's secrets, and changes no file of the project.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import yaml

from config.project import PROJECT
from config.secret_keys import SECRET_KEYS
from config.settings import Settings, parse
from ops import aliyun_api
from toolchain.steps import StepFailed

PLACEHOLDERS: Final[Mapping[str, str]] = {
    name: key.placeholder or f"placeholder-{name[:20]}" for name, key in SECRET_KEYS.items()
}
"""What stands for the stack's secrets."""

_OTHER_CREDENTIALS: Final = (
    "ALICLOUD_PROFILE",
    "ALIBABA_CLOUD_PROFILE",
    "ALICLOUD_ECS_ROLE_NAME",
    "ALIBABA_CLOUD_ECS_METADATA",
    "ALICLOUD_CREDENTIALS_URI",
    "ALIBABA_CLOUD_CREDENTIALS_URI",
    "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
)


def with_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with credentials for a preview: those that are there, else placeholders.

    The plugin of Aliyun wants some, and in a preview uses none. The kind of account is named with them: without it the
    plugin asks the billing service.
    """
    if any(environment.get(name) for name in (*aliyun_api.KEY_ID_VARIABLES, *_OTHER_CREDENTIALS)):
        return dict(environment)
    return {
        **environment,
        "ALICLOUD_ACCESS_KEY": "placeholder",
        "ALICLOUD_SECRET_KEY": "placeholder",
        "ALIBABA_CLOUD_ACCOUNT_TYPE": "Domestic",
    }


def plain_texts(config_file: Path) -> dict[str, str]:
    """Return the keys of the project that stand in clear in a stack's file."""
    content = yaml.safe_load(config_file.read_text(encoding="utf-8")) or {}
    prefix = f"{PROJECT}:"
    return {
        name.removeprefix(prefix): value if isinstance(value, str) else json.dumps(value)
        for name, value in (content.get("config") or {}).items()
        if name.startswith(prefix) and not isinstance(value, dict)
    }


def placeholder_settings(stack: str, texts: Mapping[str, str]) -> Settings:
    """Return the settings of a stack with placeholders for its secrets.

    Raises:
        ConfigError: with all that is wrong.

    """
    return parse(stack, {**texts, **PLACEHOLDERS}, set(PLACEHOLDERS))


@final
@dataclass(frozen=True, kw_only=True)
class Scratch:
    """A stack in a state of its own."""

    project: Path
    """Folder of the program, which may be another version of it."""
    stack: str
    folder: Path
    """Where state and config are."""

    @property
    def _config_file(self) -> Path:
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def _environment(self) -> dict[str, str]:
        environment = {key: value for key, value in os.environ.items() if key != "PULUMI_CONFIG_PASSPHRASE_FILE"}
        return with_credentials(
            {
                **environment,
                "PULUMI_BACKEND_URL": f"file://{self.folder}",
                "PULUMI_CONFIG_PASSPHRASE": "placeholder",
            }
        )

    def _make(self, texts: Mapping[str, str]) -> None:
        config = {f"{PROJECT}:{name}": text for name, text in texts.items()}
        self._config_file.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
        (self.folder / "Pulumi.yaml").write_bytes((self.project / "Pulumi.yaml").read_bytes())
        here = ["-C", str(self.folder)]
        self._pulumi(*here, "stack", "init", self.stack)
        placeholders = [word for name, text in PLACEHOLDERS.items() for word in ("--secret", f"{name}={text}")]
        self._pulumi(*here, "config", "set-all", "--stack", self.stack, *placeholders)

    def _pulumi(self, *arguments: str) -> str:
        result = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.project,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise _failed(arguments[0], result.stdout, result.stderr)
        return result.stdout

    def show(self, texts: Mapping[str, str]) -> None:
        """Show the preview."""
        self._make(texts)
        command = ["pulumi", "preview", "--diff", "--stack", self.stack, "--config-file", str(self._config_file)]
        if subprocess.run(command, cwd=self.project, env=self._environment, check=False).returncode:
            raise _failed("preview", "", "the reason stands above")

    def steps(self, texts: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """Return the steps of the preview, as the Pulumi CLI writes them."""
        self._make(texts)
        shown = self._pulumi("preview", "--json", "--stack", self.stack, "--config-file", str(self._config_file))
        steps: list[Mapping[str, Any]] = json.loads(shown)["steps"]
        return steps


def _failed(what: str, stdout: str, stderr: str) -> StepFailed:
    return StepFailed(
        step=f"pulumi {what}",
        reason="\n".join([*_messages(stdout), stderr.strip()]).strip(),
        remedy="correct it and run the same command again",
    )


def _messages(stdout: str) -> list[str]:
    try:
        diagnostics = json.loads(stdout).get("diagnostics", [])
    except (ValueError, AttributeError):
        return [stdout.strip()]
    return [str(each.get("message", "")).strip() for each in diagnostics if each.get("severity") == "error"]


def preview_steps(project: Path, stack: str, texts: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return the steps that would make a stack from nothing."""
    with tempfile.TemporaryDirectory(prefix="matrix-preview-") as folder:
        return Scratch(project=project, stack=stack, folder=Path(folder)).steps(texts)


def show_preview(project: Path, stack: str, texts: Mapping[str, str]) -> None:
    """Show what would make a stack from nothing."""
    with tempfile.TemporaryDirectory(prefix="matrix-preview-") as folder:
        Scratch(project=project, stack=stack, folder=Path(folder)).show(texts)
