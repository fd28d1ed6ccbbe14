"""A host that was booted with the program's user data: what is open, what survives, in which order it stops.

The tests go on where the one before has stopped, from the first boot to another system disk beside the old data disk.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from components.aliyun.cloud_init.render import render_files
from config.catalogue import project_root
from ops import docker_host
from tests.aliyun.guests import ADDRESS, CPUS, DISK, NAME, SUBNET, Ground, eventually, ground, key_pair
from tests.aliyun.scan import open_ports
from tests.services.images import built

FIRST = "i-first"
METADATA = "100.100.100.200"


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """An instance whose cloud-init has ended; its data disk is not attached yet."""
    with ground(tmp_path_factory.mktemp("host")) as made:
        made.boot(FIRST)
        made.wait_for_cloud_init(FIRST)
        yield made


@pytest.fixture(scope="module")
def with_disk(booted: Ground) -> Ground:
    """The same with its data disk and an image."""
    booted.hypervisor.attach_disk(FIRST, DISK)
    booted.wait_for_docker()
    client = docker.from_env(timeout=300)
    try:
        image = built(client, "toolbox")
        load = subprocess.Popen(
            docker_host.command(booted.host, "docker", "load", "--quiet"), stdin=subprocess.PIPE, text=False
        )
        assert load.stdin is not None
        for chunk in client.images.get(image).save(named=True):
            load.stdin.write(chunk)
        load.stdin.close()
        assert load.wait(120) == 0
    finally:
        client.close()
    booted.ask("docker", "tag", image, "toolbox")
    return booted


def run_container(ground: Ground, *words: str) -> str:
    """Start a container as the program declares them; return its id."""
    return ground.ask("docker", "run", "--detach", "--restart", "unless-stopped", *words).strip()


def test_cloud_init_ends_without_an_error_on_data_that_is_valid(booted: Ground) -> None:
    console = booted.hypervisor.console
    assert "status: done" in booted.wait_for_cloud_init(FIRST)
    assert "Valid cloud-config" in console(FIRST, "cloud-init", "schema", "--system")
    result = json.loads(console(FIRST, "cat", "/run/cloud-init/result.json"))
    assert result["v1"]["errors"] == []
    log = console(FIRST, "cat", "/var/log/cloud-init.log")
    assert not re.findall(r"^.*(?:\[WARNING\]|\[ERROR\]|Traceback).*$", log, re.MULTILINE)
    assert console(FIRST, "systemctl", "--failed", "--plain", "--no-legend").strip() == ""


def test_scripts_are_clean(booted: Ground) -> None:
    scripts = {path: text for path, text in render_files(booted.args).items() if text.startswith("#!")}
    assert scripts
    console = booted.hypervisor.console
    console(FIRST, "apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "shellcheck")
    assert console(FIRST, "shellcheck", "--external-sources", *scripts) == ""


def test_every_kernel_setting_exists_and_is_understood(booted: Ground) -> None:
    lines = render_files(booted.args)["/etc/sysctl.d/60-matrix.conf"].splitlines()
    settings = dict(line.split(" = ") for line in lines if line and not line.startswith("#"))
    now = booted.ask("/sbin/sysctl", *settings).splitlines()
    assert [line.partition(" = ")[0] for line in now] == list(settings), "each is there and has a value"
    offered = booted.ask("/sbin/sysctl", "--values", "net.ipv4.tcp_available_congestion_control")
    assert settings["net.ipv4.tcp_congestion_control"] in offered.split()


def test_ssh_shows_the_host_key_that_was_known_before(booted: Ground, tmp_path: Path) -> None:
    assert booted.ask("id", "-un").strip() == booted.host.user
    _, other = key_pair(tmp_path, "other")
    stranger = replace(booted.host, host_key=other)
    docker_host.write_key(stranger)
    assert "Host key verification failed" in docker_host.run(stranger, "true").stderr


@pytest.mark.parametrize("user", ["root", "debian", "nobody"])
def test_nobody_else_logs_in(booted: Ground, user: str) -> None:
    refused = docker_host.run(replace(booted.host, user=user), "true")
    assert "Permission denied (publickey)" in refused.stderr, "by key only, and this user not at all"


def test_a_deployment_may_open_many_connections_at_once(booted: Ground) -> None:
    # sshd's own limit of unfinished logins is 10; beyond it every third is dropped.
    running = [
        subprocess.Popen(docker_host.command(booted.host, "true"), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        for _ in range(40)
    ]
    failed = [each.communicate()[1] for each in running if each.wait(120)]
    assert not failed


def test_docker_waits_for_a_disk_that_comes_after_the_first_boot(booted: Ground) -> None:
    console = booted.hypervisor.console
    assert console(FIRST, "systemctl", "is-active", "docker.service").strip() in {"inactive", "activating"}
    assert "data disk" in docker_host.missing(booted.host)
    assert not console(FIRST, "sh", "-c", "ls -A /var/lib/docker /srv/data/docker 2>/dev/null").strip()


def test_the_disk_is_formatted_and_docker_stands_on_it(with_disk: Ground) -> None:
    root = with_disk.ask("docker", "info", "--format", "'{{.DockerRootDir}}'").strip()
    source = with_disk.ask("findmnt", "--noheadings", "--output", "SOURCE", "--target", root).strip()
    assert source == "/dev/vdb[/docker]"
    journal = with_disk.ask("sudo", "journalctl", "--output=cat", "--unit=data-disk")
    assert "is blank: making a file system" in journal


def test_the_host_has_the_processors_of_its_type_on_any_machine(with_disk: Ground) -> None:
    assert int(with_disk.ask("nproc")) == CPUS
    assert int(with_disk.ask("docker", "info", "--format", "'{{.NCPU}}'")) == CPUS
    # Or the Docker engine would refuse it.
    assert with_disk.ask("docker", "run", "--rm", "--cpus", str(CPUS), "toolbox", "nproc").strip() == str(CPUS)


def test_a_disk_that_holds_anything_is_left_alone(with_disk: Ground) -> None:
    script = render_files(with_disk.args)["/usr/local/sbin/mount-data-disk"]
    script = re.sub(r"^device=.*$", "device=/dev/vdc", script, flags=re.MULTILINE)
    script = re.sub(r"^target=.*$", "target=/mnt/other", script, flags=re.MULTILINE)
    hypervisor = with_disk.hypervisor
    hypervisor.create_disk("d-other", 1)
    hypervisor.attach_disk(FIRST, "d-other")
    digest = ("sh", "-c", "head -c 64M /dev/vdc | sha256sum")
    try:
        # No file system that blkid knows; then one, but another.
        for content in ("printf junk | dd of=/dev/vdc bs=1 seek=70000 conv=notrunc status=none", "mkswap -q /dev/vdc"):
            hypervisor.console(FIRST, "sh", "-c", content)
            before = hypervisor.console(FIRST, *digest)
            told = hypervisor.console(FIRST, "sh", "-c", f"{script}\necho unexpected success")
            assert "it is left alone" in told, told
            assert "unexpected success" not in told
            assert hypervisor.console(FIRST, *digest) == before
    finally:
        hypervisor.detach_disk(FIRST, "d-other")
        hypervisor.delete_disk("d-other")


def test_an_enlarged_disk_is_used_after_a_restart_of_its_unit(with_disk: Ground) -> None:
    size = ("findmnt", "--noheadings", "--bytes", "--output", "SIZE", "/srv/data")
    before = int(with_disk.ask(*size))
    with_disk.hypervisor.resize_disk(DISK, 6)
    with_disk.ask("sudo", "systemctl", "restart", "data-disk.service")
    with_disk.wait_for_docker()
    assert int(with_disk.ask(*size)) > before * 1.4


def test_containers_cannot_ask_the_metadata_service_and_the_host_can(with_disk: Ground) -> None:
    client = docker.from_env(timeout=300)
    service = client.containers.run(
        built(client, "toolbox"),
        ["sh", "-c", "mkdir /tmp/w && echo user-data >/tmp/w/index.html && exec busybox httpd -f -p 80 -h /tmp/w"],
        detach=True,
        network=NAME,
    )
    # Debian's busybox dies of wget's own -T.
    fetch = f"timeout 5 busybox wget -q -O - http://{METADATA}/"
    try:
        service.reload()
        pid = service.attrs["State"]["Pid"]
        subprocess.run(
            ["nsenter", f"--target={pid}", "--net", "ip", "address", "add", f"{METADATA}/32", "dev", "eth0"], check=True
        )
        with_disk.ask("sudo", "ip", "route", "replace", METADATA, "dev", "eth0")
        assert "user-data" in with_disk.ask("curl", "--silent", "--max-time", "5", f"http://{METADATA}/")
        with_disk.ask("docker", "network", "create", "--subnet", str(SUBNET), "edge")
        for network in ("bridge", "edge"):
            refused = docker_host.run(
                with_disk.host, "docker", "run", "--rm", "--network", network, "toolbox", "sh", "-c", f"'{fetch}'"
            )
            assert refused.returncode in {1, 124, 143}, refused
            assert "user-data" not in refused.stdout
        # It is the rule that does it.
        with_disk.ask("sudo", "nft", "flush", "chain", "inet", "host_firewall", "forward")
        assert "user-data" in with_disk.ask("docker", "run", "--rm", "toolbox", "sh", "-c", f"'{fetch}'")
    finally:
        with_disk.hypervisor.console(FIRST, "systemctl", "reload", "host-firewall.service")
        with_disk.hypervisor.console(FIRST, "docker", "network", "rm", "edge")
        service.remove(force=True)
        client.close()


def test_containers_cannot_reach_the_host(with_disk: Ground) -> None:
    gateway = with_disk.ask(
        "docker", "network", "inspect", "bridge", "--format", "'{{(index .IPAM.Config 0).Gateway}}'"
    )
    refused = docker_host.run(
        with_disk.host,
        *("docker", "run", "--rm", "toolbox", "busybox", "nc", "-w", "3", gateway.strip().strip("'"), "22"),
    )
    assert refused.returncode == 1
    assert "SSH" not in refused.stdout


SLOW = "trap 'test -e /data/ended || sleep 14; echo ended >/data/ended; exit 0' TERM; while :; do sleep 1; done"
"""Takes longer to end than the 10 s that Docker gives where nothing is said, the first time."""


@pytest.fixture(scope="module")
def slow(with_disk: Ground) -> str:
    """A container that needs its grace; its id."""
    return run_container(
        with_disk,
        *("--name", "slow", "--user", "0", "--stop-timeout", "40", "--volume", "slow-data:/data"),
        *("toolbox", "sh", "-c", f'"{SLOW}"'),
    )


def ended(ground: Ground) -> str:
    return ground.ask("docker", "exec", "slow", "cat", "/data/ended").strip()


def test_setting_up_the_host_again_changes_nothing(with_disk: Ground, slow: str) -> None:
    started = ("docker", "inspect", "--format", "'{{.State.StartedAt}}'", slow)
    before = with_disk.ask(*started)
    firewall = with_disk.ask("sudo", "nft", "--stateless", "list", "table", "inet", "host_firewall")
    with_disk.ask("sudo", "/usr/local/sbin/set-up-host")
    assert with_disk.ask(*started) == before
    assert with_disk.ask("sudo", "nft", "--stateless", "list", "table", "inet", "host_firewall") == firewall
    assert with_disk.ask("systemctl", "--failed", "--plain", "--no-legend") == ""


def test_an_address_that_is_taken_away_leads_nowhere(with_disk: Ground) -> None:
    with_disk.hypervisor.dissociate_address(FIRST, ADDRESS)
    assert docker_host.run(with_disk.host, "true", seconds=20).returncode == 255
    with_disk.hypervisor.associate_address(FIRST, ADDRESS)
    assert docker_host.run(with_disk.host, "true").returncode == 0


def test_a_reboot_stops_containers_with_their_grace_and_brings_them_back(with_disk: Ground, slow: str) -> None:
    filesystem = with_disk.ask("sudo", "blkid", "/dev/vdb")
    boots = with_disk.ask("cat", "/var/lib/cloud/instance/sem/config_scripts_user")
    with_disk.hypervisor.reboot(FIRST, force=False)
    with_disk.wait_for_docker()
    assert with_disk.ask("docker", "ps", "--no-trunc", "--quiet").split() == [slow]
    assert ended(with_disk) == "ended", "it was killed before it had stopped"
    assert with_disk.ask("sudo", "blkid", "/dev/vdb") == filesystem
    assert with_disk.ask("cat", "/var/lib/cloud/instance/sem/config_scripts_user") == boots, "it ran once"
    assert open_ports(NAME, str(ADDRESS), [22, 80, 443, 2375, 8448]) == set(), "the security group holds after a reboot"
    assert "100.100.100.200" in with_disk.ask("sudo", "nft", "list", "table", "inet", "host_firewall")


def test_power_loss_loses_nothing_that_was_written(with_disk: Ground, slow: str) -> None:
    with_disk.hypervisor.reboot(FIRST, force=True)
    with_disk.wait_for_docker()
    assert with_disk.ask("docker", "ps", "--no-trunc", "--quiet").split() == [slow]
    assert ended(with_disk) == "ended"


def test_a_docker_engine_that_systemd_runs_is_restarted_as_make_up_does_it(with_disk: Ground, slow: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for each in sorted((project_root() / "toolchain").glob("*.py")):
            archive.add(each, f"toolchain/{each.name}")
    unpack = docker_host.command(with_disk.host, "tar", "--extract")
    subprocess.run(unpack, input=packed.getvalue(), check=True, timeout=60)
    engine = ("systemctl", "show", "--property", "MainPID", "docker.service")
    before = with_disk.ask(*engine)
    program = (
        "import os; from toolchain.docker_engine import restart_engine; from toolchain.places import Places; "
        'places = Places.of(os.environ); places.make(); restart_engine(places, "unix:///var/run/docker.sock")'
    )
    with_disk.ask("sudo", "env", "HOME=/root", "python3", "-c", f"'{program}'")
    assert with_disk.ask(*engine) != before
    eventually(
        "the container is back", lambda: with_disk.ask("docker", "ps", "--no-trunc", "--quiet").split() == [slow]
    )


def test_a_new_system_disk_and_another_size_keep_the_containers(with_disk: Ground, slow: str) -> None:
    filesystem = with_disk.ask("sudo", "blkid", "/dev/vdb")
    hypervisor = with_disk.hypervisor
    hypervisor.stop(FIRST, force=False)
    hypervisor.resize(FIRST, cpus=CPUS + 1, memory=3072)
    hypervisor.reinstall(replace(with_disk.guest(FIRST), cpus=CPUS + 1, memory=3072))
    hypervisor.start(FIRST)
    assert "status: done" in with_disk.wait_for_cloud_init(FIRST)
    with_disk.wait_for_docker()
    assert int(with_disk.ask("nproc")) == CPUS + 1
    eventually(
        "the container is back", lambda: with_disk.ask("docker", "ps", "--no-trunc", "--quiet").split() == [slow]
    )
    assert ended(with_disk) == "ended"
    assert with_disk.ask("sudo", "blkid", "/dev/vdb") == filesystem


def test_a_disk_that_is_torn_out_and_put_back_brings_the_containers_back(with_disk: Ground, slow: str) -> None:
    hypervisor = with_disk.hypervisor
    hypervisor.detach_disk(FIRST, DISK)
    eventually("Docker waits for the disk", lambda: "data disk" in docker_host.missing(with_disk.host))
    hypervisor.attach_disk(FIRST, DISK)
    with_disk.wait_for_docker()
    eventually(
        "the container is back", lambda: with_disk.ask("docker", "ps", "--no-trunc", "--quiet").split() == [slow]
    )
