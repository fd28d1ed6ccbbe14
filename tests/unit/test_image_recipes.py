"""What holds for every recipe in images/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.catalogue import CATALOGUE, project_root

IMAGES = project_root() / "images"
RECIPES = sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile"))


def dockerfile(name: str) -> str:
    return (IMAGES / name / "Dockerfile").read_text(encoding="utf-8")


def test_there_is_a_recipe_for_every_entry_that_says_so_and_no_other() -> None:
    assert set(RECIPES) == {name for name, entry in CATALOGUE.items() if entry.recipe}


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_built_from_scratch_or_from_the_base(name: str) -> None:
    origins = re.findall(r"^FROM (\S+)", dockerfile(name), re.MULTILINE)
    assert set(origins) == ({"scratch"} if name == "base" else {"${BASE}"})


@pytest.mark.parametrize("name", RECIPES)
def test_it_ends_as_a_numeric_user_who_is_not_root(name: str) -> None:
    last = re.findall(r"^USER (\S+)", dockerfile(name), re.MULTILINE)[-1]
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", last)


@pytest.mark.parametrize("name", RECIPES)
def test_it_lists_its_packages(name: str) -> None:
    text = dockerfile(name)
    assert "install-packages" in text
    assert "packages.txt" in text or "packages.txt" in (IMAGES / "base/install-packages").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "base"])
def test_its_label_has_the_version_of_the_catalogue(name: str) -> None:
    (entry,) = [entry for entry in CATALOGUE.values() if entry.name == name]
    assert f'org.opencontainers.image.version="{entry.package_version}"' in dockerfile(name)


def test_every_python_package_is_locked_with_hashes_and_without_addresses() -> None:
    text = (IMAGES / "synapse/requirements.txt").read_text(encoding="utf-8")
    packages = re.findall(r"^(\S+)==(\S+) \\$", text, re.MULTILINE)
    assert len(packages) > 40
    assert ("matrix-synapse", "1.163.2") in [(name.partition("[")[0], version) for name, version in packages]
    assert text.count("==") == len(packages), "each package has at least one hash"
    assert "://" not in text


def test_the_revision_is_a_date() -> None:
    assert re.fullmatch(r"20\d\d-\d\d-\d\d\n", (IMAGES / "base/revision").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_recipe_names_an_address(path: Path) -> None:
    if path.is_file():
        assert "://" not in path.read_text(encoding="utf-8")
