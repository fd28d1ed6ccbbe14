"""`make preview`: what `make up` would change, without changing anything.

A stack that is not deployed from here is shown as made from nothing: without a host, an account, or its secrets.
With SUMMARY=file the changes are written as Markdown, for a pull request; BASE=ref compares with another version of
the project, where there is no state to compare with.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from config.costs import MonthlyCost, monthly_cost
from config.errors import ConfigError
from ops import command, server_name
from ops.changes import Change, Plugins, changes_between, changes_of_preview
from ops.preview_summary import render_summary
from ops.scratch import placeholder_settings, plain_texts, preview_steps, show_preview, with_credentials
from ops.stack import ROOT, Stack, from_arguments, require
from toolchain.steps import StepFailed

_LIMIT: Final = ", without what follows from keys and certificates that are made only at deployment"


def main() -> None:
    """Show the preview, or write its summary."""
    stack = from_arguments("show what would change")
    summary = os.environ.get("MATRIX_PREVIEW_SUMMARY", "")
    deployed = stack.exists() or not stack.config_file.exists()
    if deployed:
        server_name.check(require(stack), stack.state(), stack.settings())
        os.environ.update(with_credentials(os.environ))
    if summary:
        text = _of_deployed(stack) if deployed else _of_version(stack.name, os.environ.get("MATRIX_PREVIEW_BASE", ""))
        Path(summary).write_text(text, encoding="utf-8")
        print(text)
    elif deployed:
        stack.run("preview", "--diff")
    else:
        texts = plain_texts(stack.config_file)
        placeholder_settings(stack.name, texts)
        print(f"The stack {stack.name} is not deployed from here: shown is what it takes to make it.")
        show_preview(ROOT, stack.name, texts)


def _of_deployed(stack: Stack) -> str:
    steps = json.loads(stack.ask("preview", "--json"))["steps"]
    deployed = stack.outputs().get("monthlyCost")
    return render_summary(
        stack.name,
        changes_of_preview(steps),
        against="what is deployed",
        before=deployed if deployed and "unknown" in deployed else None,
        after=monthly_cost(stack.settings()),
    )


def _of_version(name: str, base: str) -> str:
    texts = plain_texts(ROOT / f"Pulumi.{name}.yaml")
    settings = placeholder_settings(name, texts)
    after = preview_steps(ROOT, name, texts)
    changes: Sequence[Change]
    changes, before, against = changes_between([], after, lambda *_: ()), None, "nothing"
    if base:
        with _worktree(base) as project:
            file = project / f"Pulumi.{name}.yaml"
            if file.exists():
                old = plain_texts(file)
                region = settings.cloud.region if settings.cloud else ""
                before_steps = preview_steps(project, name, old)
                with Plugins(os.environ, region) as plugins:
                    changes = changes_between(before_steps, after, plugins)
                before, against = _cost_of(name, old), f"`{base}`{_LIMIT}"
            else:
                against = f"`{base}`, which has no such stack"
    return render_summary(name, changes, against=against, before=before, after=monthly_cost(settings))


def _cost_of(name: str, texts: Mapping[str, str]) -> MonthlyCost | None:
    try:
        return monthly_cost(placeholder_settings(name, texts))
    except ConfigError:
        # The other version knew other keys.
        return None


@contextmanager
def _worktree(reference: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="matrix-base-") as folder:
        project = Path(folder) / "project"
        _git("worktree", "add", "--detach", "--quiet", str(project), reference)
        try:
            yield project
        finally:
            _git("worktree", "remove", "--force", str(project))


def _git(*arguments: str) -> None:
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise StepFailed(
            step=f"git {arguments[0]} {arguments[1]}",
            reason=result.stderr.strip(),
            remedy="name a version that this clone has in BASE, such as origin/main",
        )


if __name__ == "__main__":
    command.run(main)
