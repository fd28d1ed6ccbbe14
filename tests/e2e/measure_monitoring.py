"""What the monitoring costs, and whether it is quiet where all is well: measured by `make load`, not by `make test`.

Ten minutes in which people use a monitored stack as fast as it answers; then the same people with and without
monitoring, in turn. The figures go into docs/monitoring.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest

from config.scraping import SCRAPE_INTERVAL
from tests.e2e.alerted import Scene, brought_up_with_inbox, fully_monitored, of_the_machine
from tests.e2e.deployed import Deployed
from tests.e2e.deployment import Deployment
from tests.e2e.load import people
from tests.e2e.matrix import Account
from tests.e2e.panels import Prometheus
from tests.recording import ROOT

PROMETHEUS = 24590
PEOPLE = 4
REGISTRATION_SECONDS = 10.0
"""Between two accounts: nobody may guess tokens faster."""
QUIET_SECONDS = 600
WARM_UP_SECONDS = 20
TURN_SECONDS = 60
TURNS = ("off", "full", "full", "off")
"""Each as often first as second: what grows with the data is the same for both."""
DOCUMENT = ROOT / "docs" / "monitoring.md"
MEBI = 1 << 20


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    deployment = Deployment(
        stack="load-test",
        folder=tmp_path_factory.mktemp("load"),
        ports=(24580, 24543, 24548),
        settings=fully_monitored(PROMETHEUS, "10.89.95.0/24"),
    )
    deployment.prepare()
    with brought_up_with_inbox(deployment, PROMETHEUS, "1") as made:
        yield made


def newcomers(stack: Deployed) -> tuple[list[Account], str]:
    """Return people who are in one room."""
    accounts = []
    for _ in range(PEOPLE):
        accounts.append(stack.new_account())
        time.sleep(REGISTRATION_SECONDS)
    matrix = stack.matrix
    invited = {"json": {"invite": [each.user_id for each in accounts[1:]]}, "token": accounts[0].access_token}
    room = str(matrix.ask("POST", "/_matrix/client/v3/createRoom", **invited).json()["room_id"])  # type: ignore[arg-type]
    for each in accounts[1:]:
        assert matrix.ask("POST", f"/_matrix/client/v3/join/{room}", json={}, token=each.access_token).ok
    return accounts, room


def by_name(prometheus: Prometheus, expression: str) -> dict[str, float]:
    found = prometheus.get("query", query=expression)["result"]
    return {each["metric"].get("name", ""): float(each["value"][1]) for each in found}


def all_up(prometheus: Prometheus) -> None:
    """Wait until everything is measured."""
    deadline = time.monotonic() + 180
    while not prometheus.has_data("min(up) == 1 and min(probe_success) == 1 and min(matrix_canary_success) == 1"):
        assert time.monotonic() < deadline, prometheus.get("query", query="up == 0")["result"]
        time.sleep(2)


def rate(stack: Deployed, accounts: list[Account], room: str) -> float:
    """Return how many requests a second are answered."""
    with people(stack.matrix, accounts, room):
        time.sleep(WARM_UP_SECONDS)
    started = time.monotonic()
    with people(stack.matrix, accounts, room) as load:
        time.sleep(TURN_SECONDS)
    assert not load.failed
    return load.answered / (time.monotonic() - started)


@pytest.fixture(scope="module")
def circle(scene: Scene) -> tuple[list[Account], str]:
    return newcomers(scene.deployed)


def test_nobody_is_told_of_anything_while_people_use_it(scene: Scene, circle: tuple[list[Account], str]) -> None:
    prometheus, inbox = scene.prometheus, scene.inbox
    all_up(prometheus)
    with people(scene.deployed.matrix, *circle) as load:
        time.sleep(QUIET_SECONDS)
    assert not load.failed
    window = f"[{QUIET_SECONDS}s]"
    assert prometheus.get("query", query=f"min_over_time(up{window}) == 0")["result"] == []
    assert [each for each in inbox.messages if not of_the_machine(scene, each.name, each.labels)] == []
    assert inbox.beats, "the dead-man's switch heard nothing"
    memory = by_name(prometheus, f"max_over_time(matrix:container_memory_working_set_bytes{window})")
    limits = by_name(prometheus, "matrix:container_spec_memory_limit_bytes")
    told = (
        f"{QUIET_SECONDS // 60} minutes in which {PEOPLE} people asked as fast as they were answered ({load.answered} "
        f"requests, none failed):\n"
        f"every target was up at each of {QUIET_SECONDS // SCRAPE_INTERVAL} scrapes, and nobody was told of anything; "
        "the dead-man's switch had its beats.\n"
    )
    write("quiet", [told, *memory_table(scene.deployed.deployment.stack, memory, limits)])


def test_what_monitoring_costs(scene: Scene, circle: tuple[list[Account], str]) -> None:
    stack = scene.deployed
    rates: dict[str, list[float]] = {"off": [], "full": []}
    stack.deployment.configure("alerts", "")  # without monitoring there are none
    for level in TURNS:
        stack.deployment.configure("monitoring", level)
        stack.deployment.make("up")
        if level != "off":
            all_up(scene.prometheus)
        rates[level].append(rate(stack, *circle))
    mean = {level: sum(each) / len(each) for level, each in rates.items()}
    turns = ", ".join(f"{level} {rates[level][TURNS[:index].count(level)]:.0f}" for index, level in enumerate(TURNS))
    told = (
        f"With monitoring the same people were answered {mean['full'] / mean['off']:.0%} of the requests that they "
        f"were answered without, on the\nsame two cores as they themselves, in turns of {TURN_SECONDS} s "
        f"(requests a second, in this order: {turns})."
    )
    write("cost", [told])


def memory_table(stack: str, memory: dict[str, float], limits: dict[str, float]) -> Sequence[str]:
    """Return the memory of what belongs to the monitoring beside what it may use."""
    ours = {name.removeprefix(f"matrix-{stack}-"): name for name in memory}
    parts = sorted(set(ours) - {"synapse", "nginx", "redis"})
    rows = [f"| {part} | {memory[ours[part]] / MEBI:.0f} | {limits[ours[part]] / MEBI:.0f} |" for part in parts]
    used, allowed = (sum(each[ours[part]] for part in parts) / MEBI for each in (memory, limits))
    return [
        "| part | MiB used at most | MiB allowed |",
        "| --- | --- | --- |",
        *rows,
        f"| **together** | **{used:.0f}** | **{allowed:.0f}** |",
    ]


def write(name: str, lines: Sequence[str]) -> None:
    """Put figures in the place of the old ones."""
    begin, end = f"<!-- {name}: written by `make load` -->\n", f"\n<!-- end of {name} -->"
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(begin)
    assert rest, f"{DOCUMENT.name} has no {name}"
    _, _, after = rest.partition(end)
    DOCUMENT.write_text("\n".join([before + begin, *lines, ""]) + end + after, encoding="utf-8")
