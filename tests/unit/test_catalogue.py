"""The catalogue: references, prefixes, and tags that follow from recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.catalogue import (
    CATALOGUE,
    ImageName,
    image_reference,
    is_built,
    project_root,
    recipe_hash,
    recipe_tag,
    registry_reference,
    software_version,
)


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    for name in ("base", "nginx"):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text(f"FROM scratch\n# {name}\n")
    return tmp_path


def test_the_tag_follows_from_the_recipe(recipes: Path) -> None:
    before = recipe_tag("nginx", recipes)
    assert recipe_tag("nginx", recipes) == before
    (recipes / "images/nginx/Dockerfile").write_text("FROM scratch\n# changed\n")
    assert recipe_tag("nginx", recipes) != before


def test_the_tag_follows_from_what_the_image_is_built_from(recipes: Path) -> None:
    before = recipe_tag("nginx", recipes)
    (recipes / "images/base/revision").write_text("later\n")
    assert recipe_tag("nginx", recipes) != before


def test_prepared_inputs_do_not_change_the_tag(recipes: Path) -> None:
    before = recipe_tag("base", recipes)
    (recipes / "images/base/inputs").mkdir()
    (recipes / "images/base/inputs/rootfs.tar").write_bytes(b"x")
    assert recipe_tag("base", recipes) == before


def test_a_renamed_file_changes_the_tag(recipes: Path) -> None:
    (recipes / "images/base/a").write_text("x")
    before = recipe_hash("base", recipes)
    (recipes / "images/base/a").rename(recipes / "images/base/b")
    assert recipe_hash("base", recipes) != before


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_reference_is_pinned(name: ImageName) -> None:
    reference = CATALOGUE[name].reference
    if reference is not None:
        tag = reference.rpartition(":")[2]
        assert CATALOGUE[name].version in tag
        assert tag != "latest"


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_an_image_can_be_pulled_or_built(name: ImageName) -> None:
    entry = CATALOGUE[name]
    assert entry.recipe or entry.reference
    assert entry.recipe == (project_root() / "images" / name / "Dockerfile").exists()
    assert bool(entry.package_version) == entry.recipe


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", "matrixconduit/matrix-conduit:v0.10.12"),
        ("mirror.example", "mirror.example/matrixconduit/matrix-conduit:v0.10.12"),
        ("mirror.example:5000/", "mirror.example:5000/matrixconduit/matrix-conduit:v0.10.12"),
        ("registry.example/team", "registry.example/team/matrix-conduit:v0.10.12"),
    ],
)
def test_the_prefix_rewrites_a_reference(prefix: str, expected: str) -> None:
    assert registry_reference("conduit", prefix) == expected


def test_a_mirror_keeps_the_whole_path_of_an_official_image() -> None:
    assert registry_reference("nginx", "mirror.example").startswith("mirror.example/library/nginx:")
    assert registry_reference("nginx", "").startswith("nginx:")


def test_conduit_is_a_reference_even_where_the_rest_is_built() -> None:
    root = project_root()
    assert image_reference("conduit", "packages", "", root) == "matrixconduit/matrix-conduit:v0.10.12"
    assert image_reference("nginx", "packages", "", root) == recipe_tag("nginx", root)


def test_the_acme_client_is_built_wherever_the_rest_comes_from() -> None:
    root = project_root()
    assert is_built("acme", "registry")
    assert image_reference("acme", "registry", "mirror.example", root) == recipe_tag("acme", root)


def test_the_version_is_that_of_the_image_which_runs() -> None:
    assert software_version("nginx", "packages") == "1.22.1"
    assert software_version("nginx", "registry") == "1.28.0"
    assert software_version("conduit", "packages") == "0.10.12"
