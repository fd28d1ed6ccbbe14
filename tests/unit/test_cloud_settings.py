"""Settings of a stack on Aliyun: what stands for what is not set, and what does not go together."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from config.cloud import CloudSettings
from config.errors import ConfigError, Problem
from config.instance_types import DISK_CATEGORIES, read_name
from config.keys import keys_of
from config.settings import KEYS, parse
from config.tiers import TIER_NAMES, TIERS
from tests.samples import ALIYUN, LOCAL, SECRETS, cloud_settings, settings


def problems(**keys: str) -> dict[str, Problem]:
    with pytest.raises(ConfigError) as raised:
        cloud_settings(**keys)
    return {each.key.removeprefix("matrix:"): each for each in raised.value.problems}


def cloud(**keys: str) -> CloudSettings:
    found = cloud_settings(**keys).cloud
    assert found
    return found


def test_a_local_stack_has_nothing_in_the_cloud() -> None:
    assert settings().cloud is None


def test_what_is_not_set_follows_from_the_target() -> None:
    found = cloud_settings()
    assert found.matrix_host == "matrix.example.com"
    assert found.bind_address == "0.0.0.0"
    assert found.published_ports == (80, 443, 8448)
    assert found.delete_protection
    assert found.docker_host == ""
    assert cloud().admin_cidrs == (IPv4Network("203.0.113.7/32"), IPv4Network("192.0.2.0/24"))
    assert cloud().metadata_tokens == "optional"
    assert cloud().account_type == "Domestic"


@pytest.mark.parametrize("tier", TIER_NAMES)
def test_host_and_data_disk_follow_from_the_tier(tier: str) -> None:
    found = cloud(tier=tier)
    expected = next(each for name, each in TIERS.items() if name == tier)
    assert found.instance_type == expected.instance_type
    assert found.data_disk_size == expected.data_disk_gib


@pytest.mark.parametrize("name", TIER_NAMES)
def test_the_usual_type_of_a_tier_is_as_large_as_the_tier(name: str) -> None:
    tier = next(each for each in TIERS.values() if each.name == name)
    kind = read_name(tier.instance_type)
    assert kind
    assert kind.holds(tier)
    assert "cloud_essd" in kind.disks
    assert not kind.overseas_only


def test_required_keys_that_are_missing_are_all_named() -> None:
    with pytest.raises(ConfigError) as raised:
        parse("cloud", {"target": "aliyun", "tier": "1C1G", **SECRETS}, set(SECRETS))
    named = {each.key.removeprefix("matrix:") for each in raised.value.problems}
    assert named == {"serverName", "region", "zone", "imageId", "adminCidrs"}


@pytest.mark.parametrize("key", sorted(keys_of(CloudSettings)))
def test_keys_of_the_cloud_are_refused_on_a_local_stack(key: str) -> None:
    with pytest.raises(ConfigError, match="it is for aliyun") as raised:
        parse("local", {**LOCAL, **SECRETS, key: "anything"}, set(SECRETS))
    assert [each.key for each in raised.value.problems] == [f"matrix:{key}"]
    assert raised.value.problems[0].remedy == f"pulumi config rm {key}"


def test_the_docker_host_is_refused_on_aliyun() -> None:
    assert set(problems(dockerHost="unix:///var/run/docker.sock")) == {"dockerHost"}


@pytest.mark.parametrize(
    ("region", "zone", "instead"),
    [
        ("cn-shanghai", "cn-hangzhou-k", "cn-shanghai-k"),
        ("cn-hongkong", "cn-hangzhou-b", "cn-hongkong-b"),
        ("ap-southeast-1", "ap-southeast-3a", "ap-southeast-1a"),
    ],
)
def test_a_zone_of_another_region_is_refused(region: str, zone: str, instead: str) -> None:
    found = problems(region=region, zone=zone)
    assert set(found) == {"zone"}
    assert found["zone"].remedy == f"pulumi config set zone '{instead}'"
    assert cloud(region=region, zone=instead).zone == instead


@pytest.mark.parametrize(
    ("tier", "kind"), [("4C8G", "ecs.e-c1m2.large"), ("4C8G", "ecs.t5-c1m1.xlarge"), ("2C4G", "ecs.s6-c1m2.small")]
)
def test_a_type_that_is_too_small_for_the_tier_is_refused(tier: str, kind: str) -> None:
    found = problems(tier=tier, instanceType=kind, diskCategory="cloud_ssd" if ".t5" in kind else "cloud_essd")
    assert set(found) == {"instanceType"}
    assert "vCPU" in found["instanceType"].expected
    assert found["instanceType"].remedy.endswith(f"'{TIERS[cloud_settings(tier=tier).tier].instance_type}'")


def test_a_type_that_the_mainland_does_not_sell_is_refused_there_only() -> None:
    kind = "ecs.e-c2m1.large"
    assert set(problems(tier="1C1G", instanceType=kind)) == {"instanceType"}
    assert cloud(tier="1C1G", instanceType=kind, region="cn-hongkong", zone="cn-hongkong-b").instance_type == kind


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        ("ecs.e-c1m2.large", {"cloud_essd", "cloud_essd_entry", "cloud_auto"}),
        ("ecs.u1-c1m2.large", {"cloud_essd", "cloud_essd_entry", "cloud_auto", "cloud_ssd", "cloud_efficiency"}),
        ("ecs.t5-c1m2.large", {"cloud_ssd", "cloud_efficiency"}),
        ("ecs.t6-c1m2.large", {"cloud_essd", "cloud_auto", "cloud_ssd", "cloud_efficiency"}),
        ("ecs.c7.large", {"cloud_essd", "cloud_auto", "cloud_ssd", "cloud_efficiency"}),
    ],
)
def test_a_disk_that_the_family_does_not_take_is_refused(kind: str, taken: set[str]) -> None:
    for category in DISK_CATEGORIES:
        if category in taken:
            assert cloud(instanceType=kind, diskCategory=category).disk_category == category
        else:
            found = problems(instanceType=kind, diskCategory=category)
            assert set(found) == {"diskCategory"}
            assert all(name in found["diskCategory"].expected for name in taken)


@pytest.mark.parametrize(
    ("category", "size"), [("cloud_ssd", "19"), ("cloud_efficiency", "32769"), ("cloud_essd_entry", "9")]
)
def test_a_data_disk_of_a_size_that_its_category_has_not_is_refused(category: str, size: str) -> None:
    kind = "ecs.e-c1m2.large" if category == "cloud_essd_entry" else "ecs.t6-c1m2.large"
    assert set(problems(instanceType=kind, diskCategory=category, dataDiskSize=size)) == {"dataDiskSize"}


def test_the_system_disk_is_encrypted_wherever_it_can_be() -> None:
    for category in DISK_CATEGORIES:
        kind = "ecs.e-c1m2.large" if category == "cloud_essd_entry" else "ecs.t6-c1m2.large"
        found = cloud(diskCategory=category, instanceType=kind)
        assert found.system_disk_encrypted == (category in {"cloud_essd", "cloud_essd_entry", "cloud_auto"})
        assert found.performance_level == ("PL0" if category == "cloud_essd" else None)


@pytest.mark.parametrize("host", ["matrix.example.org", "matrix.notexample.com", "xexample.com"])
def test_a_host_outside_the_domain_is_refused(host: str) -> None:
    found = problems(matrixHost=host)
    assert set(found) == {"matrixHost"}
    assert found["matrixHost"].remedy == "pulumi config set matrixHost 'matrix.example.com'"
    assert cloud_settings(matrixHost=host, dnsDomain="").matrix_host == host


def test_a_name_that_nobody_else_can_resolve_is_refused() -> None:
    assert set(problems(serverName="localhost", matrixHost="localhost")) == {"serverName", "matrixHost"}
    assert set(problems(serverName="Example.com")) == {"serverName"}


@pytest.mark.parametrize("subnet", ["192.168.0.0/24", "192.168.128.0/20"])
def test_a_subnet_within_the_vpc_is_refused(subnet: str) -> None:
    assert set(problems(subnet=subnet)) == {"subnet"}


def test_problems_between_settings_are_told_together_with_those_of_single_ones() -> None:
    found = problems(adminCidrs="0.0.0.0/0", zone="cn-beijing-a", matrixHost="matrix.example.org", bandwidth="fast")
    assert set(found) == {"adminCidrs", "zone", "matrixHost", "bandwidth"}
    assert "whole internet" in found["adminCidrs"].expected


def test_the_examples_in_the_refusals_make_a_stack() -> None:
    examples = {}
    for key in keys_of(CloudSettings):
        for value in ("?", "example"):
            with pytest.raises(ConfigError) as raised:
                cloud_settings(**{key: value})
            (problem,) = [each for each in raised.value.problems if each.key == f"matrix:{key}"]
            examples[key] = problem.remedy.split("'")[1]
    assert set(examples) == set(keys_of(CloudSettings))
    assert parse("cloud", {**ALIYUN, **examples, **SECRETS}, set(SECRETS)).cloud


def test_no_key_is_declared_twice() -> None:
    assert len(KEYS) == len(set(KEYS))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("ecs.e-c1m1.large", (2, 2048)),
        ("ecs.e-c1m4.xlarge", (4, 16384)),
        ("ecs.e-c1m2.2xlarge", (8, 16384)),
        ("ecs.e-c4m1.large", (2, 512)),
        ("ecs.t5-lc2m1.nano", (1, 512)),
        ("ecs.t5-lc1m1.small", (1, 1024)),
        ("ecs.t6-c1m1.large", (2, 2048)),
        ("ecs.s6-c1m1.small", (1, 1024)),
        ("ecs.u1-c1m2.xlarge", (4, 8192)),
        ("ecs.c7.xlarge", (4, 8192)),
        ("ecs.g7.large", (2, 8192)),
        ("ecs.xn4.small", (1, 1024)),
        ("ecs.c8y.large", None),
        ("ecs.n4.large", None),
        ("c7.large", None),
    ],
)
def test_the_name_of_a_type_says_its_size(name: str, size: tuple[int, int] | None) -> None:
    found = read_name(name)
    assert ((found.cpus, found.memory) if found else None) == size
