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


def fake_go(folder: Path, prints: str) -> Path:
    go = folder / "go"
    (folder / "printed").write_text(prints)
    go.write_text(f"#!/bin/sh\ncat {folder}/printed\n")
    go.chmod(0o755)
    return go


def test_the_modules_of_all_programs_are_listed_once(tmp_path: Path) -> None:
    lines = ["/x/a: go1.26", "\tpath\tx/cmd/a", "\tmod\tx.org/x\tv2.0.0\th1:abc=", "\tdep\tx.org/b\tv1.0.0\th1:abc="]
    prints = "\n".join([*lines, "\tdep\tx.org/a\tv0.1.0\th1:abc=", "\tbuild\tCGO_ENABLED=0", *lines])
    assert images._modules_in(fake_go(tmp_path, prints), tmp_path) == [
        "x.org/a\tv0.1.0",
        "x.org/b\tv1.0.0",
        "x.org/x\tv2.0.0",
    ]


def test_programs_that_name_no_modules_are_told(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="names no modules"):
        images._modules_in(fake_go(tmp_path, "/x/a: go1.26\n"), tmp_path)


def test_programs_stay_executable_where_they_have_to_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    def another_file_system(_source: Path, _target: Path) -> None:
        raise OSError

    monkeypatch.setattr("os.link", another_file_system)
    images._link(program, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_mode & 0o111


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
