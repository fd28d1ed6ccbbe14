"""What the Docker engine says of the deployed containers, and where secrets do not stand."""

from __future__ import annotations

import json
from pathlib import Path

from docker.models.containers import Container

from components.container import LABEL_ROLE
from components.services.node_exporter.component import SYSTEM_FILE
from config.catalogue import project_root, recipe_tag
from config.homeservers import HOMESERVERS
from tests.e2e.conftest import figure
from tests.e2e.deployed import Deployed
from tests.samples import LITE
from tests.services.conftest import execute


def monitored(deployed: Deployed) -> bool:
    """Return whether the stack is monitored: `make up` decides it where the config does not say."""
    return deployed.deployment.settings.get("monitoring") == ""


def service_of(deployed: Deployed, container: Container) -> str:
    return str(container.name).removeprefix(f"matrix-{deployed.deployment.stack}-")


def services(deployed: Deployed) -> list[Container]:
    return [each for each in deployed.deployment.containers() if each.labels[LABEL_ROLE] == "service"]


def test_every_container_runs_hardened(deployed: Deployed) -> None:
    found = services(deployed)
    watching = LITE if monitored(deployed) else ()
    assert {service_of(deployed, each) for each in found} == {deployed.homeserver, "nginx", "redis", *watching}
    for each in found:
        host = each.attrs["HostConfig"]
        assert host["ReadonlyRootfs"] is True, each.name
        assert host["CapDrop"] == ["ALL"], each.name
        assert not host["CapAdd"], each.name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], each.name
        assert not host["Privileged"], each.name
        assert not host["Binds"], f"{each.name} mounts a folder of the machine"
        mounts = {mount["Source"] for mount in each.attrs["Mounts"] if mount["Type"] != "volume"}
        assert mounts == ({SYSTEM_FILE} if service_of(deployed, each) == "node-exporter" else set()), each.name
        assert host["Memory"] == host["MemorySwap"] > 0, each.name
        assert host["NanoCpus"] > 0, each.name
        assert host["RestartPolicy"]["Name"] == "unless-stopped", each.name
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}, each.name
        assert int(each.attrs["Config"]["User"].partition(":")[0]) >= 1000, each.name


def test_processes_run_as_the_user_of_their_service_without_any_right(deployed: Deployed) -> None:
    for each in services(deployed):
        status = Path(f"/proc/{each.attrs['State']['Pid']}/status").read_text(encoding="utf-8")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        user = each.attrs["Config"]["User"].partition(":")[0]
        assert set(fields["Uid"].split()) == {user}, each.name
        assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0, each.name
        assert fields["NoNewPrivs"] == "1", each.name


def test_only_what_people_reach_is_published_and_only_on_loopback(deployed: Deployed) -> None:
    published = {
        (service_of(deployed, each), binding["HostIp"], int(binding["HostPort"]))
        for each in deployed.deployment.containers()
        for bindings in each.ports.values()
        for binding in bindings or ()
    }
    expected = {("nginx", "127.0.0.1", port) for port in deployed.deployment.ports}
    if monitored(deployed):
        expected.add(("prometheus", "127.0.0.1", int(deployed.deployment.settings["prometheusPort"])))
    assert published == expected


def test_redis_is_on_the_network_without_a_way_out_and_asks_for_its_password(deployed: Deployed) -> None:
    redis = deployed.deployment.container("redis")
    (network,) = redis.attrs["NetworkSettings"]["Networks"]
    assert deployed.deployment.client.networks.get(network).attrs["Internal"] is True
    assert "NOAUTH" in execute(redis, "redis-cli", "ping")[1]


def test_synapse_uses_redis_and_the_others_do_not(homeserver: Deployed) -> None:
    redis = homeserver.deployment.container("redis")
    command = 'REDISCLI_AUTH="$(cat /config/secrets/password)" redis-cli client list'
    _, output = execute(redis, "sh", "-c", command)
    others = [line for line in output.splitlines() if "addr=127.0.0.1" not in line]
    assert any(" sub=" in line and " sub=0 " not in line for line in others) is homeserver.expected.uses_redis


def test_data_can_be_read_by_its_service_only(deployed: Deployed) -> None:
    user = HOMESERVERS[deployed.homeserver].user
    volume = f"matrix-{deployed.deployment.stack}-{deployed.homeserver}-data"
    shown = deployed.deployment.client.containers.run(
        recipe_tag("toolbox", project_root()),
        ["stat", "-c", "%u %a", "/data"],
        volumes={volume: {"bind": "/data", "mode": "ro"}},
        user="0",
        remove=True,
    )
    assert shown.decode().split() == [str(user), "700"]


def test_secrets_are_nowhere_in_clear(deployed: Deployed) -> None:
    deployment = deployed.deployment
    secrets = deployment.secrets()
    assert len(secrets) >= 2
    places = {f"docker inspect {each.name}": json.dumps(each.attrs) for each in deployment.containers()}
    places |= {f"docker logs {each.name}": each.logs().decode(errors="replace") for each in deployment.containers()}
    places |= {
        str(path): path.read_text(encoding="utf-8", errors="replace")
        for path in [deployment.config_file, *(deployment.folder / ".state").rglob("*")]
        if path.is_file()
    }
    places["what the commands printed"] = "\n".join(deployment.printed)
    places["make outputs"] = deployment.make("outputs").stdout
    assert any("pulumi/stacks" in each or ".pulumi" in each for each in places), "the state was not looked at"
    for place, text in places.items():
        assert not [name for name, secret in secrets.items() if secret in text], place
        assert "PRIVATE KEY" not in text, place


def test_what_the_containers_take(deployed: Deployed) -> None:
    """Not a check but figures: memory at rest against the limit."""
    for each in services(deployed):
        used = sum(_resident(pid) for pid in _processes(str(each.id)))
        limit = each.attrs["HostConfig"]["Memory"] >> 20
        assert 0 < used < limit, each.name
        figure(f"{each.name}: {used} MiB resident of {limit}")


def _processes(container: str) -> list[Path]:
    return [path.parent for path in Path("/proc").glob("[0-9]*/cgroup") if container in _text(path)]


def _resident(process: Path) -> int:
    line = next((each for each in _text(process / "status").splitlines() if each.startswith("VmRSS")), "VmRSS: 0 kB")
    return int(line.split()[1]) >> 10


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:  # the process has ended
        return ""
