"""The parts of the monitoring that tell from inside: mtail, Redis exporter, cAdvisor, Docker facts."""

from __future__ import annotations

import re
import uuid

import pytest
from docker.models.containers import Container
from docker.models.networks import Network
from docker.models.volumes import Volume

from components.container import LABEL_ROLE, LABEL_STACK
from components.services.cadvisor import component as cadvisor_component
from components.services.cadvisor.render import CONTROL_GROUPS
from components.services.cadvisor.render import render_command as cadvisor_command
from components.services.facts.component import PROGRAM
from components.services.mtail import component as mtail_component
from components.services.mtail.render import render_command as mtail_command
from components.services.mtail.render import render_files as mtail_files
from components.services.redis.component import USER as REDIS_USER
from components.services.redis.render import RedisConfig, render_users
from components.services.redis.render import render_files as redis_files
from components.services.redis_exporter import component as exporter_component
from components.services.redis_exporter.render import render_command as exporter_command
from components.services.redis_exporter.render import render_passwords
from components.templates import program
from config.scraping import LOG_MOUNT, LOG_SOCKET
from tests.services.conftest import Bench, execute
from tests.services.test_nginx import nginx_config
from tests.services.test_prometheus import metrics, start, until

PASSWORD = "Made-up-password-0123456789"  # noqa: S105


@pytest.fixture(scope="module")
def probe(bench: Bench) -> Volume:
    """The volume with busybox that every service has."""
    volume = bench.volume({}, 0)
    mounted = {volume.name: {"bind": "/probe", "mode": "rw"}}
    bench.run("toolbox", ["cp", "/bin/busybox", "/probe/busybox"], user="0", volumes=mounted)
    return volume


@pytest.fixture(scope="module")
def log(bench: Bench) -> Volume:
    volume = bench.volume({}, 0)
    user = mtail_component.USER
    mounted = {volume.name: {"bind": "/log", "mode": "rw"}}
    bench.run("toolbox", ["chown", f"{user}:{user}", "/log"], user="0", volumes=mounted)
    return volume


@pytest.fixture(scope="module")
def nginx(bench: Bench, network: Network, log: Volume, self_signed: tuple[str, str]) -> Container:
    """Nginx, which is there before mtail listens."""
    config = bench.volume(nginx_config("127.0.0.1:1", self_signed, log_socket=LOG_SOCKET), 2100)
    return start(
        bench,
        network,
        "nginx",
        "nginx",
        ["nginx", "-e", "stderr", "-c", "/config/nginx.conf", "-g", "daemon off;"],
        user="2100:2100",
        volumes={
            config.name: {"bind": "/config", "mode": "ro"},
            log.name: {"bind": LOG_MOUNT, "mode": "ro"},
        },
    )


@pytest.fixture(scope="module")
def mtail(bench: Bench, network: Network, nginx: Container, log: Volume, probe: Volume) -> Container:
    assert nginx
    user = mtail_component.USER
    executable, *command = mtail_command(mtail_component.PORT, "/config", LOG_SOCKET, "/probe/busybox")
    config = bench.volume(mtail_files(), user)
    return start(
        bench,
        network,
        "mtail",
        mtail_component.ALIAS,
        command,
        entrypoint=[executable],
        user=f"{user}:{user}",
        mem_limit="48m",
        volumes={
            config.name: {"bind": "/config", "mode": "ro"},
            log.name: {"bind": LOG_MOUNT, "mode": "rw"},
            probe.name: {"bind": "/probe", "mode": "ro"},
        },
    )


def ask(asker: Container, method: str) -> None:
    """Send a request without TLS; Nginx answers it with a redirect or refuses it."""
    request = (
        f"{method} /some/path?access_token=secret HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n"
    )
    code, output = execute(asker, "sh", "-c", f"printf '{request}' | busybox nc nginx 8080")
    assert code == 0, output


