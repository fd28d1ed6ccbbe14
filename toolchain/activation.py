"""The environment files that ./activate reads."""

from __future__ import annotations

import enum
import os
import shlex
from typing import TYPE_CHECKING

from toolchain.cache import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolchain.places import Places


class Purpose(enum.Enum):
    """What an environment is for."""

    LOCAL = "local"
    """Stacks on this machine's Docker engine."""
    ALIYUN = "aliyun"
    """Stacks on Aliyun: with the alicloud SDK and plugin, which take long to come by."""
    TESTS = "tests"

    @property
    def lock(self) -> str:
        """The lock file of its Python packages."""
        return {"local": "requirements.txt", "aliyun": "requirements-aliyun.txt", "tests": "requirements-test.txt"}[
            self.value
        ]


def environment_file(places: Places, purpose: Purpose) -> Path:
    """Return the file that ./activate reads."""
    name = {"local": "env.sh", "aliyun": "env-aliyun.sh", "tests": "env-test.sh"}[purpose.value]
    return places.root / ".toolchain" / name


def text(places: Places, venv: Path, pulumi: Sequence[Path]) -> str:
    """Return the environment as POSIX shell. ``$matrix_root`` is set by ./activate: a moved clone still works."""
    path = os.pathsep.join(map(str, [venv / "bin", *pulumi]))
    return f"""# Written by toolchain/provide.py; read by ./activate. Changes are lost.
MATRIX_CACHE={shlex.quote(str(places.cache))}
MATRIX_VENV={shlex.quote(str(venv))}
PATH={shlex.quote(path)}:"$PATH"
PULUMI_HOME={shlex.quote(str(places.pulumi_home))}
PULUMI_BACKEND_URL="file://$matrix_root/.state/pulumi"
PULUMI_CONFIG_PASSPHRASE_FILE="$matrix_root/.state/passphrase"
PULUMI_SKIP_UPDATE_CHECK=true
PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true
PULUMI_ERROR_OUTPUT_STRING=true
MATRIX_SSH_KEYS="${{MATRIX_SSH_KEYS:-${{XDG_STATE_HOME:-$HOME/.local/state}}/matrix-homeserver/ssh}}"
export MATRIX_SSH_KEYS MATRIX_CACHE MATRIX_VENV PATH PULUMI_HOME PULUMI_BACKEND_URL PULUMI_CONFIG_PASSPHRASE_FILE
export PULUMI_SKIP_UPDATE_CHECK PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION PULUMI_ERROR_OUTPUT_STRING
# A passphrase in the environment would win over the file; a skipped version check would hide a wrong CLI.
unset PULUMI_CONFIG_PASSPHRASE PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK PYTHONHOME
"""


def write(places: Places, venv: Path, pulumi: Sequence[Path], purpose: Purpose) -> Path:
    """Write the environment file; return it."""
    path = environment_file(places, purpose)
    write_atomically(path, text(places, venv, pulumi))
    return path
