"""The prepared inputs of images: whole or not there, and those of the recipe that is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.catalogue import missing_inputs
from ops import images
from toolchain.places import Places
from toolchain.steps import Step, StepFailed

Maker = Callable[[Step, Path, Places, Path], None]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project" / "images" / "base"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path / "project"


def use(monkeypatch: pytest.MonkeyPatch, maker: Maker) -> None:
    monkeypatch.setattr(images, "_MAKERS", {"base": maker})


def writing(text: str) -> Maker:
    def maker(_step: Step, target: Path, _places: Places, _root: Path) -> None:
        target.write_text(text)

    return maker


def test_inputs_are_made_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def maker(_step: Step, target: Path, _places: Places, _root: Path) -> None:
        made.append(target)
        target.write_text("archive")

    use(monkeypatch, maker)
    assert [path.name for path in missing_inputs("base", root)] == ["rootfs.tar"]
    images.prepare(["base"], root)
    images.prepare(["base"], root)
    assert len(made) == 1
    assert missing_inputs("base", root) == []
    assert (root / "images/base/inputs/rootfs.tar").read_text() == "archive"


def test_another_clone_takes_them_from_the_cache(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, writing("archive"))
    images.prepare(["base"], root)
    (root / "images/base/inputs/rootfs.tar").unlink()

    def fail(_step: Step, _target: Path, _places: Places, _root: Path) -> None:
        pytest.fail("made again")

    use(monkeypatch, fail)
    images.prepare(["base"], root)
    assert (root / "images/base/inputs/rootfs.tar").read_text() == "archive"


def test_what_failed_half_way_is_not_taken_for_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_step: Step, target: Path, _places: Places, _root: Path) -> None:
        target.write_text("arch")
        raise StepFailed("", "the mirror went away")

    use(monkeypatch, broken)
    with pytest.raises(StepFailed, match="mirror went away"):
        images.prepare(["base"], root)
    assert missing_inputs("base", root) != []
    use(monkeypatch, writing("archive"))
    images.prepare(["base"], root)
    assert (root / "images/base/inputs/rootfs.tar").read_text() == "archive"


def test_a_changed_recipe_gets_inputs_of_its_own(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, writing("its archive"))
    images.prepare(["base"], root)
    (root / "images/base/revision").write_text("later\n")
    use(monkeypatch, writing("own archive"))
    images.prepare(["base"], root)
    assert (root / "images/base/inputs/rootfs.tar").read_text() == "own archive"
