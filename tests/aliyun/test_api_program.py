"""The emulation as a program: started, told to stop, started again on what it kept."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import dns.message
import dns.query
import pytest

from tests.aliyun.account import Account
from tests.aliyun.console import Console
from tests.aliyun.emulation import state
from tests.aliyun.emulation.emulation import Emulation, Options
from toolchain.places import ROOT


@contextlib.contextmanager
def program(folder: Path, *arguments: str) -> Iterator[Mapping[str, str]]:
    """Run the program; give what its file ``environment`` exports."""
    command = [sys.executable, "-m", "tests.aliyun.emulation", "--state", str(folder), "--no-hosts", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == f"Emulated Aliyun, process {process.pid}: . {folder}/environment\n"
        yield environment(folder)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def environment(folder: Path) -> dict[str, str]:
    lines = (folder / "environment").read_text().splitlines()
    pairs = [shlex.split(line.removeprefix("export "))[0].partition("=") for line in lines]
    return {name: value for name, _, value in pairs}


def test_it_serves_from_its_environment_alone_and_keeps_everything(tmp_path: Path) -> None:
    folder = tmp_path / "account"
    with program(folder, "--domain", "example.net") as first:
        console = Console(first)
        vpc = console.vpc("CreateVpc", CidrBlock="10.42.0.0/16", ClientToken="TF-1")["VpcId"]
        console.dns("AddDomainRecord", DomainName="example.net", RR="matrix", Type="A", Value="198.51.100.129")
    with program(folder, "--domain", "example.net") as second:
        console = Console(second)
        assert console.vpc("DescribeVpcAttribute", VpcId=vpc)["CidrBlock"] == "10.42.0.0/16"
        again = console.vpc("CreateVpc", CidrBlock="10.42.0.0/16", ClientToken="TF-1")
        assert again["VpcId"] == vpc
        address, port = second["EMULATED_ALIYUN_DNS"].split(":")
        query = dns.message.make_query("matrix.example.net", "A")
        answer = dns.query.udp(query, address, port=int(port), timeout=10)
        assert answer.answer[0][0].to_text() == "198.51.100.129"
        assert first["SSL_CERT_FILE"] == second["SSL_CERT_FILE"]


def test_its_files_are_its_owners_only_and_its_bundle_has_the_systems_roots(tmp_path: Path) -> None:
    with Emulation(Options(state=tmp_path / "account")) as emulation:
        emulation.cloud.save()
        Console(emulation.environment).vpc("CreateVpc")
        for file in ("state.json", "certificates/server.pem"):
            assert stat.S_IMODE((tmp_path / "account" / file).stat().st_mode) == 0o600
        bundle = Path(emulation.environment["SSL_CERT_FILE"]).read_text()
        assert bundle.count("BEGIN CERTIFICATE") > 1
        assert emulation.certificates.ca.read_text().strip() in bundle


def test_the_environment_is_what_the_plugin_reads(tmp_path: Path) -> None:
    with Emulation(Options(state=tmp_path / "account")) as emulation:
        exported = environment(tmp_path / "account")
        assert exported == dict(emulation.environment)
        assert exported["ALIBABA_CLOUD_ACCOUNT_TYPE"] == "Domestic"
        for product in ("ECS", "VPC", "ALIDNS"):
            assert exported[f"ALIBABA_CLOUD_ENDPOINT_{product}"] == emulation.endpoint


def test_every_kind_of_thing_is_kept_as_it_was(emulation: Emulation, account: Account) -> None:
    assert account.instance
    assert account.disk
    assert account.eip
    assert account.policy
    account.console.ecs(
        "TagResources", ResourceType="disk", ResourceId=[account.disk], Tag__1__Key="app", Tag__1__Value=""
    )
    rule = {"IpProtocol": "tcp", "PortRange": "80/80", "SourceCidrIp": "0.0.0.0/0"}
    account.console.ecs("AuthorizeSecurityGroup", SecurityGroupId=account.group, **rule)
    account.console.dns("AddDomainRecord", DomainName="example.com", RR="@", Type="A", Value="198.51.100.1")
    kept = emulation.cloud.store.load()
    assert kept == emulation.cloud.state
    assert all(getattr(kept, table) for table in state.TABLES if table != "tokens")


def test_a_second_one_on_the_same_port_says_so(tmp_path: Path) -> None:
    with Emulation(Options(state=tmp_path / "one")) as emulation:
        port = emulation.endpoint.split(":")[1]
        command = [sys.executable, "-m", "tests.aliyun.emulation", "--no-hosts"]
        second = subprocess.run(
            [*command, "--state", tmp_path / "two", "--port", port],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert second.returncode == 1
    assert re.fullmatch(r"The emulated Aliyun cannot start: .*in use.*\n", second.stderr)


@pytest.mark.parametrize("wrong", ["53", "127.0.0.1", "127.0.0.1:dns"])
def test_a_wrong_address_is_told(tmp_path: Path, wrong: str) -> None:
    command = [sys.executable, "-m", "tests.aliyun.emulation", "--no-hosts", "--state", str(tmp_path), "--dns", wrong]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert "write an address and a port" in ended.stderr
