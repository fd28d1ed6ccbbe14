"""The image of an instance: Debian 12 as it comes from a cloud, with systemd, cloud-init and sshd, without Docker.

Made once with mmdebstrap and kept in the user's cache, keyed by its recipe. The packages that user data installs are in
it as files, as in a mirror next door: an instance of every test would otherwise fetch the same 100 MB again.
"""

from __future__ import annotations

import os
import shutil
from typing import Final

import docker
from docker.errors import ImageNotFound

from ops.images import DEBIAN_SUITE, debian_sources
from toolchain import distribution
from toolchain.cache import key_of, whole
from toolchain.places import Places, System
from toolchain.steps import step

_REPOSITORY: Final = "matrix-homeserver/rehearsed-host"
_PACKAGES: Final = (
    *("systemd-sysv", "dbus", "openssh-server", "sudo", "cloud-init", "ca-certificates", "curl", "iproute2"),
    *("procps", "e2fsprogs", "tzdata", "netbase"),
)
_PREFETCHED: Final = ("docker.io", "apparmor", "nftables", "unattended-upgrades")
_TOOLS: Final = {"ip": "iproute2", "iptables-restore": "iptables"}
_OPTIONS: Final = (
    "--variant=minbase",
    f"--include={','.join(_PACKAGES)}",
    *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "info", "locale")),
    # To write through to the disk after each file, and to read the descriptions in every language, is what the
    # installation of a package would spend most of its time on.
    "--dpkgopt=force-unsafe-io",
    '--aptopt=Acquire::Languages "none"',
    '--customize-hook=chroot "$1" apt-get install --yes --no-install-recommends --download-only '
    + " ".join(_PREFETCHED),
    # The files just fetched, and the lists that name them.
    "--skip=cleanup/apt",
    # As a cloud's images come: each instance makes its own.
    '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*',
    '--customize-hook=echo uninitialized > "$1"/etc/machine-id',
    "--verbose",
)


def provide(client: docker.DockerClient) -> str:
    """Return the name of the image, made and loaded into the Docker engine if it is not there.

    Raises:
        StepFailed: it cannot be made.

    """
    places = Places.of(os.environ)
    places.make()
    if lacking := [package for program, package in _TOOLS.items() if shutil.which(program) is None]:
        distribution.install(lacking, "the network of a rehearsed host is made with it", places)
    key = key_of([], [*_OPTIONS, DEBIAN_SUITE, System.here().arch])
    reference = f"{_REPOSITORY}:{key}"
    try:
        client.images.get(reference)
    except ImageNotFound:
        archive = places.cache / "images" / f"rehearsed-host-{key}" / "rootfs.tar"
        if not archive.exists():
            if shutil.which("mmdebstrap") is None:
                distribution.install(["mmdebstrap"], "the host of a rehearsal is made with it", places)
            with step("Image of a rehearsed host") as this, whole(archive.parent) as folder:
                this.run(
                    ["mmdebstrap", *_OPTIONS, DEBIAN_SUITE, str(folder / archive.name), *debian_sources()],
                    log=places.logs / "image-rehearsed-host.log",
                    remedy="make this machine's Debian mirror reachable, and run it again",
                )
        with step("Loading the image of a rehearsed host"):
            client.api.import_image_from_file(str(archive), repository=_REPOSITORY, tag=key)
    return reference
