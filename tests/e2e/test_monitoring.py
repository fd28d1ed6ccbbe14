"""A monitored stack: everything is measured, nothing is open to strangers, and nothing of it unsettles the next run."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from docker.models.containers import Container

from components.container import BUSYBOX, LABEL_ROLE
from config.dashboards import dashboard_files
from ops import engine
from tests.e2e.alert_faults import MTAIL_STOPPED, REDIS_STOPPED
from tests.e2e.alerted import (
    CHECKS_OF_THE_MACHINE,
    QUIET,
    Scene,
    brought_up_with_inbox,
    fully_monitored,
    of_the_machine,
    suffer_together,
    wait_until_quiet,
)
from tests.e2e.deployed import Deployed
from tests.e2e.deployment import Deployment
from tests.e2e.panels import Prometheus, empty_panels, unknown_names
from tests.e2e.pictures import picture
from tests.recording import ROOT
from tests.samples import settings

PROMETHEUS = 26090
SETTINGS = fully_monitored(PROMETHEUS, "10.89.90.0/24", alertTimeScale="0.1", dashboards="https")
PICTURE_SECONDS = 600
"""How long the time is that `make pictures` draws."""
JOBS = {"prometheus", "alertmanager", "node", "blackbox", "cadvisor", "nginx", "redis", "homeserver", "canary"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    deployment = Deployment(
        stack="monitored-test",
        folder=tmp_path_factory.mktemp("monitored"),
        ports=(26080, 26443, 26448),
        settings=SETTINGS,
    )
    deployment.prepare()
    with brought_up_with_inbox(deployment, PROMETHEUS, SETTINGS["alertTimeScale"]) as made:
        yield made


@pytest.fixture(scope="module")
def stack(scene: Scene) -> Deployed:
    return scene.deployed


def query(expression: str) -> list[dict[str, Any]]:
    """Ask Prometheus where people reach it."""
    result: list[dict[str, Any]] = Prometheus(PROMETHEUS).get("query", query=expression)["result"]
    return result


def settled(expression: str, seconds: float = 180) -> list[dict[str, Any]]:
    """Wait until an expression has a result, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := query(expression)):
        assert time.monotonic() < deadline, f"{expression}: nothing within {seconds} s"
        time.sleep(2)
    return found


def values(expression: str, label: str) -> dict[str, float]:
    return {each["metric"].get(label, ""): float(each["value"][1]) for each in query(expression)}


@pytest.mark.usefixtures("stack")
def test_every_target_is_up() -> None:
    settled(f"count(count by (job) (up)) == {len(JOBS)}")
    settled("min(up) == 1")
    assert set(values("up", "job")) == JOBS


@pytest.mark.usefixtures("stack")
def test_every_probe_gets_the_answer_that_it_expects() -> None:
    expected = {
        "matrix_client",
        "matrix_client_internal",
        "matrix_federation",
        "matrix_federation_key",
        "matrix_well_known",
        "matrix_well_known_server",
    }
    # Each has its own moment: those that were asked first are no proof for the rest.
    settled(f"count(probe_success == 1) == {len(expected)}")
    assert expected == set(values("probe_success", "probe"))


@pytest.mark.usefixtures("stack")
def test_what_people_write_can_be_read() -> None:
    settled("matrix_canary_success == 1")


def test_every_service_is_known_by_name_with_its_health_and_its_memory(stack: Deployed) -> None:
    names = {str(each.name) for each in stack.deployment.containers() if each.labels[LABEL_ROLE] == "service"}
    settled(f"count(matrix_container_health == 1) == {len(names)}")
    assert set(values("matrix_container_health", "name")) == names
    settled(f"count(matrix:container_memory_working_set_bytes > 0) == {len(names)}")
    assert set(values("matrix:container_memory_working_set_bytes", "name")) == names


@pytest.mark.usefixtures("stack")
def test_the_disks_that_matter_are_watched() -> None:
    settled("node_filesystem_avail_bytes")
    assert set(values("node_filesystem_avail_bytes", "mountpoint")) == {"/fs/data", "/fs/system"}


