"""Registries: which is tried when, what each failure says, and that nothing wrong is taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config.catalogue import (
    CATALOGUE,
    LOCK_FILE,
    ImageName,
    image_reference,
    locked_digests,
    project_root,
    published_at,
)
from config.errors import LockError
from config.parsing import image_origins, registry_mirrors
from config.stack_images import origins_text, registries_of, registry_of
from ops import pin, pull
from ops.registries import Candidate, NotGiven, refused, silent, why
from tests.recording import record
from tests.samples import LOCAL, SECRETS, settings
from toolchain.steps import StepFailed

PINNED = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
NAMES: tuple[ImageName, ...] = ("toolbox", "nginx", "synapse", "redis")
FROM_REGISTRIES = {
    "homeserver": "synapse",
    "imageSource": "registry",
    "registryPrefix": "first.example",
    "registryMirrors": "second.example, third.example/team",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project's folder with a lock that pins every image to the same digest."""
    (tmp_path / "config").mkdir()
    pin.write(tmp_path, {entry.reference: PINNED for entry in CATALOGUE.values() if entry.reference})
    return tmp_path


@pytest.fixture
def unpinned(tmp_path: Path) -> Path:
    """A project's folder with the lock as it is shipped."""
    (tmp_path / "config").mkdir()
    (tmp_path / LOCK_FILE).write_text("{}")
    return tmp_path


@dataclass
class Network:
    """Registries by host, and a Docker engine that pulls from them. Each registry: what it has, or how it fails."""

    registries: Mapping[str, Mapping[str, str] | str]
    breaks_while_pulling: Mapping[str, str] = field(default_factory=dict)
    engine: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    gives_something_else: bool = False

    def has(self, candidate: Candidate) -> bool:
        return candidate.declared in self.engine

    def digest(self, candidate: Candidate, reference: str) -> str:
        self.asked.append(reference)
        answer = self.registries[candidate.registry]
        if answer == "silence":
            raise silent(candidate, 8)
        if isinstance(answer, str):
            raise refused(candidate, answer)
        digest = reference.partition("@")[2]
        found = answer.get(digest or candidate.name)
        if found is None:
            raise refused(candidate, "manifest unknown: manifest unknown")
        return found

    def pull(self, candidate: Candidate, progress: Callable[[int, int], None]) -> None:
        progress(1, 2)
        if candidate.registry in self.breaks_while_pulling:
            raise refused(candidate, self.breaks_while_pulling[candidate.registry])
        if not self.gives_something_else:
            self.engine.add(candidate.declared)


GOOD: Mapping[str, str] = {PINNED: PINNED, **dict.fromkeys(NAMES, PINNED)}


def network(first: Mapping[str, str] | str, **others: Mapping[str, str] | str) -> Network:
    named = {"second": "second.example", "third": "third.example/team"}
    rest = {host: others.get(short, GOOD) for short, host in named.items()}
    return Network({"first.example": first, **rest})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Get http://127.0.0.1:1/v2/: dial tcp 127.0.0.1:1: connect: connection refused", "refused connection"),
        ("dial tcp: lookup nowhere.invalid: no such host", "no such host"),
        ("dial tcp: lookup nowhere.invalid on 10.0.0.2:53: server misbehaving", "no such host"),
        ("dial tcp 203.0.113.1:443: connect: no route to host", "no way"),
        ("net/http: request canceled while waiting for connection (Client.Timeout exceeded)", "slow"),
        ("dial tcp 203.0.113.1:443: i/o timeout", "slow"),
        ("read tcp 127.0.0.1:4->127.0.0.1:5: read: connection reset by peer", "reset"),
        ("unexpected EOF", "reset"),
        ("error parsing HTTP 403 response body: invalid character 'f'", "forbidden"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "forbidden"),
        ("unauthorized: authentication required", "login"),
        ("manifest for x not found: manifest unknown: manifest unknown", "absent"),
        ("filesystem layer verification failed for digest sha256:00", "wrong digest"),
        ("manifest verification failed for digest sha256:00", "wrong digest"),
        ("toomanyrequests: rate limit", "other"),
    ],
)
def test_the_engines_words_are_told_apart(words: str, expected: str) -> None:
    assert why(words) == expected


