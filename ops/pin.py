"""`make pin`: write down which content each reference of the catalogue stands for now.

The registry of the stack is asked (``registryPrefix``, else Docker Hub), never a mirror of the list: what mirrors give
is held against the lock, so the lock cannot come from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from config.catalogue import CATALOGUE, LOCK_FILE, locked_digests
from config.settings import LOCAL_DOCKER_HOST
from config.stack_images import registries_of
from ops import command, pull
from ops.registries import SHUT, Candidate, NotGiven
from ops.stack import ROOT, from_arguments, require
from toolchain.cache import write_atomically
from toolchain.steps import StepFailed, step


@final
@dataclass(kw_only=True)
class Pins:
    """The lock as it is to be, and what could not be asked."""

    digests: dict[str, str]
    changes: list[str] = field(default_factory=list)
    failures: list[NotGiven] = field(default_factory=list)


def ask(source: pull.Source, registry: str, old: Mapping[str, str]) -> Pins:
    """Ask a registry for the digest of every reference. What it does not give keeps the digest that it had."""
    references = {name: entry.reference for name, entry in CATALOGUE.items() if entry.reference is not None}
    pins = Pins(digests={reference: old[reference] for reference in references.values() if reference in old})
    pins.changes += [
        f"{reference} is not in the catalogue any more" for reference in sorted(set(old) - set(pins.digests))
    ]
    for name, reference in references.items():
        candidate = Candidate(name=name, registry=registry, digest=None)
        shut = next(
            (each for each in pins.failures if each.why in SHUT and each.candidate.host == candidate.host), None
        )
        if shut is not None:
            pins.failures.append(NotGiven(candidate, shut.why, str(shut).partition(": ")[2]))
            continue
        try:
            digest = source.digest(candidate, candidate.by_tag)
        except NotGiven as failure:
            pins.failures.append(failure)
            continue
        if digest != old.get(reference):
            pins.changes.append(f"{reference} is {digest}" + (f", was {old[reference]}" if reference in old else ""))
        pins.digests[reference] = digest
    return pins


def write(root: Path, digests: Mapping[str, str]) -> None:
    """Write the lock, sorted, whole or not at all."""
    write_atomically(root / LOCK_FILE, json.dumps(dict(digests), indent=2, sort_keys=True) + "\n")


def main() -> None:
    """Write the lock anew."""
    stack = from_arguments("write the digests of all images into the lock")
    registry, docker_host = "", LOCAL_DOCKER_HOST
    if stack.config_file.exists():
        settings = require(stack).settings()
        registry, docker_host = registries_of(settings)[0], settings.docker_host
    old = locked_digests(ROOT)
    with step(f"Digests of the images, from {registry or 'Docker Hub'}") as this:
        pins = ask(pull.DockerSource(address=docker_host), registry, old)
        for change in pins.changes:
            this.note(change)
        if pins.digests == old:
            this.outcome("nothing changed")
        else:
            write(ROOT, pins.digests)
        if pins.failures:
            raise StepFailed(
                step="make pin",
                reason="\n".join(str(failure) for failure in pins.failures),
                remedy=f"set registryPrefix to a registry that gives them and run it again; in {LOCK_FILE} "
                "these are as they were",
            )


if __name__ == "__main__":
    command.run(main)
