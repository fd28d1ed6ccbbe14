"""Previews of stacks that are not deployed from here: what stands for secrets and credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.secret_keys import SECRET_KEYS
from ops.scratch import PLACEHOLDERS, placeholder_settings, plain_texts, with_credentials
from tests.samples import ALIYUN


def test_there_is_an_acceptable_placeholder_for_every_secret() -> None:
    assert set(PLACEHOLDERS) == set(SECRET_KEYS)
    assert placeholder_settings("dev", {**ALIYUN, "homeserver": "synapse"}).cloud


def test_without_credentials_there_are_placeholders_and_the_kind_of_account() -> None:
    found = with_credentials({"HOME": "/root"})
    assert found["HOME"] == "/root"
    assert found["ALICLOUD_ACCESS_KEY"] == found["ALICLOUD_SECRET_KEY"] == "placeholder"
    assert found["ALIBABA_CLOUD_ACCOUNT_TYPE"] == "Domestic"


@pytest.mark.parametrize("name", ["ALICLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALICLOUD_PROFILE"])
def test_credentials_that_are_there_are_left_alone(name: str) -> None:
    assert with_credentials({name: "own"}) == {name: "own"}


def test_only_what_stands_in_clear_is_taken_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(
        "encryptionsalt: v1:abc\n"
        "config:\n"
        "  matrix:target: aliyun\n"
        "  matrix:redis: false\n"
        "  matrix:bandwidth: 20\n"
        "  matrix:redisPassword:\n    secure: v1:xyz\n"
        "  alicloud:region: cn-beijing\n",
        encoding="utf-8",
    )
    assert plain_texts(file) == {"target": "aliyun", "redis": "false", "bandwidth": "20"}


def test_an_empty_file_has_no_keys(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text("", encoding="utf-8")
    assert plain_texts(file) == {}
