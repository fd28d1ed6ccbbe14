"""Images from registries, brought to the Docker engine before `pulumi up`: tried in order, checked, with progress.

The Docker provider would pull them too, but from one registry only, without progress, without a time limit, and it
drops the Docker engine's reason when it fails ("unable to find or pull image").
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, final

import docker.auth
from docker.errors import APIError, ImageNotFound
from requests.exceptions import RequestException

from config.catalogue import ImageName, pinned_digest
from config.settings import Settings
from config.stack_images import pulled_images_of, registries_of, registry_of
from ops import engine
from ops.registries import SHUT, Candidate, NotGiven, refused, silent, stale, unverified
from toolchain.steps import Step, StepFailed, step

Progress = Callable[[int, int], None]


@final
@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait, in seconds."""

    answer: int = 8
    """For a manifest. The Docker engine itself would wait 15 for each way it tries."""
    stalled: int = 60
    """In a pull, for the next sign of progress."""
    whole: int = 1800
    """For one image."""


class Source(Protocol):
    """What is asked of a Docker engine and, through it, of registries."""

    def has(self, candidate: Candidate) -> bool:
        """Return whether the engine has the image under the declared name."""

    def digest(self, candidate: Candidate, reference: str) -> str:
        """Ask the candidate's registry which digest a reference has there; raises :class:`NotGiven`."""

    def pull(self, candidate: Candidate, progress: Progress) -> None:
        """Pull what is wanted of a candidate; raises :class:`NotGiven`."""


@final
@dataclass(frozen=True, kw_only=True)
class DockerSource:
    """A Docker engine. It asks and pulls, not this process: the way out may be its own proxy or mirror."""

    address: str
    patience: Patience = field(default_factory=Patience)

    def has(self, candidate: Candidate) -> bool:
        """Return whether the engine has the image, with the pinned digest if there is one."""
        with engine.connect(self.address) as client:
            try:
                image = client.images.get(candidate.declared)
            except ImageNotFound:
                return False
            digests: list[str] = image.attrs.get("RepoDigests") or []
        return candidate.digest is None or any(each.endswith(f"@{candidate.digest}") for each in digests)

    def digest(self, candidate: Candidate, reference: str) -> str:
        """Ask for the digest of a reference."""
        with engine.connect(self.address, timeout=self.patience.answer) as client:
            try:
                return str(client.images.get_registry_data(reference).id)
            except APIError as error:
                raise refused(candidate, str(error.explanation or error)) from error
            except RequestException as error:
                raise silent(candidate, self.patience.answer) from error

    def pull(self, candidate: Candidate, progress: Progress) -> None:
        """Pull by digest or tag.

        Not with the SDK's ``pull``, which waits for ever: here a read that takes too long ends the request, and with
        the request the Docker engine ends its pull.
        """
        repository, separator, digest = candidate.wanted.partition("@")
        tag = digest if separator else repository.rpartition(":")[2]
        repository = repository if separator else repository.rpartition(":")[0]
        ends = time.monotonic() + self.patience.whole
        with engine.connect(self.address) as client:
            api = client.api
            registry, _ = docker.auth.resolve_repository_name(repository)
            login = docker.auth.get_config_header(api, registry)
            try:
                with api.post(
                    f"{api.base_url}/v{api.api_version}/images/create",
                    params={"fromImage": repository, "tag": tag},
                    headers={"X-Registry-Auth": login} if login else {},
                    stream=True,
                    timeout=self.patience.stalled,
                ) as response:
                    if not response.ok:
                        raise refused(candidate, response.text)
                    seen = Transfer()
                    for line in response.iter_lines():
                        if time.monotonic() > ends:
                            raise silent(candidate, self.patience.whole)
                        event: Mapping[str, Any] = json.loads(line) if line else {}
                        if "error" in event:
                            raise refused(candidate, str(event["error"]))
                        seen.note(event)
                        progress(seen.done, seen.total)
            except RequestException as error:
                # The streaming reader has no exception of its own for a read that took too long.
                words = str(error)
                timed_out = "timed out" in words
                raise (silent(candidate, self.patience.stalled) if timed_out else refused(candidate, words)) from error


