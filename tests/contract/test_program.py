"""What holds for every resource the program declares, whatever the settings are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from components.container import REPLACE_ON_CHANGES
from tests.recording import ROOT, UNKNOWN, Recording, Registration, is_sealed, record, unseal
from tests.samples import LOCAL, SECRETS

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
IMAGE = "docker:index/remoteImage:RemoteImage"
NETWORK = "docker:index/network:Network"

STACKS: Mapping[str, Mapping[str, str]] = {
    "conduit": {},
    "conduit-from-packages": {"imageSource": "packages"},
    "synapse": {"homeserver": "synapse", "imageSource": "packages"},
    "synapse-from-registry": {"homeserver": "synapse", "registryPrefix": "mirror.example"},
    "dendrite": {"homeserver": "dendrite", "imageSource": "packages"},
    "acme-http": {"certificates": "acme-http", "acmeDirectory": "https://ca.example.com/dir"},
    "acme-dns": {
        "certificates": "acme-dns",
        "serverName": "example.com",
        "matrixHost": "matrix.example.com",
        "imageSource": "packages",
        "deleteProtection": "false",
    },
    "closed": {"homeserver": "synapse", "registration": "closed", "federation": "false", "redis": "false"},
    "calls": {"turn": "true"},
    "monitored-lite": {"monitoring": "lite"},
    "monitored": {
        "homeserver": "synapse",
        "imageSource": "packages",
        "tier": "2C4G",
        "monitoring": "full",
        "alerts": "dingtalk,wecom,feishu,webhook,heartbeat",
    },
    "monitored-dendrite": {"homeserver": "dendrite", "tier": "2C4G", "monitoring": "full"},
    "other-place": {
        "serverName": "example.com",
        "matrixHost": "matrix.example.com",
        "bindAddress": "0.0.0.0",
        "httpPort": "8080",
        "httpsPort": "8443",
        "federationPort": "18448",
        "subnet": "10.90.0.0/16",
        "tier": "4C8G",
        "deleteProtection": "false",
        "uploadLimit": "100 MiB",
    },
}


@pytest.fixture(params=sorted(STACKS), scope="module")
def recording(request: pytest.FixtureRequest) -> Recording:
    return record({**LOCAL, **STACKS[request.param]}, SECRETS)


def services(recording: Recording) -> list[Registration]:
    return [each for each in recording.of_type(CONTAINER) if each.inputs["restart"] != "no"]


def one_shots(recording: Recording) -> list[Registration]:
    return [each for each in recording.of_type(CONTAINER) if each.inputs["restart"] == "no"]


def test_every_resource_has_a_component_as_parent(recording: Recording) -> None:
    for each in recording.registrations.values():
        parent = recording.registrations.get(each.parent)
        if parent is None:
            assert not each.custom, f"{each.urn} stands at the root"
        else:
            assert not parent.custom, each.urn


def test_every_component_registers_its_outputs_once_and_after_its_children(recording: Recording) -> None:
    components = [each for each in recording.registrations.values() if not each.custom]
    for component in components:
        assert len(recording.component_outputs[component.urn]) == 1, component.urn


def test_docker_resources_use_the_declared_docker_engine(recording: Recording) -> None:
    (engine,) = recording.of_type("pulumi:providers:docker")
    for each in recording.registrations.values():
        if each.type.startswith("docker:"):
            assert each.provider.startswith(engine.urn), each.urn


def test_names_of_containers_volumes_and_networks_begin_with_the_stack(recording: Recording) -> None:
    for type_ in (CONTAINER, VOLUME, NETWORK):
        for each in recording.of_type(type_):
            assert str(each.inputs["name"]).startswith("matrix-local-"), each.urn
            assert {"label": "matrix.stack", "value": "local"} in each.inputs["labels"], each.urn


def test_containers_are_hardened(recording: Recording) -> None:
    for each in recording.of_type(CONTAINER):
        inputs = each.inputs
        assert inputs["capabilities"]["drops"] == ["ALL"], each.name
        assert inputs["securityOpts"] == ["no-new-privileges:true"], each.name
        assert "privileged" not in inputs, each.name
        assert {limit["name"] for limit in inputs["ulimits"]} == {"nofile", "nproc"}, each.name
        assert inputs["memory"] == inputs["memorySwap"] > 0, each.name
        assert float(inputs["cpus"]) > 0, each.name
        assert inputs["logDriver"] == "json-file", each.name
        assert set(inputs["logOpts"]) == {"max-size", "max-file"}, each.name
        assert inputs["stopSignal"] == "SIGTERM", each.name


def test_services_run_as_users_of_their_own_on_a_read_only_root(recording: Recording) -> None:
    users = [each.inputs["user"] for each in services(recording)]
    assert len(set(users)) == len(users)
    for each in services(recording):
        assert each.inputs["readOnly"] is True, each.name
        user, _, group = each.inputs["user"].partition(":")
        if each.name == "facts":
            # It reads files that are root's alone, and the kernel's log: without a network or another right of root's.
            assert each.inputs["user"] == "0:0"
            assert each.inputs["capabilities"]["adds"] == ["CAP_SYSLOG"]
            assert each.inputs["networkMode"] == "none"
            continue
        assert int(user) >= 1000, each.name
        assert int(group) >= 1000, each.name
        # Of coturn's published image it is the program's own; the others have no use for a port below 1024.
        allowed = ["CAP_NET_BIND_SERVICE"] if each.name == "coturn" else None
        assert each.inputs["capabilities"].get("adds") == allowed, each.name
        assert each.inputs["restart"] == "unless-stopped", each.name


def test_services_probe_their_health_and_may_end_in_order(recording: Recording) -> None:
    for each in services(recording):
        assert each.inputs["healthcheck"]["tests"][0] in {"CMD", "CMD-SHELL"}, each.name
        assert each.inputs["wait"] is True, each.name
        assert each.inputs["destroyGraceSeconds"] >= 30, each.name


def test_one_shots_have_only_what_a_seed_needs(recording: Recording) -> None:
    for each in one_shots(recording):
        if each.inputs["user"] == "0:0":
            assert each.inputs["networkMode"] == "none", each.name
            assert set(each.inputs["capabilities"]["adds"]) == {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"}
        else:
            assert "adds" not in each.inputs["capabilities"], each.name


def test_changes_that_the_provider_would_not_carry_out_replace_the_container(recording: Recording) -> None:
    for each in recording.of_type(CONTAINER):
        assert each.replace_on_changes == REPLACE_ON_CHANGES, each.name
        assert each.delete_before_replace is True, each.name
        assert not each.ignore_changes, each.name


def test_a_container_waits_for_its_image_and_its_seed(recording: Recording) -> None:
    seeds = {each.urn for each in one_shots(recording)}
    for each in recording.of_type(CONTAINER):
        assert any("RemoteImage" in urn for urn in each.dependencies), each.name
    for each in services(recording):
        assert each.dependencies & seeds, each.name


def test_only_what_people_reach_publishes_ports_and_pages_of_the_monitoring_on_loopback(recording: Recording) -> None:
    for each in recording.of_type(CONTAINER):
        ports = each.inputs.get("ports", [])
        assert bool(ports) == (each.name in {"nginx", "coturn", "prometheus", "grafana"}), each.name
        assert all(port["ip"] for port in ports)
        if each.name in {"prometheus", "grafana"}:
            assert {port["ip"] for port in ports} == {"127.0.0.1"}


def test_keys_of_the_acme_account_are_out_of_nginx_reach() -> None:
    found = record({**LOCAL, **STACKS["acme-dns"]}, SECRETS)
    nginx, acme = found.named(CONTAINER, "nginx").inputs, found.named(CONTAINER, "acme").inputs
    mounts = {mount["source"]: mount["readOnly"] for mount in nginx["mounts"]}
    assert mounts["matrix-local-certificates-data"] is True
    assert "matrix-local-acme-data" not in mounts
    assert acme["user"].partition(":")[2] == nginx["user"].partition(":")[2]
    uploads = {upload["file"] for upload in found.named(CONTAINER, "nginx-seed").inputs["uploads"]}
    assert not [file for file in uploads if "privkey" in file]


def test_nginx_waits_for_the_acme_client_which_has_something_to_serve_first() -> None:
    found = record({**LOCAL, **STACKS["acme-dns"]}, SECRETS)
    assert found.named(CONTAINER, "acme").urn in found.named(CONTAINER, "nginx").dependencies


@pytest.mark.parametrize(("directory", "checked"), [("letsencrypt", True), ("staging", False)])
def test_who_looks_at_the_certificate_trusts_the_public_cas_unless_it_is_for_trials(
    directory: str, *, checked: bool
) -> None:
    keys = {"tier": "2C4G", "monitoring": "full", "acmeDirectory": directory}
    found = record({**LOCAL, **STACKS["acme-dns"], **keys}, SECRETS)
    for name in ("blackbox-exporter", "canary"):
        uploads = found.named(CONTAINER, f"{name}-seed").inputs["uploads"]
        bundles = [each["content"] for each in uploads if each["file"].endswith("/ca.pem")]
        assert [each.count("BEGIN CERTIFICATE") > 50 for each in bundles] == [True] * checked, name


@pytest.mark.parametrize("level", ["lite", "full"])
def test_prometheus_asks_the_acme_client_on_the_monitoring_network(level: str) -> None:
    found = record({**LOCAL, **STACKS["acme-http"], "tier": "2C4G", "monitoring": level}, SECRETS)
    networks = {each["name"] for each in found.named(CONTAINER, "acme").inputs["networksAdvanced"]}
    assert networks == {"matrix-local-edge", "matrix-local-monitoring"}
    (config,) = [
        yaml.safe_load(upload["content"])
        for upload in found.named(CONTAINER, "prometheus-seed").inputs["uploads"]
        if upload["file"].endswith("/prometheus.yml")
    ]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert targets["acme"] == ["acme:9402"]


def test_data_volumes_and_keys_are_protected_unless_said_otherwise(recording: Recording) -> None:
    wanted = "example.com" not in str(recording.stack_outputs["serverName"])
    for each in recording.of_type(VOLUME):
        assert each.protect == (wanted and each.name.endswith("-data")), each.name
    kept = [each for each in recording.registrations.values() if each.type.startswith("tls:") and each.protect]
    expected = {"certificates-ca-key", "certificates-key", "certificates-ca"} if wanted else set()
    assert {each.name for each in kept} == expected


def test_every_homeserver_has_its_data_volume_whichever_runs(recording: Recording) -> None:
    names = {each.name for each in recording.of_type(VOLUME)}
    assert names >= {"conduit-data", "synapse-data", "dendrite-data", "redis-data", "acme-data", "certificates-data"}


def test_the_server_name_is_a_label_of_the_data_volume(recording: Recording) -> None:
    name = recording.stack_outputs["serverName"]
    for volume in ("conduit-data", "synapse-data", "dendrite-data"):
        labels = recording.named(VOLUME, volume).inputs["labels"]
        assert {"label": "matrix.server-name", "value": name} in labels


def test_no_secret_is_unsealed_anywhere(recording: Recording) -> None:
    def clear_texts(value: object) -> list[str]:
        if is_sealed(value):
            return []
        if isinstance(value, dict):
            return [text for each in value.values() for text in clear_texts(each)]
        if isinstance(value, list):
            return [text for each in value for text in clear_texts(each)]
        return [str(value)]

    texts = [
        text
        for inputs in [*(each.inputs for each in recording.registrations.values()), recording.stack_outputs]
        for text in clear_texts(inputs)
    ]
    for secret in [*SECRETS.values(), "PRIVATE KEY"]:
        assert not [text for text in texts if secret in text]


def test_no_secret_is_in_an_environment_or_a_command(recording: Recording) -> None:
    for each in recording.of_type(CONTAINER):
        shown = json.dumps(
            [unseal(each.inputs.get(key)) for key in ("envs", "command", "entrypoints", "labels", "healthcheck")]
        )
        assert not [name for name, secret in SECRETS.items() if secret in shown], each.name


def test_private_keys_are_sealed_in_the_state(recording: Recording) -> None:
    for each in recording.of_type("tls:index/privateKey:PrivateKey"):
        assert {"privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"} <= set(each.additional_secret_outputs)


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_grafana_is_there_where_its_image_can_be_and_so_is_its_password(stack: str) -> None:
    config = {**LOCAL, **STACKS[stack]}
    recording = record(config, SECRETS)
    there = config.get("monitoring") == "full" and config.get("imageSource") != "packages"
    assert [each.name for each in recording.of_type(CONTAINER) if each.name == "grafana"] == ["grafana"] * there
    output = recording.stack_outputs["grafanaAdminPassword"]
    assert is_sealed(output)
    assert unseal(output) == (SECRETS["grafanaAdminPassword"] if there else "")
    assert ("grafana" in recording.stack_outputs["monitoring"].get("ports", {})) == there


@pytest.mark.parametrize("stack", sorted(STACKS))
def test_a_preview_shows_the_same_resources_as_the_update(stack: str) -> None:
    config = {**LOCAL, **STACKS[stack]}
    update, preview = record(config, SECRETS), record(config, SECRETS, preview=True)
    assert set(preview.registrations) == set(update.registrations)


def test_the_image_of_every_container_is_known_in_a_preview() -> None:
    preview = record({**LOCAL, "imageSource": "packages", "homeserver": "synapse"}, SECRETS, preview=True)
    for each in preview.of_type(CONTAINER):
        assert UNKNOWN not in each.inputs["image"], each.name


def test_the_graph_does_not_depend_on_the_order_of_sets() -> None:
    script = (
        "import json; from tests.recording import record; from tests.samples import LOCAL, SECRETS;"
        "found = record({**LOCAL, 'homeserver': 'synapse', 'imageSource': 'packages'}, SECRETS);"
        "print(json.dumps({urn: each.inputs for urn, each in found.registrations.items()}, sort_keys=True))"
    )
    graphs = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(graphs) == 1


def test_built_images_are_built_on_the_target_from_a_relative_folder() -> None:
    recording = record({**LOCAL, "imageSource": "packages", "homeserver": "synapse"}, SECRETS)
    images = recording.of_type(IMAGE)
    assert {each.name for each in images} == {
        "base-image", "toolbox-image", "nginx-image", "redis-image", "synapse-image"
    }  # fmt: skip
    for each in images:
        build: Mapping[str, Any] = each.inputs["build"]
        assert not build["context"].startswith("/")
        assert build["useLegacyBuilder"] is True
        assert each.inputs["keepLocally"] is True
        if each.name != "base-image":
            assert any(urn.endswith("::base-image") for urn in each.dependencies), each.name


def test_an_image_from_a_registry_stays_in_the_docker_engine() -> None:
    for each in record(LOCAL, SECRETS).of_type(IMAGE):
        assert each.inputs["keepLocally"] is True
        assert "build" not in each.inputs