def test_a_request_is_counted(stack: Deployed) -> None:
    before = sum(values("nginx_http_responses_total", "status").values())
    stack.new_account()
    settled(f"sum(nginx_http_responses_total) > {before}")


def test_every_panel_of_the_dashboards_has_data(stack: Deployed) -> None:
    person = stack.new_account()
    room = stack.matrix.new_room(person)
    files = dashboard_files(settings("monitored-test", **SETTINGS))
    prometheus, begin = Prometheus(PROMETHEUS), time.time()
    assert empty_panels(prometheus, files, lambda: stack.matrix.say_something(person, room)) == []
    if os.environ.get("WRITE_PICTURES") == "1":
        while (end := time.time()) < begin + PICTURE_SECONDS:
            stack.matrix.say_something(person, room)
            time.sleep(5)
        for name, text in files.items():
            drawn = picture(text, prometheus, begin=begin, end=end)
            (ROOT / "docs" / "pictures" / name).with_suffix(".svg").write_text(drawn, encoding="utf-8")


@pytest.mark.usefixtures("stack")
def test_the_dashboards_of_conduit_ask_for_what_every_stack_has() -> None:
    # Conduit tells nothing of itself, and its image cannot be had everywhere.
    files = dashboard_files(settings("monitored-test", **{**SETTINGS, "homeserver": "conduit"}))
    assert unknown_names(Prometheus(PROMETHEUS), files) == []


def test_only_the_watchdog_fires(scene: Scene) -> None:
    # With shorter durations than are shipped, what was not measured yet when Prometheus started has fired.
    wait_until_quiet(scene)
    firing = [
        (str(each["labels"]["alertname"]), each["labels"]) for each in scene.alerts() if each["state"] == "firing"
    ]
    assert {name for name, labels in firing if not of_the_machine(scene, name, labels)} == QUIET


def test_prometheus_is_reached_on_loopback_and_through_nginx_with_the_password_only(stack: Deployed) -> None:
    for each in stack.deployment.containers():
        for port, bindings in (each.ports or {}).items():
            for binding in bindings or ():
                assert binding["HostIp"] == "127.0.0.1", f"{each.name} {port}"
    printed = stack.deployment.make("dashboards").stdout
    page = "/_dashboards/prometheus"
    assert f"{stack.matrix.url}{page}/" in printed
    assert "There is no Grafana" in printed
    password = stack.deployment.pulumi("config", "get", "dashboardsPassword").stdout.strip()
    assert password not in printed

    def status(path: str, password: str, name: str = "admin", base: str = "") -> int:
        return stack.matrix.ask("GET", path, auth=(name, password), base=base).status_code

    query = f"{page}/api/v1/query?query=up"
    assert stack.matrix.ask("GET", query).status_code == status(query, "") == status(query, "wrong") == 401
    assert status(query, password, name="other") == 401
    assert status(query, password) == 200
    assert status(f"{page}/", password) == 302, "to the page that it has there"
    assert status(stack.matrix.ask("GET", f"{page}/", auth=("admin", password)).headers["Location"], password) == 200
    assert status("/_dashboards/grafana/", password) == status("/_dashboards/", password) == 404
    # Neither other homeservers nor who comes without TLS.
    federation = f"https://localhost:{stack.deployment.ports[2]}"
    assert status(query, password, base=federation) == 404
    plain = stack.matrix.ask("GET", query, base=f"http://localhost:{stack.deployment.ports[0]}")
    assert plain.status_code == 301


def test_somebody_who_guesses_the_password_is_slowed_down_and_hinders_nobody_else(stack: Deployed) -> None:
    def guess(number: int) -> int:
        return stack.matrix.ask("GET", "/_dashboards/prometheus/", auth=("admin", str(number))).status_code

    with ThreadPoolExecutor(8) as guessers:
        assert set(guessers.map(guess, range(400))) == {401, 429}
    assert stack.matrix.ask("GET", "/_matrix/client/versions").status_code == 200


def test_nothing_of_it_changes_at_the_next_run(stack: Deployed) -> None:
    stack.deployment.pulumi("preview", "--expect-no-changes", "--refresh")


