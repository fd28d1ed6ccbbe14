"""What holds for every recipe in images/."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from config.catalogue import CATALOGUE, ImageName, project_root
from toolchain import versions

IMAGES = project_root() / "images"
RECIPES = sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile"))


def dockerfile(name: str) -> str:
    return (IMAGES / name / "Dockerfile").read_text(encoding="utf-8")


def test_there_is_a_recipe_for_every_entry_that_says_so_and_no_other() -> None:
    assert set(RECIPES) == {name for name, entry in CATALOGUE.items() if entry.recipe}


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_built_from_scratch_or_from_the_base(name: str) -> None:
    origins = re.findall(r"^FROM (\S+)", dockerfile(name), re.MULTILINE)
    entry = next(entry for entry in CATALOGUE.values() if entry.name == name)
    assert set(origins) == ({"${BASE}"} if entry.built_from else {"scratch"})


@pytest.mark.parametrize("name", RECIPES)
def test_it_ends_as_a_numeric_user_who_is_not_root(name: str) -> None:
    last = re.findall(r"^USER (\S+)", dockerfile(name), re.MULTILINE)[-1]
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", last)


@pytest.mark.parametrize("name", RECIPES)
def test_it_lists_its_packages(name: str) -> None:
    text = dockerfile(name)
    # The script that installs packages writes the list too.
    writes = (">> /usr/share/packages.txt", "install-packages", "packages.txt /usr/share/packages.txt")
    assert any(each in text for each in writes)
    assert "/usr/share/packages.txt" in (IMAGES / "base/install-packages").read_text(encoding="utf-8")


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


GO_MODULES: Mapping[ImageName, str] = {
    "dendrite": "github.com/element-hq/dendrite",
    "cadvisor": "github.com/google/cadvisor",
    "acme": "github.com/go-acme/lego/v4",
}


@pytest.mark.parametrize("name", sorted(GO_MODULES))
def test_every_go_module_is_locked_with_hashes(name: ImageName) -> None:
    folder = IMAGES / name
    version = CATALOGUE[name].package_version
    module = f"{GO_MODULES[name]} v{version}"
    assert f"{module}\n" in (folder / "go.mod").read_text(encoding="utf-8")
    lines = (folder / "go.sum").read_text(encoding="utf-8").splitlines()
    assert f"{module} h1:" in "\n".join(lines)
    assert all(re.fullmatch(r"\S+ v\S+ h1:\S{43}=", line) for line in lines)


@pytest.mark.parametrize("name", sorted(GO_MODULES))
def test_the_go_modules_ask_for_no_newer_go_than_there_is(name: ImageName) -> None:
    found = re.search(r"^go (\S+)$", (IMAGES / name / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    assert versions.parse(found[1]) == versions.GO_MINIMUM


def test_the_revision_is_a_date() -> None:
    assert re.fullmatch(r"20\d\d-\d\d-\d\d\n", (IMAGES / "base/revision").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_recipe_names_an_address(path: Path) -> None:
    if path.is_file() and path.suffix != ".go":
        assert "://" not in path.read_text(encoding="utf-8")
