"""Config files from templates that read like the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_COMPONENTS: Final = Path(__file__).resolve().parent

_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(_COMPONENTS),
    # A misspelt name is an error here, instead of an empty text in a config file.
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    # These are config files, not pages; values go through `quoted`.
    autoescape=False,  # noqa: S701
)
# Double quotes with JSON's escapes: valid for strings of TOML, of YAML, and of Nginx for the characters we let through.
_ENVIRONMENT.filters["quoted"] = lambda value: json.dumps(value, ensure_ascii=False)


def render(service: str, template: str, **values: object) -> str:
    """Return the text of ``components/services/<service>/templates/<template>`` with its values filled in.

    Raises:
        jinja2.UndefinedError: the template uses a value that is not given.

    """
    return render_file(f"services/{service}/templates/{template}", **values)


def program(service: str, name: str) -> str:
    """Return the text of ``components/services/<service>/<name>``, a program that runs in a container as it is."""
    return (_COMPONENTS / "services" / service / name).read_text(encoding="utf-8")


def render_file(path: str, **values: object) -> str:
    """Return the text of a template below ``components/`` with its values filled in.

    Raises:
        jinja2.UndefinedError: the template uses a value that is not given.

    """
    return _ENVIRONMENT.get_template(path).render(values)
