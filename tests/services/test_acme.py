"""The ACME client with a real CA and Nginx: what is served, whatever happens to the CA, the disk or the client."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from components.services.acme.component import METRICS_PORT
from components.services.nginx.component import HTTPS
from config.catalogue import project_root
from tests.services.authority import NAME, Crowd, World, handshake, port_of, until
from tests.services.conftest import Bench, execute
from toolchain import golang
from toolchain.places import Places
from toolchain.python_env import provide_venv


def test_the_clients_own_tests_pass() -> None:
    places = Places.of(os.environ)
    go = golang.provide_go(places, Path(sys.prefix))
    result = subprocess.run(
        [go, "test", "./..."],
        cwd=project_root() / "images" / "acme",
        env=golang.build_environment(os.environ, go),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]


def test_a_certificate_is_issued_and_served_without_a_restart(own_bench: Bench) -> None:
    world = World(own_bench)
    started = world.nginx.attrs["State"]["StartedAt"]
    issued = world.wait_until_issued()
    assert handshake(world.nginx, world.root()).serial_number == issued.serial_number
    world.nginx.reload()
    assert world.nginx.attrs["State"]["StartedAt"] == started
    # Nginx' group reads, nobody else; the account's key is where Nginx does not look.
    assert world.with_volume("stat -Lc '%a %u %g' /v/current/privkey.pem /v/current").split("\n")[:2] == [
        "640 2001 2100",
        "750 2001 2100",
    ]
    assert "account.key" not in world.with_volume("find /v")
    # What was there for the challenge is gone.
    assert world.with_volume("ls /v/challenges") == ""


def test_renewals_under_load_fail_nobody(own_bench: Bench) -> None:
    world = World(own_bench, life=24)
    first = world.wait_until_issued()
    with Crowd(world.nginx) as crowd:
        until(lambda: len(crowd.serials) >= 4, lambda: f"three renewals: {crowd.serials} {world.acme.logs().decode()}")
    assert crowd.failures == []
    assert crowd.connects > 100
    assert world.served().public_key() == first.public_key()
    print(f"\n{crowd.connects} new connections during {len(crowd.serials) - 1} renewals, {len(crowd.failures)} failed")


def change_the_key(world: World, crowd: Crowd) -> None:
    seen = len(crowd.serials)
    code, output = execute(world.acme, "/usr/bin/acme", "reissue")
    assert code == 0, output
    until(lambda: len(crowd.serials) > seen, lambda: world.acme.logs().decode())


def test_changes_of_the_key_under_load_fail_nobody(own_bench: Bench) -> None:
    world = World(own_bench)
    world.wait_until_issued()
    with Crowd(world.nginx) as crowd:
        for _ in range(3):
            change_the_key(world, crowd)
    assert crowd.failures == []
    assert crowd.connects > 100
    assert len(crowd.keys) == len(crowd.serials)
    print(f"\n{crowd.connects} new connections during three changes of the key, {len(crowd.failures)} failed")


def test_a_forced_reissue_has_a_new_key(own_bench: Bench) -> None:
    world = World(own_bench)
    first = world.wait_until_issued()
    code, output = execute(world.acme, "/usr/bin/acme", "reissue")
    assert code == 0, output
    world.wait_for(lambda status: status["serial"] != f"{first.serial_number:x}", "the new certificate")
    second = world.served()
    assert second.public_key() != first.public_key()
    assert not world.status()["reissueRequested"]


def test_a_name_that_leads_elsewhere_is_told_and_backs_off(own_bench: Bench) -> None:
    world = World(own_bench, names=("elsewhere.test",))
    told = world.wait_for(lambda status: status["failures"] >= 2, "two failures")
    assert "elsewhere.test" in told["lastError"]
    assert told["nextAttempt"] is not None
    assert not told["issued"]
    assert world.with_volume("ls /v/challenges") == ""
    metrics = metrics_of(world)
    assert metrics["acme_certificate_issued"] == 0
    assert metrics["acme_failures"] >= 2


def metrics_of(world: World) -> dict[str, float]:
    url = f"http://127.0.0.1:{port_of(world.acme, METRICS_PORT)}/metrics"
    with urllib.request.urlopen(url, timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, value in (line.split() for line in lines if not line.startswith("#"))}


def test_a_cas_retry_after_is_respected_across_a_restart(own_bench: Bench) -> None:
    world = World(own_bench)
    world.wait_until_issued()
    world.set_mode("limit 60")
    code, _ = execute(world.acme, "/usr/bin/acme", "reissue")
    assert code == 0
    told = world.wait_for(lambda status: status["failures"], "the refusal")
    assert "again in 1m0s" in told["lastError"]
    # The first certificate's order, and the refused one.
    until(lambda: world.asked_for_orders() == 2, lambda: world.gate.logs().decode())
    world.set_mode("")
    for _ in range(2):
        world.acme.restart(timeout=5)
    before = world.wait_for(lambda status: status["failures"] == 1, "the state after a restart")
    assert world.asked_for_orders() == 2
    assert before["nextAttempt"] == told["nextAttempt"]
    after = world.wait_for(lambda status: not status["failures"], "the new certificate")
    assert after["lastSuccess"] >= told["nextAttempt"]
    assert world.asked_for_orders() == 3


def test_a_ca_that_is_down_is_visible_and_a_new_one_of_the_same_address_is_taken(own_bench: Bench) -> None:
    world = World(own_bench, life=30)
    world.wait_until_issued()
    root = world.root()
    world.gate.stop(timeout=1)
    until(lambda: metrics_of(world)["acme_failures"] >= 2, "failures")
    world.wait_until_settled()
    issued = world.served()
    end = issued.not_valid_after_utc
    told = world.wait_for(lambda status: status["lastErrorAt"] > end.strftime("%Y-%m-%dT%H:%M:%SZ"), "the end passes")
    assert "ca.test" in told["lastError"]
    # Expired, and still the one thing to serve.
    assert world.served().serial_number == issued.serial_number
    # Pebble forgets its accounts and makes a new root.
    world.pebble.restart(timeout=1)
    world.gate.start()
    world.wait_for(lambda status: not status["failures"], "a certificate of the new root")
    until(lambda: world.root() != root, "the new root")
    until(
        lambda: handshake(world.nginx, world.root()).serial_number != issued.serial_number, "the new one is not served"
    )


def test_a_full_disk_leaves_the_old_pair_served_and_no_certificate_is_lost(own_bench: Bench) -> None:
    world = World(own_bench, tiny=True)
    first = world.wait_until_issued()
    world.set_mode("hold")
    code, _ = execute(world.acme, "/usr/bin/acme", "reissue")
    assert code == 0
    until(lambda: re.search(r"finalize\S* hold", world.gate.logs().decode()), "the order is about to be finalized")
    world.with_volume("dd if=/dev/zero of=/v/fill bs=1k count=1024 2>/dev/null || true")
    world.set_mode("")
    told = world.wait_for(lambda status: status["failures"], "the failure")
    assert "no space left on device" in told["lastError"]
    assert world.served().serial_number == first.serial_number
    assert len(world.with_volume("ls /v/versions").split()) == 1 + 1  # the first, and the initial one before it
    asked = world.asked_for_orders()
    world.with_volume("rm /v/fill")
    world.wait_for(lambda status: not status["failures"], "what had been issued")
    until(lambda: world.served().public_key() != first.public_key(), "what had been issued is not served")
    assert world.asked_for_orders() == asked


def test_it_is_mozillas_intermediate_profile_without_a_finding(own_bench: Bench, tmp_path: Path) -> None:
    world = World(own_bench)
    world.wait_until_issued()
    root = tmp_path / "root.pem"
    root.write_text(world.root(), encoding="utf-8")
    # In an environment of its own: it wants an older version of a library that the other tests have.
    python = provide_venv(Places.of(os.environ), Path(__file__).parent / "requirements-sslyze.txt") / "bin" / "python"
    result = subprocess.run(
        [
            *(python, "-m", "sslyze", "--mozilla_config=intermediate", f"--certinfo_ca_file={root}"),
            *(f"--sni={NAME}", f"127.0.0.1:{port_of(world.nginx, HTTPS)}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ": OK - Compliant." in result.stdout.partition("COMPLIANCE AGAINST")[2], result.stdout + result.stderr
