"""mtail's program and command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from components.templates import render

PROGRAMS: Final = "programs"


def render_files() -> Mapping[str, str]:
    """Return the files of the config volume."""
    return {f"{PROGRAMS}/nginx.mtail": render("mtail", "nginx.mtail")}


def render_command(port: int, config_folder: str, socket: str, busybox: str) -> Sequence[str]:
    """Return what starts mtail, in a shell: the published image has none.

    A socket that an earlier run left would be in the way; and Nginx, another user, has to be allowed to write to it.
    """
    mtail = f"mtail -progs {config_folder}/{PROGRAMS} -logs unixgram://{socket} -address 0.0.0.0 -port {port}"
    start = f"{busybox} rm -f {socket}; umask 0; exec {mtail} -emit_prog_label=false -logtostderr"
    return [busybox, "sh", "-ec", start]
