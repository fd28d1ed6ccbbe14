"""The user data of a host."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.aliyun.cloud_init import CloudInitArgs, render_user_data
from components.container import LOG_DRIVER, LOG_OPTS
from tests.aliyun.samples import CLOUD_INIT

GOLDEN = Path(__file__).parents[1] / "golden" / "user-data.yaml"


def document(args: CloudInitArgs = CLOUD_INIT) -> dict[str, Any]:
    text = render_user_data(args)
    assert text.startswith("#cloud-config\n")
    parsed: dict[str, Any] = yaml.safe_load(text)
    return parsed


def files(args: CloudInitArgs = CLOUD_INIT) -> dict[str, str]:
    return {each["path"]: each["content"] for each in document(args)["write_files"]}


def test_the_user_data_is_the_reviewed_one() -> None:
    found = render_user_data(CLOUD_INIT)
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text(), "review the difference; `make golden` writes it"


def test_the_keys_arrive_whole() -> None:
    found = document()
    assert found["ssh_keys"]["ed25519_private"] == CLOUD_INIT.host_key_private
    assert found["ssh_keys"]["ed25519_public"] == CLOUD_INIT.host_key_public
    assert found["users"][0]["ssh_authorized_keys"] == [CLOUD_INIT.admin_key_public]


def test_the_daemon_states_the_log_options_of_the_containers() -> None:
    daemon = json.loads(files()["/etc/docker/daemon.json"])
    assert (daemon["log-driver"], daemon["log-opts"]) == (LOG_DRIVER, dict(LOG_OPTS))
    # With it, no container would be stopped with its own grace when the host shuts down.
    assert daemon["live-restore"] is False


def test_the_daemon_gets_the_mirrors_that_it_can_use() -> None:
    mirrors = ("mirror.example", "registry.example:5000", "registry.example/team")
    daemon = json.loads(files(replace(CLOUD_INIT, registry_mirrors=mirrors))["/etc/docker/daemon.json"])
    assert daemon["registry-mirrors"] == ["https://mirror.example", "https://registry.example:5000"]


def test_docker_needs_the_data_disk() -> None:
    found = files(replace(CLOUD_INIT, data_disk_serial="bp67890"))
    script = found["/usr/local/sbin/mount-data-disk"]
    (mount,) = re.findall(r"^target=(\S+)$", script, re.MULTILINE)
    assert "device=/dev/disk/by-id/virtio-bp67890\n" in script
    assert json.loads(found["/etc/docker/daemon.json"])["data-root"].startswith(f"{mount}/")
    assert f"AssertPathIsMountPoint={mount}" in found["/etc/systemd/system/docker.service.d/10-data-disk.conf"]


def test_scripts_may_be_run_and_other_files_may_not() -> None:
    modes = {each["path"]: each["permissions"] for each in document()["write_files"]}
    assert {path for path, mode in modes.items() if mode == "0755"} == {
        "/usr/local/sbin/mount-data-disk",
        "/usr/local/sbin/set-up-host",
    }
    assert set(modes.values()) == {"0755", "0644"}


def test_user_data_that_aliyun_would_refuse_is_refused_here() -> None:
    long = "ssh-rsa " + "A" * 16_384
    with pytest.raises(ValueError, match="more than 16384"):
        render_user_data(replace(CLOUD_INIT, admin_key_public=long))


def test_the_largest_keys_leave_room() -> None:
    # RSA 4096 in OpenSSH's format, and a list of mirrors.
    args = replace(CLOUD_INIT, admin_key_public="ssh-rsa " + "A" * 724, registry_mirrors=("mirror.example",) * 20)
    assert len(render_user_data(args)) < 14_000


def test_containers_of_every_subnet_are_kept_from_the_metadata_and_from_neighbours() -> None:
    firewall = files(replace(CLOUD_INIT, container_subnet=IPv4Network("10.90.0.0/16")))["/etc/host-firewall.nft"]
    assert "ip daddr 100.100.100.200 counter drop" in firewall
    assert "ip daddr 10.90.0.0/16 ct state new ct status & dnat != dnat drop" in firewall
    # It would take Docker's own rules along.
    assert not re.search(r"^\s*flush ruleset", firewall, re.MULTILINE)