def test_every_failure_has_a_sentence_of_its_own_with_host_and_image() -> None:
    candidate = Candidate(name="nginx", registry="mirror.example", digest=PINNED)
    words = ("connection refused", "no such host", "no route to host", "i/o timeout", "connection reset", "HTTP 403",
             "unauthorized", "manifest unknown", "verification failed", "something else")  # fmt: skip
    sentences = {str(refused(candidate, each)) for each in words}
    assert len(sentences) == len(words)
    for sentence in sentences:
        assert sentence.startswith("mirror.example does not give mirror.example/library/nginx:1.28.0-alpine: ")
    assert "something else" in str(refused(candidate, "something else"))
    assert "nothing came from it for 8 s" in str(silent(candidate, 8))


def test_a_mirror_list_is_tried_in_order(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = pull.bring(settings(**FROM_REGISTRIES), root, network("connection refused", second="silence"))
    assert dict(found) == dict.fromkeys(NAMES, "third.example/team")
    text = capsys.readouterr().out
    first = text.index("it refuses the connection; nothing listens there; trying second.example")
    assert text.index("nothing came from it for 8 s; trying third.example/team") > first
    assert "pulled from third.example/team" in text


def test_a_registry_that_is_down_is_asked_once_and_named_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = network("silence")
    pull.bring(settings(**FROM_REGISTRIES), root, some)
    assert sum(each.startswith("first.example") for each in some.asked) == 1
    assert capsys.readouterr().out.count("nothing came from it") == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("error parsing HTTP 403 response body", "it forbids that (403)"),
        ({}, "it has neither this tag nor the digest"),
        (dict.fromkeys(NAMES, OTHER), "its tag is stale or moved: there it is sha256:bbbbbbbbbbbb"),
    ],
    ids=["forbidden", "absent", "stale"],
)
def test_what_one_registry_does_not_give_the_next_one_does(
    root: Path, capsys: pytest.CaptureFixture[str], answer: Mapping[str, str] | str, sentence: str
) -> None:
    found = pull.bring(settings(**FROM_REGISTRIES), root, network(answer))
    assert set(found.values()) == {"second.example"}
    assert f"{sentence}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("read: connection reset by peer", "it broke the connection off in mid-transfer"),
        ("filesystem layer verification failed for digest sha256:0", "wrong digest"),
    ],
)
def test_a_registry_that_fails_in_the_middle_of_a_pull_is_left_for_the_next(
    root: Path, capsys: pytest.CaptureFixture[str], words: str, sentence: str
) -> None:
    some = network(GOOD)
    some.breaks_while_pulling = {"first.example": words}
    found = pull.bring(settings(**FROM_REGISTRIES), root, some)
    assert set(found.values()) == {"second.example"}
    assert sentence in capsys.readouterr().out
    assert not [each for each in some.engine if each.startswith("first.example")]


def test_a_tag_that_moved_on_does_not_matter_where_the_pinned_content_still_is(root: Path) -> None:
    found = pull.bring(settings(**FROM_REGISTRIES), root, network({**dict.fromkeys(NAMES, OTHER), PINNED: PINNED}))
    assert set(found.values()) == {"first.example"}


def test_a_pull_after_which_the_engine_has_not_got_the_digest_does_not_count(root: Path) -> None:
    some = network(GOOD)
    some.gives_something_else = True
    with pytest.raises(StepFailed, match="no image of the pinned digest"):
        pull.bring(settings(**FROM_REGISTRIES), root, some)
    assert not some.engine


