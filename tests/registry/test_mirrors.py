"""What a mirror does wrong is told in a sentence of its own, the next one is tried, nothing wrong is taken.

A real Docker engine pulls from a real registry. One small image stands in for Conduit's: what is in it does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.catalogue import CATALOGUE
from ops import pin, pull
from ops.plugin import Plugin, PluginError
from ops.registries import Candidate
from tests.registry.conftest import Mirrors, Registry
from tests.samples import settings
from toolchain.steps import StepFailed

URN = "urn:pulumi:test::matrix::docker:index/{}::registry"
SOCKET = "unix:///var/run/docker.sock"
SOURCE = pull.DockerSource(address=SOCKET, patience=pull.Patience(answer=3, stalled=5))
REFERENCE = CATALOGUE["conduit"].reference or ""
FAULTS = {
    "down": "it refuses the connection; nothing listens there",
    "silent": "nothing came from it for 3 s",
    "forbidding": "it forbids that (403)",
    "resetting": "it broke the connection off in mid-transfer",
    "stalling": "nothing came from it for 5 s",
    "tampering": "what it sent is not what was asked for (wrong digest)",
}
"""What is told of each kind of bad mirror."""


@pytest.fixture
def pinned(registry: Registry, tmp_path: Path) -> Iterator[str]:
    """The digest of a fresh image in the registry, which the lock in ``tmp_path`` pins."""
    digest = registry.push("conduit", registry.host, built_as="toolbox")
    (tmp_path / "config").mkdir()
    pin.write(tmp_path, {REFERENCE: digest})
    yield digest
    registry.clear()


def bring(root: Path, first: str, *mirrors: str) -> str:
    """Bring the one image of a stack whose other images are built; return the registry that gave it."""
    found = pull.bring(
        settings(imageSource="packages", redis="false", registryPrefix=first, registryMirrors=",".join(mirrors)),
        root,
        SOURCE,
    )
    return found["conduit"]


def in_the_engine(registry: Registry, host: str) -> list[str]:
    """Return the names of images that came from a host."""
    return [
        each
        for image in registry.client.images.list()
        for each in [*image.tags, *(image.attrs.get("RepoDigests") or [])]
        if each.startswith(f"{host}/")
    ]


def test_a_good_registry_gives_the_pinned_image(registry: Registry, pinned: str, tmp_path: Path) -> None:
    assert bring(tmp_path, registry.host) == registry.host
    assert SOURCE.has(Candidate(name="conduit", registry=registry.host, digest=pinned))


@pytest.mark.parametrize("kind", sorted(FAULTS))
@pytest.mark.usefixtures("pinned")
def test_a_bad_mirror_is_named_with_its_fault_and_the_next_one_gives_the_image(
    mirrors: Mirrors, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    registry = mirrors.registry
    bad = getattr(mirrors, kind)()
    assert bring(tmp_path, bad, registry.host) == registry.host
    told = capsys.readouterr().out
    assert f"{bad} does not give {bad}/matrixconduit/matrix-conduit:v0.10.12: {FAULTS[kind]}" in told, told
    assert f"trying {registry.host}" in told
    assert in_the_engine(registry, bad) == []
    assert in_the_engine(registry, registry.host) != []


@pytest.mark.usefixtures("pinned")
def test_a_host_whose_name_does_not_resolve_is_left_for_the_next(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring(tmp_path, "nowhere.invalid", registry.host) == registry.host
    assert "nowhere.invalid/matrixconduit/matrix-conduit:v0.10.12: no such host" in capsys.readouterr().out


@pytest.mark.usefixtures("pinned")
def test_a_mirror_without_the_tag_is_left_for_the_next(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring(tmp_path, f"{registry.host}/empty", registry.host) == registry.host
    assert "it has neither this tag nor the digest" in capsys.readouterr().out


def test_a_mirror_with_a_stale_tag_is_left_for_the_next(
    registry: Registry, pinned: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = registry.push("conduit", f"{registry.host}/stale", built_as="toolbox")
    assert stale != pinned
    assert bring(tmp_path, f"{registry.host}/stale", registry.host) == registry.host
    assert f"its tag is stale or moved: there it is {stale[:19]}, pinned is {pinned[:19]}" in capsys.readouterr().out
    assert in_the_engine(registry, f"{registry.host}/stale") == []


def test_a_tag_that_moved_on_is_no_harm_where_the_pinned_content_still_is(
    registry: Registry, pinned: str, tmp_path: Path
) -> None:
    later = registry.push("conduit", registry.host, built_as="toolbox")
    assert later != pinned
    assert bring(tmp_path, registry.host) == registry.host
    assert SOURCE.has(Candidate(name="conduit", registry=registry.host, digest=pinned))
    assert not SOURCE.has(Candidate(name="conduit", registry=registry.host, digest=later))


def test_mirrors_that_all_fail_are_all_listed_and_nothing_is_in_the_engine(
    registry: Registry, mirrors: Mirrors, pinned: str, tmp_path: Path
) -> None:
    down, forbidding, tampering = mirrors.down(), mirrors.forbidding(), mirrors.tampering()
    with pytest.raises(StepFailed) as failure:
        bring(tmp_path, down, forbidding, tampering)
    for host, part in ((down, "refuses"), (forbidding, "403"), (tampering, "wrong digest")):
        assert [line for line in failure.value.reason.splitlines() if host in line and part in line]
        assert in_the_engine(registry, host) == []
    assert pinned in failure.value.reason


def test_the_provider_pulls_the_pinned_digest_by_itself_and_settles(registry: Registry, pinned: str) -> None:
    name = Candidate(name="conduit", registry=registry.host, digest=pinned).declared
    image, container = URN.format("remoteImage:RemoteImage"), URN.format("container:Container")
    with Plugin.start("docker") as plugin:
        plugin.configure({"host": SOCKET})
        declared = [
            (image, {"name": name, "keepLocally": True}),
            (container, {
                "name": "registry-test", "image": name, "entrypoints": ["busybox", "sleep", "60"], "restart": "no",
                "networkMode": "none", "destroyGraceSeconds": 1,
            }),
        ]  # fmt: skip
        created = []
        try:
            for urn, wanted in declared:
                inputs = plugin.check(urn, wanted)
                id_, state = plugin.create(urn, inputs)
                created.append((urn, id_, state))
                same = plugin.diff(urn, id_, state=state, news=inputs, old_inputs=inputs)
                assert not same.changes, [*same.diffs, *same.replaces]
                found, refreshed, read = plugin.read(urn, id_, state=state, inputs=inputs)
                assert found == id_
                same = plugin.diff(urn, id_, state=refreshed, news=plugin.check(urn, wanted, read), old_inputs=read)
                assert not same.changes, [*same.diffs, *same.replaces]
            assert registry.client.containers.get("registry-test").attrs["Config"]["Image"] == name
        finally:
            for urn, id_, state in reversed(created):
                plugin.delete(urn, id_, state)


def test_the_provider_never_takes_a_stale_tag_for_a_pinned_image(registry: Registry, pinned: str) -> None:
    registry.push("conduit", f"{registry.host}/stale", built_as="toolbox")
    name = Candidate(name="conduit", registry=f"{registry.host}/stale", digest=pinned).declared
    urn = URN.format("remoteImage:RemoteImage")
    with Plugin.start("docker") as plugin:
        plugin.configure({"host": SOCKET})
        with pytest.raises(PluginError, match="unable to"):
            plugin.create(urn, plugin.check(urn, {"name": name, "keepLocally": True}))
    assert in_the_engine(registry, f"{registry.host}/stale") == []