def counted(asker: Container) -> dict[str, float]:
    text = metrics(asker, f"{mtail_component.ALIAS}:{mtail_component.PORT}/metrics")
    found = re.findall(r"^(nginx_http_\S+) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def responses(method: str, status: int) -> str:
    return f'nginx_http_responses_total{{method="{method}",status="{status}",vhost="localhost"}}'


def test_answers_are_counted_by_status_and_known_method(mtail: Container, asker: Container) -> None:
    until(lambda: counted(asker) or True, mtail)
    before = counted(asker).get(responses("GET", 301), 0)
    for method in ("GET", "GET", "BREW"):
        ask(asker, method)
    until(lambda: counted(asker).get(responses("GET", 301), 0) == before + 2, mtail)
    # A client's own words are no labels: each would be a series that never ends.
    until(lambda: counted(asker).get(responses("OTHER", 301), 0) >= 1, mtail)
    assert 'nginx_http_request_duration_seconds_bucket{vhost="localhost",le="0.1"}' in counted(asker)
    assert counted(asker)['nginx_http_response_bytes_total{vhost="localhost"}'] > 0


def test_nothing_of_a_request_is_in_the_metrics(mtail: Container, asker: Container) -> None:
    ask(asker, "GET")
    text = until(lambda: metrics(asker, f"{mtail_component.ALIAS}:{mtail_component.PORT}/metrics"), mtail)
    for word in ("secret", "some/path", "BREW"):
        assert word not in text


def test_nginx_goes_on_counting_when_mtail_was_killed(mtail: Container, asker: Container, nginx: Container) -> None:
    mtail.kill()
    ask(asker, "GET")
    mtail.start()
    until(lambda: counted(asker) or True, mtail)

    def some() -> bool:
        ask(asker, "GET")
        return counted(asker).get(responses("GET", 301), 0) > 0

    assert until(some, nginx)


@pytest.fixture(scope="module")
def redis(bench: Bench, network: Network) -> Container:
    config = RedisConfig(port=6379, maxmemory=20 * 2**20, policy="allkeys-lru")
    volume = bench.volume({**redis_files(config), "secrets/users.conf": render_users(PASSWORD)}, REDIS_USER)
    data = bench.volume({}, REDIS_USER)
    owner, mounted = f"{REDIS_USER}:{REDIS_USER}", {data.name: {"bind": "/data", "mode": "rw"}}
    bench.run("toolbox", ["chown", owner, "/data"], user="0", volumes=mounted)
    return start(
        bench,
        network,
        "redis",
        "redis",
        ["redis-server", "/config/redis.conf"],
        user=f"{REDIS_USER}:{REDIS_USER}",
        working_dir="/tmp",  # noqa: S108 (in the container)
        volumes={volume.name: {"bind": "/config", "mode": "ro"}, data.name: {"bind": "/data", "mode": "rw"}},
    )


@pytest.fixture(scope="module")
def redis_exporter(bench: Bench, network: Network, redis: Container) -> Container:
    assert redis
    user = exporter_component.USER
    volume = bench.volume({"passwords.json": render_passwords("redis:6379", PASSWORD)}, user)
    return start(
        bench,
        network,
        "redis-exporter",
        exporter_component.ALIAS,
        [*exporter_command(exporter_component.PORT, "redis:6379", "/config/passwords.json")],
        entrypoint=["/redis_exporter"],
        user=f"{user}:{user}",
        mem_limit="32m",
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
    )


def test_redis_is_told_of_and_its_password_is_not(
    redis_exporter: Container, asker: Container, redis: Container
) -> None:
    address = f"{exporter_component.ALIAS}:{exporter_component.PORT}/metrics"
    text = until(lambda: metrics(asker, address), redis_exporter)
    assert "\nredis_up 1\n" in text
    assert "\nredis_memory_used_bytes " in text
    assert PASSWORD not in text
    assert PASSWORD not in redis_exporter.logs().decode()
    redis.stop(timeout=5)
    until(lambda: "\nredis_up 0\n" in metrics(asker, address), redis_exporter)


@pytest.fixture(scope="module")
def cadvisor(bench: Bench, network: Network) -> Container:
    user = cadvisor_component.USER
    return start(
        bench,
        network,
        "cadvisor",
        cadvisor_component.ALIAS,
        [*cadvisor_command(cadvisor_component.PORT)],
        entrypoint=["/usr/bin/cadvisor"],
        user=f"{user}:{user}",
        mem_limit="96m",
        volumes={"/sys": {"bind": "/sys", "mode": "ro"}},
    )


def test_containers_are_measured_by_id_and_nothing_else_is(cadvisor: Container, asker: Container) -> None:
    address = f"{cadvisor_component.ALIAS}:{cadvisor_component.PORT}/metrics"
    own = str(asker.id)

    def measured() -> str:
        found = metrics(asker, address)
        return found if own in found else ""

    text = until(measured, cadvisor)
    for name in (
        "container_memory_working_set_bytes",
        "container_spec_memory_limit_bytes",
        "container_cpu_usage_seconds_total",
    ):
        assert re.search(rf'^{name}{{[^}}]*id="[^"]*{own}[^"]*"', text, re.MULTILINE), name
    (limit,) = re.findall(rf"^container_spec_memory_limit_bytes{{[^}}]*{cadvisor.id}[^}}]*}} (\S+)", text, re.MULTILINE)
    assert float(limit) == 96 * 2**20
    ids = set(re.findall(r'[{,]id="([^"]+)"', text))
    assert all(each == "/" or each.startswith(CONTROL_GROUPS) for each in ids)


@pytest.fixture(scope="module")
def stack() -> str:
    return f"services-{uuid.uuid4().hex[:8]}-test"


@pytest.fixture(scope="module")
def textfiles(bench: Bench) -> Volume:
    return bench.volume({}, 0)


@pytest.fixture(scope="module")
def facts(bench: Bench, stack: str, textfiles: Volume) -> Container:
    root = bench.client.info()["DockerRootDir"]
    config = bench.volume({PROGRAM: program("facts", PROGRAM)}, 0)
    return bench.container(
        "python",
        ["-u", f"/config/{PROGRAM}"],
        entrypoint=["python3"],
        user="0:0",
        network_mode="none",
        cap_add=["SYSLOG"],
        devices=["/dev/kmsg:/dev/kmsg:r"],
        environment={"STACK": stack},
        mem_limit="48m",
        volumes={
            config.name: {"bind": "/config", "mode": "ro"},
            f"{root}/containers": {"bind": "/docker/containers", "mode": "ro"},
            textfiles.name: {"bind": "/textfiles", "mode": "rw"},
        },
    )


@pytest.fixture(scope="module")
def reader(bench: Bench, textfiles: Volume) -> Container:
    """Somebody who is not root, as the node exporter is not."""
    mounted = {textfiles.name: {"bind": "/textfiles", "mode": "ro"}}
    return bench.container("toolbox", ["busybox", "sleep", "3600"], network_mode="none", user="1000", volumes=mounted)


def test_health_restarts_and_kills_of_real_containers_are_told(
    bench: Bench, facts: Container, reader: Container, stack: str
) -> None:
    labels = {LABEL_STACK: stack, LABEL_ROLE: "service"}
    # Takes more memory than it may; Docker starts it again and again.
    glutton = bench.container(
        "toolbox",
        ["sh", "-c", "sleep 1; busybox tail /dev/zero"],
        network_mode="none",
        labels=labels,
        mem_limit="16m",
        memswap_limit="16m",
        restart_policy={"Name": "unless-stopped"},
    )
    quiet = bench.container("toolbox", ["busybox", "sleep", "3600"], network_mode="none", labels=labels)

    def told(metric: str, container: Container) -> float:
        _, text = execute(reader, "cat", "/textfiles/containers.prom")
        found = re.search(rf'^{metric}{{[^}}]*name="{container.name}"}} (\S+)$', text, re.MULTILINE)
        return float(found[1]) if found else -1

    assert until(lambda: told("matrix_container_restarts_total", glutton) > 0, facts, 90)
    assert until(lambda: told("matrix_container_oom_kills_total", glutton) > 0, facts, 90)
    assert told("matrix_container_oom_kills_total", quiet) == 0
    assert told("matrix_container_restarts_total", quiet) == 0
    assert told("matrix_container_info", quiet) == 1
    _, text = execute(reader, "cat", "/textfiles/containers.prom")
    assert str(quiet.id) in text
    assert "matrix_container_oom_source 1" in text
    quiet.stop(timeout=1)
    assert until(lambda: told("matrix_container_health", quiet) == 0, facts, 60)