def test_when_none_is_left_every_registry_is_listed_with_its_reason_and_nothing_is_pulled(root: Path) -> None:
    some = network("connection refused", second="HTTP 403", third=dict.fromkeys(NAMES, OTHER))
    with pytest.raises(StepFailed) as failure:
        pull.bring(settings(**FROM_REGISTRIES), root, some)
    for part in ("it refuses the connection", "it forbids that (403)", "its tag is stale"):
        assert failure.value.reason.count(part) == len(NAMES)
    for name in NAMES:
        assert f"the Docker engine has no {Candidate(name=name, registry='first.example', digest=PINNED).declared}" in (
            failure.value.reason
        )
    assert "registryMirrors" in failure.value.remedy
    assert "make pin" in failure.value.remedy
    assert not some.engine


def test_nothing_is_pulled_while_one_image_is_nowhere(root: Path) -> None:
    digests = {**locked_digests(root), CATALOGUE["redis"].reference or "": OTHER}
    pin.write(root, digests)
    some = network("connection refused")
    with pytest.raises(StepFailed, match="stale"):
        pull.bring(settings(**FROM_REGISTRIES), root, some)
    assert not some.engine


def test_what_is_there_already_is_not_asked_for(root: Path) -> None:
    some = network("connection refused")
    some.engine = {Candidate(name=name, registry="second.example", digest=PINNED).declared for name in NAMES}
    assert set(pull.bring(settings(**FROM_REGISTRIES), root, some).values()) == {"second.example"}
    assert some.asked == []


def test_an_image_of_that_name_without_the_pinned_digest_is_not_what_is_wanted(root: Path) -> None:
    some = network(GOOD)
    some.engine = {Candidate(name=name, registry="first.example", digest=None).declared for name in NAMES}
    pull.bring(settings(**FROM_REGISTRIES), root, some)
    assert Candidate(name="nginx", registry="first.example", digest=PINNED).declared in some.engine


def test_what_is_built_is_not_pulled(root: Path) -> None:
    assert pull.bring(settings(homeserver="synapse", imageSource="packages"), root, network("x")) == {}


def test_conduit_without_an_image_names_the_ways_out(unpinned: Path) -> None:
    some = Network({"": "no such host"})
    with pytest.raises(StepFailed, match="no package of Conduit exists anywhere") as failure:
        pull.bring(settings(imageSource="packages"), unpinned, some)
    for way in ("docker load", "registryPrefix", "pulumi config set homeserver synapse"):
        assert way in failure.value.remedy


def test_a_pinned_reference_ends_in_its_digest(unpinned: Path) -> None:
    root = unpinned
    assert image_reference("nginx", "registry", "", root) == "nginx:1.28.0-alpine"
    pin.write(root, {CATALOGUE["nginx"].reference or "": PINNED})
    assert image_reference("nginx", "registry", "", root) == f"nginx:1.28.0-alpine@{PINNED}"
    assert image_reference("nginx", "registry", "m.example/t", root) == f"m.example/t/nginx:1.28.0-alpine@{PINNED}"
    assert "@" not in image_reference("redis", "registry", "", root)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"docker.io/library/nginx:1.28.0-alpine": "latest"}', '{"a": 1}'])
def test_a_lock_that_cannot_be_read_is_refused_rather_than_taken_for_an_empty_one(unpinned: Path, text: str) -> None:
    (unpinned / LOCK_FILE).write_text(text)
    with pytest.raises(LockError, match=LOCK_FILE):
        locked_digests(unpinned)


def test_a_lock_that_is_gone_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="restore it from git"):
        locked_digests(tmp_path)


def test_the_shipped_lock_names_references_of_the_catalogue_only() -> None:
    assert set(locked_digests(project_root())) <= {entry.reference for entry in CATALOGUE.values()}


def test_registries_are_the_prefix_and_then_the_mirrors() -> None:
    assert registries_of(settings()) == ("",)
    assert registries_of(settings(registryMirrors="a.example/,b.example/team")) == ("", "a.example", "b.example/team")
    assert registries_of(settings(registryPrefix="a.example", registryMirrors="a.example/,b.example")) == (
        "a.example",
        "b.example",
    )