@final
class Transfer:
    """Adds up what the Docker engine reports of each layer, in bytes."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[int, int]] = {}

    def note(self, event: Mapping[str, Any]) -> None:
        """Take one event of a pull."""
        detail = event.get("progressDetail") or {}
        layer = str(event.get("id", ""))
        if event.get("status") == "Downloading" and detail.get("total"):
            self._layers[layer] = (int(detail["current"]), int(detail["total"]))
        elif layer in self._layers and event.get("status") != "Downloading":
            self._layers[layer] = (self._layers[layer][1], self._layers[layer][1])

    @property
    def done(self) -> int:
        """Bytes that have come."""
        return sum(done for done, _ in self._layers.values())

    @property
    def total(self) -> int:
        """Bytes of all layers that have been begun."""
        return sum(total for _, total in self._layers.values())


@final
@dataclass(kw_only=True)
class Search:
    """Looks through the registries for images, and remembers what it was told."""

    source: Source
    registries: Sequence[str]
    digests: Mapping[ImageName, str | None]
    failures: dict[ImageName, list[NotGiven]] = field(default_factory=dict)
    _shut: dict[str, NotGiven] = field(default_factory=dict)

    def candidates(self, name: ImageName) -> list[Candidate]:
        """Return an image at each registry, in order."""
        return [Candidate(name=name, registry=each, digest=self.digests[name]) for each in self.registries]

    def here(self, name: ImageName, first: str) -> Candidate | None:
        """Return the candidate under whose name the Docker engine has the image already; the ``first`` is preferred."""
        ordered = sorted(self.candidates(name), key=lambda each: each.registry != first)
        return next((each for each in ordered if self.source.has(each)), None)

    def next(self, name: ImageName, note: Callable[[str], None]) -> Candidate | None:
        """Return the first candidate not tried yet whose registry says that it has the image.

        What it is told meanwhile is noted in sentences.
        """
        tried = self.failures.setdefault(name, [])
        for candidate in self.candidates(name)[len(tried) :]:
            try:
                self._ask(candidate)
            except NotGiven as reason:
                self.fail(reason, note)
            else:
                return candidate
        return None

    def fail(self, reason: NotGiven, note: Callable[[str], None]) -> None:
        """Take down that a candidate is out, and say which comes next."""
        candidate = reason.candidate
        tried = self.failures.setdefault(candidate.name, [])
        tried.append(reason)
        if candidate.host in self._shut:
            return  # said once
        if reason.why in SHUT:
            self._shut[candidate.host] = reason
        rest = self.candidates(candidate.name)[len(tried) :]
        note(f"{reason}; " + (f"trying {rest[0].host}" if rest else "no other registry is left"))

    def _ask(self, candidate: Candidate) -> None:
        if candidate.host in self._shut:
            shut = self._shut[candidate.host]
            raise NotGiven(candidate, shut.why, str(shut).partition(": ")[2])
        try:
            self.source.digest(candidate, candidate.wanted)
        except NotGiven as reason:
            if candidate.digest is None or reason.why != "absent":
                raise
            # A tag may have moved on where the pinned content still is; only without that content it matters.
            found = self.source.digest(candidate, candidate.by_tag)
            raise reason if found == candidate.digest else stale(candidate, found) from reason


def bring(settings: Settings, root: Path, source: Source) -> Mapping[ImageName, str]:
    """See to it that the Docker engine has every image that the stack pulls; return the registry of each.

    Nothing is pulled while one of the images is known to be nowhere.

    Raises:
        StepFailed: an image is nowhere; with every registry, its reason, and what to do.

    """
    names = pulled_images_of(settings)
    if not names:
        return {}
    digests = {name: pinned_digest(name, root) for name in names}
    search = Search(source=source, registries=registries_of(settings), digests=digests)
    found: dict[ImageName, str] = {}
    chosen: dict[ImageName, Candidate | None] = {}
    with step("Images from registries") as this:
        for name in names:
            here = search.here(name, registry_of(name, settings))
            if here is not None:
                found[name] = here.registry
                continue
            this.say(f"asking for {name}")
            chosen[name] = search.next(name, this.note)
        if not chosen:
            this.reused()
        lacking = [name for name, candidate in chosen.items() if candidate is None]
        if lacking:
            raise _nowhere(settings, search, lacking)
    for name, candidate in chosen.items():
        with step(f"Image {name}") as this:
            found[name] = _pull(settings, search, candidate, name, this)
    return found


def _pull(settings: Settings, search: Search, candidate: Candidate | None, name: ImageName, this: Step) -> str:
    while candidate is not None:
        this.say(f"pulling from {candidate.host}")
        try:
            search.source.pull(candidate, this.progress)
            if not search.source.has(candidate):
                raise unverified(candidate)
        except NotGiven as reason:
            search.fail(reason, this.note)
            candidate = search.next(name, this.note)
        else:
            this.outcome(f"pulled from {candidate.host}")
            return candidate.registry
    raise _nowhere(settings, search, [name])


def anyone_gives(settings: Settings, name: ImageName, root: Path, source: Source) -> bool:
    """Return whether the Docker engine can get an image from one of the registries."""
    search = Search(source=source, registries=registries_of(settings), digests={name: pinned_digest(name, root)})
    return search.next(name, lambda _: None) is not None


def is_here(settings: Settings, name: ImageName, root: Path, source: Source) -> bool:
    """Return whether the Docker engine has an image under the name of one of the registries."""
    search = Search(source=source, registries=registries_of(settings), digests={name: pinned_digest(name, root)})
    return search.here(name, registry_of(name, settings)) is not None


_PINNED: Final = "\nif the pinned digest is no longer the right one: make pin, and review the difference"


def _nowhere(settings: Settings, search: Search, lacking: Sequence[ImageName]) -> StepFailed:
    lines = []
    for name in lacking:
        lines.append(f"the Docker engine has no {search.candidates(name)[0].declared}, and no registry gives it:")
        lines += [f"  {failure}" for failure in search.failures[name]]
    if settings.image_source == "packages":
        lines.append("no package of Conduit exists anywhere")
        ways = "or: pulumi config set homeserver synapse"
    else:
        ways = "or build from packages:\npulumi config set imageSource packages && pulumi config set homeserver synapse"
    pinned = any(search.digests[name] for name in lacking)
    # A digest is only known of what was pulled: an image that was loaded is not found by one.
    by_hand = "" if pinned else "load the image by hand (docker load), "
    return StepFailed(
        step="images",
        reason="\n".join(lines),
        remedy=f"{by_hand}set registryPrefix or registryMirrors to a registry that has it, {ways}"
        + (_PINNED if pinned else ""),
    )
