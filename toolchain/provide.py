"""Provide everything that the program, its commands and its tests need on this machine.

    python3 toolchain/provide.py [--for aliyun|tests]

Needs Python 3.11 and nothing else. What is there is used; what is missing is downloaded or built, and kept in the
user's cache. Run again, it reuses all of it within a second. Afterwards `. ./activate` sets the environment.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said before anything newer is imported, as a sentence
    sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. Install it, or put it first on PATH.")

import argparse
import os
import shutil
import ssl
from pathlib import Path

# Run as a script, Python searches this folder instead of the project's root.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from toolchain import activation, distribution, docker_engine, plugins, pulumi_cli, python_env  # noqa: E402
from toolchain.places import Places, System, only_one  # noqa: E402
from toolchain.steps import main_guard  # noqa: E402


def provide_certificates(places: Places) -> None:
    """See to it that there are certificates of public authorities: without them no download is trusted."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile or "PIP_CERT" in os.environ or (paths.capath and any(Path(paths.capath).iterdir())):
        return
    distribution.install(["ca-certificates"], "nothing can be downloaded safely without them", places)


def provide_ssh(places: Places) -> None:
    """See to it that there is an ssh: the Docker engine of a host on Aliyun is reached through it."""
    if shutil.which("ssh") is None:
        distribution.install(["openssh-client"], "the host's Docker engine is reached over ssh", places)


def main() -> int:
    """Provide the parts one after the other; each needs those before it."""
    parser = argparse.ArgumentParser(prog="toolchain/provide.py", description="Provide the toolchain.")
    parser.add_argument(
        "--for",
        dest="purpose",
        choices=[purpose.value for purpose in activation.Purpose],
        default="local",
        help="for a stack on this machine, for one on Aliyun, or with what the tests need",
    )
    purpose = activation.Purpose(parser.parse_args().purpose)
    places = Places.of(os.environ)
    system = System.here()
    places.make()
    # Two runs at a time would build the same things twice, or into each other.
    with only_one(places.cache / "toolchain.lock", "providing the toolchain"):
        provide_certificates(places)
        venv = python_env.provide_venv(places, places.root / purpose.lock)
        pulumi = pulumi_cli.provide_pulumi(places, system, venv)
        for plugin in plugins.PLUGINS if purpose is activation.Purpose.LOCAL else plugins.ALL:
            plugins.provide_plugin(plugin, places, system, venv, pulumi)
        # Before the engine: whoever must start that by hand has the rest already.
        activation.write(places, venv, pulumi, purpose)
        if purpose is not activation.Purpose.LOCAL:
            provide_ssh(places)
        if purpose is not activation.Purpose.ALIYUN:
            docker_engine.provide_engine(places, os.environ)
    return 0


if __name__ == "__main__":
    main_guard(main)