def test_an_image_is_declared_under_the_registry_that_gave_it() -> None:
    found = settings(**FROM_REGISTRIES, imageOrigins="nginx=second.example,redis=gone.example")
    assert registry_of("nginx", found) == "second.example"
    assert registry_of("redis", found) == "first.example", "a registry that is not in the settings any more"
    images = record({**LOCAL, **FROM_REGISTRIES, "imageOrigins": "nginx=second.example"}, SECRETS)
    declared = {each.name: each.inputs["name"] for each in images.of_type("docker:index/remoteImage:RemoteImage")}
    assert declared["nginx-image"].startswith("second.example/library/nginx:1.28.0-alpine")
    assert declared["redis-image"].startswith("first.example/library/redis:")


def test_only_mirrors_are_written_down_as_origins() -> None:
    found = settings(**FROM_REGISTRIES, imageOrigins="conduit=second.example,redis=gone.example,nginx=second.example")
    text = origins_text(found, {"nginx": "first.example", "toolbox": "third.example/team"})
    assert text == "conduit=second.example,toolbox=third.example/team"
    assert image_origins(text) == {"conduit": "second.example", "toolbox": "third.example/team"}
    assert origins_text(settings(), {"nginx": ""}) == ""


def test_a_mirror_list_may_have_blanks_after_its_commas() -> None:
    assert registry_mirrors("a.example, b.example:5000/team") == ("a.example", "b.example:5000/team")


def test_pinning_keeps_what_the_registry_does_not_give_and_says_why() -> None:
    reference = {name: CATALOGUE[name].reference or "" for name in CATALOGUE}
    some = Network({"": {"nginx": OTHER, "redis": OTHER}})
    old = {reference["nginx"]: PINNED, reference["synapse"]: PINNED, "docker.io/library/gone:1": PINNED}
    pins = pin.ask(some, "", old)
    assert pins.digests == {reference["nginx"]: OTHER, reference["redis"]: OTHER, reference["synapse"]: PINNED}
    assert {failure.candidate.name for failure in pins.failures} >= {"synapse", "conduit", "toolbox"}
    assert all("it has no such tag (404)" in str(failure) for failure in pins.failures)
    assert f"{reference['nginx']} is {OTHER}, was {PINNED}" in pins.changes


def test_pinning_asks_a_registry_that_is_down_only_once() -> None:
    some = Network({"": "connection refused"})
    pins = pin.ask(some, "", {})
    assert len(some.asked) == len({published_at(name) for name, entry in CATALOGUE.items() if entry.reference})
    assert len(pins.failures) == sum(entry.reference is not None for entry in CATALOGUE.values())


def test_the_lock_is_sorted_and_readable(tmp_path: Path) -> None:
    pin.write(tmp_path, {"b": OTHER, "a": PINNED})
    text = (tmp_path / LOCK_FILE).read_text()
    assert list(json.loads(text)) == ["a", "b"]
    assert text.count("\n") == 4


def test_progress_adds_up_the_layers() -> None:
    seen = pull.Transfer()
    seen.note({"status": "Pulling fs layer", "id": "a"})
    assert (seen.done, seen.total) == (0, 0)
    seen.note({"status": "Downloading", "id": "a", "progressDetail": {"current": 10, "total": 100}})
    seen.note({"status": "Downloading", "id": "b", "progressDetail": {"current": 5, "total": 50}})
    assert (seen.done, seen.total) == (15, 150)
    seen.note({"status": "Download complete", "id": "a", "progressDetail": {}})
    assert (seen.done, seen.total) == (105, 150)


def test_a_failure_keeps_its_candidate_and_kind() -> None:
    candidate = Candidate(name="nginx", registry="", digest=None)
    failure = refused(candidate, "unauthorized")
    assert isinstance(failure, NotGiven)
    assert (failure.candidate, failure.why) == (candidate, "login")
    assert str(failure) == "Docker Hub does not give nginx:1.28.0-alpine: it asks for a login (401): docker login"