def test_status_tells_people_and_machines_the_same_with_what_was_measured(stack: Deployed) -> None:
    lines = stack.deployment.make("status", check=False).stdout.splitlines()
    told = json.loads(stack.deployment.make("status", check=False, JSON="1").stdout)
    assert "\x1b" not in "".join(lines), "no colours when piped"
    assert (told["version"], told["stack"]) == (1, stack.deployment.stack)
    shown = [re.split(r"  +", line, maxsplit=2)[1] for line in lines if "-> " not in line]
    states = {check["what"]: check["state"] for check in told["checks"]}
    assert told["works"] == ("fail" not in states.values())
    assert {"containers", "health", "measured", "disk", "writes", "certificate"} <= set(states)
    ours = [what for what in states if not CHECKS_OF_THE_MACHINE.fullmatch(what)]
    assert [what for what in shown if not CHECKS_OF_THE_MACHINE.fullmatch(what)] == ours
    assert {what: states[what] for what in ours if states[what] != "ok"} == {}


def test_people_are_told_of_a_fault_and_that_it_is_over_and_of_nothing_else(scene: Scene) -> None:
    # Those of every alert: `make alert-faults`.
    suffer_together(scene, [[REDIS_STOPPED], [MTAIL_STOPPED]])
    assert scene.inbox.beats, "the dead-man's switch heard nothing"


def becomes(stack: Deployed, status: int, word: str, seconds: float = 120) -> None:
    """Wait until machines are told so."""
    deadline = time.monotonic() + seconds
    while True:
        answer = stack.matrix.ask("GET", "/health")
        if (answer.status_code, answer.json()) == (status, {"status": word}):
            return
        assert time.monotonic() < deadline, f"{answer.status_code} {answer.text}"
        time.sleep(1)


def test_machines_are_told_whether_all_is_well(stack: Deployed) -> None:
    nginx, canary = stack.deployment.container("nginx"), stack.deployment.container("canary")
    homeserver = stack.deployment.container(stack.homeserver)
    becomes(stack, 200, "ok")
    homeserver.stop(timeout=30)
    becomes(stack, 503, "failing", 5)
    status = stack.deployment.make("status", check=False, JSON="1")
    assert status.returncode != 0
    told = {check["what"]: check for check in json.loads(status.stdout)["checks"]}
    assert told["health"]["state"] == told[homeserver.name]["state"] == "fail"
    assert "docker logs" in told[homeserver.name]["remedy"]
    homeserver.start()
    becomes(stack, 200, "ok")
    canary.stop()
    becomes(stack, 503, "unknown", 10)
    nginx.reload()
    assert engine.health(nginx) == "healthy", "it is not its fault"
    canary.start()
    becomes(stack, 200, "ok")


def test_what_watches_the_disk_reads_nothing_of_it(stack: Deployed) -> None:
    code, output = engine.execute(stack.deployment.container("canary"), [BUSYBOX, "ls", "/fs/data"])
    assert code != 0
    assert "Permission denied" in output


def test_status_leaves_no_process_behind_in_what_it_asks(stack: Deployed) -> None:
    stack.deployment.make("status", check=False)
    for name in ("prometheus", "canary"):
        container = stack.deployment.container(name)
        deadline = time.monotonic() + 30
        # Health checks come and go; a dead process that nobody buries stays.
        while left := asking(container):
            assert time.monotonic() < deadline, left
            time.sleep(1)


def asking(container: Container) -> list[str]:
    """Return busybox' processes in a container, but for the one that lists them."""
    code, listed = engine.execute(container, [BUSYBOX, "ps", "-o", "pid,stat,args"])
    assert code == 0, listed
    return [line for line in listed.splitlines() if "busybox" in line and " ps -o " not in line]


def test_every_service_ends_when_it_is_told_to(stack: Deployed) -> None:
    # The last test: otherwise a `make down`, or a host that is shut down, waits for each of them and then kills it.
    services = [each for each in stack.deployment.containers() if each.labels[LABEL_ROLE] == "service"]
    for each in services:
        each.stop(timeout=30)
        each.reload()
    killed = 128 + signal.SIGKILL
    assert [each.name for each in services if each.attrs["State"]["ExitCode"] == killed] == []
