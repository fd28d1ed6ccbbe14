"""What bad input gets: sentences that say what was wrong and what to do, and nothing is created."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator, Mapping

import pytest

from tests.e2e.deployment import Deployment
from tests.services.images import built

PORTS = (30080, 30443, 30448)
SETTINGS = {"homeserver": "synapse", "imageSource": "packages", "subnet": "10.89.73.0/24"}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A stack that is never deployed."""
    made = Deployment(stack="refusals-test", folder=tmp_path_factory.mktemp("refusals"), ports=PORTS, settings=SETTINGS)
    made.prepare()
    made.make("toolchain")
    try:
        yield made
        assert made.left_in_the_docker_engine() == []
    finally:
        made.remove()


def refused(deployment: Deployment, settings: Mapping[str, str]) -> str:
    """Write the config anew, run `make up`, and return what it says."""
    deployment.write_config({**SETTINGS, **settings})
    result = deployment.make("up", check=False)
    assert result.returncode != 0
    assert deployment.left_in_the_docker_engine() == []
    return result.stdout + result.stderr


def test_all_wrong_settings_are_named_at_once(deployment: Deployment) -> None:
    wrong = {"tier": "huge", "httpPort": "eighty", "uploadLimit": "20", "sevrerName": "example.com"}
    text = refused(deployment, wrong)
    for key, value in wrong.items():
        assert f"matrix:{key}" in text
        assert value in text or key == "sevrerName"
    assert "4 settings are wrong" in text
    assert "pulumi config set tier '1C1G'" in text
    preview = deployment.pulumi("preview", check=False)
    assert preview.returncode != 0
    assert "4 settings are wrong" in preview.stdout + preview.stderr
    assert "Traceback" not in preview.stdout + preview.stderr


def test_a_config_that_is_no_yaml_is_told(deployment: Deployment) -> None:
    deployment.config_file.write_text("config:\n  matrix:tier: [1C1G\n")
    result = deployment.make("up", check=False)
    assert result.returncode != 0
    assert deployment.config_file.name in result.stderr
    assert "What to do" in result.stderr


def test_a_port_in_use_is_named_with_its_setting(deployment: Deployment) -> None:
    with socket.create_server(("127.0.0.1", PORTS[1])):
        text = refused(deployment, {})
    assert f"127.0.0.1:{PORTS[1]} (httpsPort)" in text
    assert "pulumi config set httpsPort" in text
    assert "httpPort)" not in text


def test_a_port_of_somebody_elses_container_is_in_use_however_it_was_published(deployment: Deployment) -> None:
    client = deployment.client
    # Where the Docker engine pleases, as with `docker run -P`.
    strange = client.containers.run(
        built(client, "toolbox"), ["busybox", "sleep", "600"], ports={"8000/tcp": None}, detach=True, user="0"
    )
    try:
        port = client.api.port(str(strange.id), 8000)[0]["HostPort"]
        text = refused(deployment, {"httpsPort": port})
    finally:
        strange.remove(force=True)
    assert f"127.0.0.1:{port} (httpsPort) is in use by another program" in text
    assert "Traceback" not in text


def test_conduit_without_its_image_and_without_a_registry_names_the_alternatives(deployment: Deployment) -> None:
    text = refused(deployment, {"homeserver": "conduit", "registryPrefix": "nowhere.invalid"})
    assert "no package of Conduit exists anywhere" in text
    for way in ("docker load", "registryPrefix", "pulumi config set homeserver synapse"):
        assert way in text


def test_images_from_a_registry_that_does_not_answer_name_the_way_out(deployment: Deployment) -> None:
    text = refused(deployment, {"imageSource": "registry", "registryPrefix": "nowhere.invalid"})
    assert "nowhere.invalid/library/nginx" in text
    assert "pulumi config set imageSource packages" in text


def test_a_plain_pulumi_up_without_secrets_names_the_command_that_makes_them(deployment: Deployment) -> None:
    deployment.write_config(SETTINGS)
    deployment.pulumi("stack", "select", "--create", "--secrets-provider", "passphrase")
    result = deployment.pulumi("up", "--yes", "--skip-preview", check=False)
    assert result.returncode != 0
    assert f"make secrets STACK={deployment.stack}" in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_a_plain_pulumi_up_without_the_images_inputs_names_the_command_that_prepares_them(
    deployment: Deployment,
) -> None:
    deployment.write_config(SETTINGS)
    deployment.make("secrets")
    try:
        result = deployment.pulumi("up", "--yes", "--skip-preview", check=False)
        assert result.returncode != 0
        assert "run `make images`" in result.stdout + result.stderr
        assert "Traceback" not in result.stdout + result.stderr
    finally:
        deployment.make("purge", CONFIRM=deployment.stack)


def test_a_plain_preview_of_a_stack_on_aliyun_in_the_environment_of_local_ones_names_the_other(
    deployment: Deployment,
) -> None:
    shutil.copyfile(deployment.folder / "Pulumi.dev.yaml", deployment.config_file)
    deployment.make("secrets")
    try:
        result = deployment.pulumi("preview", check=False)
        assert result.returncode != 0
        assert "export MATRIX_ENV=aliyun && . ./activate" in result.stdout + result.stderr
        assert "Traceback" not in result.stdout + result.stderr
    finally:
        deployment.pulumi("stack", "rm", "--yes")


@pytest.mark.parametrize("command", ["status", "outputs", "token", "invite", "preview", "secrets", "down", "purge"])
def test_a_stack_that_is_not_there_is_told_in_a_sentence(deployment: Deployment, command: str) -> None:
    result = deployment.make(command, check=False, STACK="nobody")
    assert result.returncode != 0
    assert "there is no such stack yet" in result.stderr
    assert "make up STACK=nobody" in result.stderr
