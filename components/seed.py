"""The one helper that brings config and secrets into a volume, and gives data volumes to the user of their service.

A hardened container has a read-only root, and the Docker engine refuses uploads to one. So the files go into a volume
of their own through a container that lives for a moment; the service mounts that volume read-only. Volume and one-shot
are named by a hash of what they hold: a change makes new ones, and the service moves over only when the new seed has
ended well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
    LABEL_STACK,
    ContainerSpec,
    Mount,
    ServiceHost,
    one_shot_container,
)
from config.tiers import SEEDS_AT_ONCE

_SEED_MOUNT: Final = "/seed"
_DATA_MOUNT: Final = "/seed-data"


@final
@dataclass(frozen=True, kw_only=True)
class SharedVolume:
    """A volume of a service into which others may look."""

    volume: docker.Volume
    group: int | None
    """Whose top folder is open to this group alone; None: to everybody."""


@final
@dataclass(frozen=True, kw_only=True)
class SeedArgs:
    """What to bring where."""

    host: ServiceHost
    owner: int
    """Numeric user and group of the service: it alone can read the files, and it owns the data volumes."""
    files: Mapping[str, pulumi.Input[str]]
    """Path inside the volume and text. Seal texts that hold a secret."""
    data_volumes: Sequence[docker.Volume] = ()
    """Volumes whose top folder is to belong to ``owner``; nothing below it is touched, there is live data in it."""
    shared_volumes: Sequence[SharedVolume] = ()
    """The same, but others may look into them."""
    copies: Mapping[str, str] | None = None
    """Executables of the toolbox image to copy into the volume: path inside the volume and path in the image."""


@final
class Seed(pulumi.ComponentResource):
    """A volume with files, filled once."""

    volume: docker.Volume
    """To be mounted read-only, once ``one_shot`` has ended."""
    one_shot: docker.Container
    digest: pulumi.Output[str]
    """Hash of everything the seed does."""

    def __init__(self, name: str, args: SeedArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:index:Seed", name, {}, opts)
        host = args.host
        child = pulumi.ResourceOptions(parent=self)
        script = _script(args)
        self.digest = _digest(host.toolbox.reference, script, args.files)
        self.volume = docker.Volume(
            f"{name}-config",
            name=pulumi.Output.concat(f"{host.prefix}-{name}-config-", self.digest),
            labels=[docker.VolumeLabelArgs(label=LABEL_STACK, value=host.stack)],
            # The provider would delete first what has a name of its own, and with it every container that mounts it:
            # the service would be gone before the new volume is filled.
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(delete_before_replace=False)),
        )
        self.one_shot = one_shot_container(
            f"{name}-seed",
            host,
            ContainerSpec(
                image=host.toolbox,
                user=0,
                budget=host.one_shot,
                processes=64,
                entrypoint=["sh", "-ec"],
                command=[script],
                # Root, and just enough of it to hand files over to a user who is not.
                capabilities=["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"],
                mounts=[
                    Mount(volume=self.volume.name, target=_SEED_MOUNT, read_only=False),
                    *(
                        Mount(volume=volume.name, target=f"{_DATA_MOUNT}/{index}", read_only=False)
                        for index, volume in enumerate(_data_volumes(args))
                    ),
                ],
            ),
            pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=_before(host))),
            run=self.digest,
            uploads=[
                docker.ContainerUploadArgs(file=f"{_SEED_MOUNT}/{path}", content=text)
                for path, text in sorted(args.files.items())
            ],
        )
        host.seeds.append(self.one_shot)
        self.register_outputs({"volume": self.volume.name})


def _before(host: ServiceHost) -> list[docker.Container]:
    """Return the seed that the next one waits for, so that no more run at once than the machine has memory for."""
    return host.seeds[-SEEDS_AT_ONCE:][:1] if len(host.seeds) >= SEEDS_AT_ONCE else []


def _data_volumes(args: SeedArgs) -> list[docker.Volume]:
    return [*args.data_volumes, *(shared.volume for shared in args.shared_volumes)]


def _script(args: SeedArgs) -> str:
    """Return the shell script that hands the files over: the owner may read them, nobody may write them."""
    owner = f"{args.owner}:{args.owner}"
    paths = sorted([*args.files, *(args.copies or {})])
    folders = sorted({str(folder) for path in paths for folder in PurePosixPath(path).parents} - {"."})
    lines = [f"cd {_SEED_MOUNT}"]
    lines += [f"cp {source} {path}" for path, source in sorted((args.copies or {}).items())]
    lines += [f"chown {owner} {path} && chmod 0400 {path}" for path in sorted(args.files)]
    lines += [f"chown {owner} {path} && chmod 0555 {path}" for path in sorted(args.copies or {})]
    lines += [f"chown {owner} {folder} && chmod 0500 {folder}" for folder in folders]
    # The copies are the health probe, which every service runs as a user of its own.
    lines.append(f"chown {owner} . && chmod {'0555' if args.copies else '0500'} .")
    folders_of_data = [("0700", args.owner)] * len(args.data_volumes)
    folders_of_data += [
        ("0755", args.owner) if shared.group is None else ("0750", shared.group) for shared in args.shared_volumes
    ]
    lines += [
        f"chown {args.owner}:{group} {_DATA_MOUNT}/{index} && chmod {mode} {_DATA_MOUNT}/{index}"
        for index, (mode, group) in enumerate(folders_of_data)
    ]
    return "\n".join(lines)


def _digest(image: str, script: str, files: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """Return a hash over what a seed does. Not secret, though some of the files are: nothing leads back from it."""

    def digest(texts: Mapping[str, str]) -> str:
        return hashlib.sha256(json.dumps([image, script, sorted(texts.items())]).encode()).hexdigest()[:12]

    texts: pulumi.Output[Mapping[str, str]] = pulumi.Output.from_input(dict(files))  # type: ignore[arg-type]
    return pulumi.Output.unsecret(texts.apply(digest))
