"""Settings: what is accepted, and what a wrong value gets."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from config.errors import ConfigError
from config.secret_keys import SECRET_KEYS
from config.settings import KEYS, parse
from tests.recording import ROOT
from tests.samples import ALIYUN, LOCAL, SECRETS, settings, stack_file

WRONG_VALUES = {
    "target": ["", "azure", "Local"],
    "tier": ["", "1c1g", "8C16G"],
    "serverName": [
        "Example.com",
        "https://example.com",
        "example.com:8448",
        "exa mple",
        "-a.com",
        "1.2.3.4",
        "a" * 231,
    ],
    "matrixHost": ["Matrix.example.com", "matrix..com", "例子.com"],
    "homeserver": ["Synapse", "dendrit", "conduwuit"],
    "imageSource": ["hub", "Packages"],
    "registryPrefix": ["https://mirror.example", "mirror.example/Team", "a b", "/x"],
    "registryMirrors": [
        "https://mirror.example",
        "mirror.example;other.example",
        "mirror.example,,other.example",
        "mirror.example,mirror.example/",
    ],
    "imageOrigins": ["nginx", "nginx=", "unknown=mirror.example", "nginx=https://mirror.example"],
    "dockerHost": ["tcp://0.0.0.0:2375", "/var/run/docker.sock", "unix://relative"],
    "dockerRoot": ["var/lib/docker", "/var/lib/docker/", "/var/../etc", "/"],
    "bindAddress": ["localhost", "::1", "256.0.0.1"],
    "httpPort": ["0", "65536", "http", "-1", "8080.5", "\uff18\uff10"],
    "httpsPort": ["0", "99999"],
    "federationPort": ["x", "0"],
    "subnet": ["10.89.64.0", "10.89.64.1/24", "10.0.0.0/8", "10.89.64.0/27", "8.8.8.0/24", "fd00::/64"],
    "uploadLimit": ["20", "20 MB", "0 MiB", "3 GiB", "1.5 GiB", "20 mib"],
    "certificates": ["selfsigned", "letsencrypt", "acme"],
    "acmeDirectory": ["http://ca.example.com/dir", "le", "https://", "https://ca.example.com/a b"],
    "acmeEmail": ["admin", "a@b", "a@example.com,b@example.com"],
    "turn": ["on", "coturn"],
    "turnPort": ["0", "udp"],
    "turnPorts": ["49160", "49199-49160", "80-90", "49160-70000", "a-b", "49160:49199"],
    "turnAddress": ["turn.example.com", "::1"],
    "turnPrivateRanges": ["8.8.8.0/24", "all"],
    "federation": ["yes", "True", "1"],
    "discovery": ["well-known", "dns"],
    "federationPrivateRanges": ["8.8.8.0/24", "10.0.0.1/8", "10.0.0.0/8;192.168.0.0/16", "all"],
    "extraCa": ["ca.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"],
    "dnsServers": ["dns.example.com", "1.2.3.4;5.6.7.8", "::1", "1.2.3.4,"],
    "registration": ["open", "true"],
    "redis": ["on", "no"],
    "monitoring": ["on", "Full", "true"],
    "prometheusPort": ["0", "x"],
    "grafanaPort": ["0", "x"],
    "dashboards": ["public", "HTTPS"],
    "deleteProtection": ["off", "FALSE"],
    "alerts": ["slack", "dingtalk;wecom", "dingtalk,dingtalk", "dingtalk,,wecom", "DingTalk"],
    "alertLanguage": ["cn", "zh-CN", "EN"],
    "alertCertificateDays": ["0", "61", "2 weeks"],
    "alertDiskPercent": ["0", "51", "15%"],
    "alertMemoryPercent": ["49", "100", "0.9"],
    "alertErrorPercent": ["0", "101", "5 %"],
    "alertTimeScale": ["0", "2", "-1", "1e-1", "0.01", "nan"],
    "smtpHost": ["smtp.example.com:465", "https://smtp.example.com", "1.2.3.4"],
    "smtpPort": ["0", "65536", "smtps"],
    "smtpUser": ["has blanks", "ümlaut", "x" * 129],
    "smtpFrom": ["example.com", "Alerts <alerts@example.com>", "a@b"],
    "smtpTo": ["example.com", "a@example.com;b@example.com", "a@example.com,", "a@example.com,a@example.com"],
    "region": ["hangzhou", "CN-hangzhou", "cn_hangzhou"],
    "zone": ["k", "cn-hangzhou", "cn-hangzhou-K", "cn-hangzhou-10"],
    "accountType": ["domestic", "China"],
    "imageId": [
        "debian_12",
        "ubuntu_24_04_x64_20G_alibase_20260810.vhd",
        "debian_12_13_arm64_20G_alibase_20260828.vhd",
    ],
    "instanceType": ["t5-lc1m1.small", "ecs.c8y.large", "ecs.unknown.large", "ecs.e-c1m2"],
    "diskCategory": ["ssd", "cloud", "ESSD"],
    "systemDiskSize": ["19", "501", "40 GiB", "-40"],
    "dataDiskSize": ["0", "65537", "40G"],
    "bandwidth": ["0", "201", "5 Mbit/s"],
    "snapshotRetention": ["0", "-1", "7 days"],
    "metadataTokens": ["off", "true"],
    "adminCidrs": ["0.0.0.0/0", "0.0.0.0/1,128.0.0.0/1", "198.51.100.7/24", "::/0", "home", "224.0.0.0/8", "1.2.3.4,,"],
    "dnsDomain": ["https://example.com", "example", "Example.com"],
    "dnsTtl": ["0", "86401", "10m"],
}
WRONG_SECRETS = {
    "registrationToken": [
        "short",
        "123456789012345",
        "has blanks in the middle",
        'quote"quote"quote',
        "ü" * 12,
        "a" * 65,
    ],
    "redisPassword": ["short", "has blanks in the middle", 'has"quotes"inside"it', "back\\slash\\back\\slash"],
    "synapseRegistrationSecret": ["short", "ümlaut-ümlaut-ümlaut"],
    "synapseMacaroonSecret": ["short"],
    "synapseFormSecret": ["short"],
    "synapseRegistrarPassword": ["short", "x" * 129],
    "dendriteRegistrationSecret": ["short", 'has"quotes"inside"it'],
    "canaryPassword": ["short"],
    "turnSecret": ["short"],
    "alidnsAccessKey": ["LTAI-without-secret", ":secret", "id:", "id :secret"],
    "acmeBinding": ["kid", "kid:", "a:b:c"],
    "dashboardsPassword": ["short"],
    "grafanaAdminPassword": ["short"],
    "grafanaSecretKey": ["short"],
    "dingtalkAddress": [
        "http://oapi.dingtalk.com/robot/send?access_token=aaaaaaaaaaaa",
        "https://oapi.dingtalk.com/robot/send?token=a",
        "https://oapi.dingtalk.com/robot/send?access_token=a&timestamp=1",
        "https://oapi.dingtalk.com/other?access_token=aaaaaaaaaaaa",
    ],
    "dingtalkSecret": ["short", "has blanks in the middle"],
    "wecomAddress": [
        "qyapi.weixin.qq.com/cgi-bin/webhook/send?key=aaaaaaaaaa",
        "https://[broken/cgi-bin?key=aaaaaaaaa",
    ],
    "feishuAddress": ["https://open.feishu.cn/open-apis/bot/v2/hook/?a=b", "https://:x@open.feishu.cn:y/open-apis/bot"],
    "feishuSecret": ["short", 'has"quotes"inside"it'],
    "webhookAddress": ["ftp://example.com/aaaaaaaaaa", "http://8.8.8.8/aaaaaaaaaaaa", "https://a:b@example.com/aaaaaa"],
    "webhookSecret": ["short"],
    "heartbeatAddress": ["http://hc-ping.com/aaaaaaaaaaaa", "https://hc-ping.com:port/aaaaaaaaaaaa", "https:///ping"],
    "smtpPassword": ["ümlaut-ümlaut", "x" * 257],
}


ALL_TEXTS = {"local": LOCAL, "aliyun": ALIYUN}


def base_of(key: str) -> dict[str, str]:
    """Return a stack that has the key."""
    return {**ALL_TEXTS["local" if "local" in KEYS[key].defaults else "aliyun"], **SECRETS}


def problems(texts: dict[str, str], sealed: set[str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse("local", texts, set(SECRETS) if sealed is None else sealed)
    return [problem.key.removeprefix("matrix:") for problem in raised.value.problems]


def test_the_two_required_keys_are_enough() -> None:
    found = settings()
    assert found.server_name == "localhost"
    assert found.homeserver == "conduit"
    assert (found.http_port, found.https_port, found.federation_port) == (80, 443, 8448)
    assert found.bind_address == "127.0.0.1"
    assert found.upload_limit == 20 * 2**20
    assert found.subnet == IPv4Network("10.89.64.0/24")
    assert found.delete_protection
    assert found.registration == "token"


def test_the_tables_of_wrong_values_cover_every_key() -> None:
    assert set(WRONG_VALUES) == set(KEYS)
    assert set(WRONG_SECRETS) == set(SECRET_KEYS)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG_VALUES.items() for value in values])
def test_a_wrong_value_is_named_with_what_was_expected_and_what_to_write(key: str, value: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse("local", {**base_of(key), key: value}, set(SECRETS))
    (problem,) = [each for each in raised.value.problems if each.key == f"matrix:{key}"]
    assert value in problem.value or not value or key == "extraCa"
    assert "PRIVATE" not in problem.value
    assert problem.expected
    assert problem.remedy.startswith(f"pulumi config set {key} ")
    assert "nothing was changed" in str(raised.value)


@pytest.mark.parametrize("key", sorted(KEYS))
def test_what_is_to_be_written_instead_is_accepted(key: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse("local", {**base_of(key), key: WRONG_VALUES[key][-1]}, set(SECRETS))
    (problem,) = [each for each in raised.value.problems if each.key == f"matrix:{key}"]
    example = problem.remedy.removeprefix(f"pulumi config set {key} ").strip("'")
    assert KEYS[key].parse(example) is not None


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG_SECRETS.items() for value in values])
def test_a_wrong_secret_is_named_and_not_shown(key: str, value: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse("local", {**LOCAL, "homeserver": "synapse", **SECRETS, key: value}, set(SECRETS))
    assert [each.key for each in raised.value.problems] == [f"matrix:{key}"]
    assert value not in str(raised.value)
    assert f"pulumi config set --secret {key}" in str(raised.value)


LOCAL_NAMES = {"serverName": "localhost", "matrixHost": "localhost", "bindAddress": "127.0.0.1"}
PUBLIC = {"serverName": "example.com", "matrixHost": "matrix.example.com", "bindAddress": "0.0.0.0"}


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ({"certificates": "acme-http", "matrixHost": "localhost"}, ["matrixHost"]),
        ({"certificates": "acme-http", "bindAddress": "127.0.0.1"}, ["bindAddress"]),
        ({"certificates": "acme-dns", "serverName": "homeserver"}, ["serverName"]),
        ({"certificates": "acme-http", "acmeDirectory": "staging", **LOCAL_NAMES}, ["matrixHost", "bindAddress"]),
        ({"certificates": "acme-dns", "bindAddress": "127.0.0.1"}, []),
        ({"certificates": "acme-http", "acmeDirectory": "https://ca.internal/dir", **LOCAL_NAMES}, []),
        ({"certificates": "acme-http", "httpPort": "8080"}, []),
        ({"certificates": "acme-http", "discovery": "srv"}, ["certificates"]),
        ({"certificates": "acme-dns", "discovery": "srv"}, []),
    ],
)
def test_what_no_ca_can_issue_is_refused(texts: dict[str, str], named: list[str]) -> None:
    texts = {**LOCAL, **SECRETS, **PUBLIC, **texts}
    if named:
        assert problems(texts) == named
    else:
        parse("local", texts, set(SECRETS))


def test_on_aliyun_a_ca_asks_on_port_80_only() -> None:
    texts = {**ALIYUN, **SECRETS, "certificates": "acme-http", "httpPort": "8080"}
    assert problems(texts) == ["httpPort"]
    parse("local", {**texts, "certificates": "acme-dns"}, set(SECRETS))


def test_dns_without_an_access_key_is_refused_with_who_has_one() -> None:
    others = {name: text for name, text in SECRETS.items() if name != "alidnsAccessKey"}
    texts = {**LOCAL, **PUBLIC, **others, "certificates": "acme-dns"}
    assert problems(texts) == ["alidnsAccessKey"]
    with pytest.raises(ConfigError, match="pulumi config set --secret alidnsAccessKey"):
        parse("local", texts, set(SECRETS))


def test_the_server_name_is_in_the_certificate_where_it_can_be_proven() -> None:
    assert settings(**PUBLIC, certificates="acme-http").certificate_names == ("matrix.example.com",)
    assert settings(**PUBLIC, certificates="acme-dns").certificate_names == ("matrix.example.com", "example.com")
    one = {**PUBLIC, "matrixHost": "example.com"}
    assert settings(**one, certificates="acme-dns").certificate_names == ("example.com",)


def test_all_problems_are_reported_at_once() -> None:
    texts = {"tier": "huge", "httpPort": "http", "sevrerName": "example.com", "registrationToken": "123"}
    assert set(problems(texts)) >= {"target", "tier", "httpPort", "sevrerName", "registrationToken", "redisPassword"}


def test_an_unknown_key_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="uploadLimit") as raised:
        parse("local", {**LOCAL, **SECRETS, "uploadlimit": "20 MiB"}, set(SECRETS))
    assert [each.key for each in raised.value.problems] == ["matrix:uploadlimit"]


def test_a_port_cannot_be_published_twice() -> None:
    assert problems({**LOCAL, **SECRETS, "httpPort": "8443", "httpsPort": "8443"}) == ["httpsPort"]


def test_the_port_of_prometheus_counts_where_it_runs() -> None:
    same = {**LOCAL, **SECRETS, "prometheusPort": "443"}
    assert problems({**same, "monitoring": "lite"}) == ["prometheusPort"]
    assert parse("local", {**same, "monitoring": "off"}, set(SECRETS)).prometheus_port == 443


def test_the_port_of_grafana_counts_where_it_runs() -> None:
    same = {**LOCAL, **SECRETS, "tier": "2C4G", "monitoring": "full", "grafanaPort": "9090"}
    assert problems(same) == ["grafanaPort"]
    assert not parse("local", {**same, "imageSource": "packages"}, set(SECRETS)).grafana


def test_dashboards_have_a_password_where_nginx_shows_them() -> None:
    texts = {key: text for key, text in {**LOCAL, **SECRETS}.items() if key != "dashboardsPassword"}
    assert problems({**texts, "monitoring": "lite", "dashboards": "https"}) == ["dashboardsPassword"]
    parse("local", {**texts, "monitoring": "lite"}, set(SECRETS))
    assert not parse("local", {**texts, "dashboards": "https"}, set(SECRETS)).dashboards_over_https


def test_grafana_has_secrets_where_it_runs() -> None:
    texts = {key: text for key, text in {**LOCAL, **SECRETS}.items() if not key.startswith("grafana")}
    full = {**texts, "tier": "2C4G", "monitoring": "full"}
    assert problems(full) == ["grafanaAdminPassword", "grafanaSecretKey"]
    assert not parse("local", {**texts, "monitoring": "lite"}, set(SECRETS)).grafana
    assert not parse("local", {**full, "imageSource": "packages"}, set(SECRETS)).grafana


@pytest.mark.parametrize(
    ("tier", "turn", "level"),
    [("1C1G", "false", "lite"), ("1C1G", "true", "off"), ("2C4G", "true", "full"), ("4C8G", "false", "full")],
)
def test_a_stack_is_monitored_as_far_as_its_tier_has_room(tier: str, turn: str, level: str) -> None:
    unsaid = {key: text for key, text in LOCAL.items() if key != "monitoring"}
    assert parse("local", {**unsaid, **SECRETS, "tier": tier, "turn": turn}, set(SECRETS)).monitoring == level


def test_all_of_the_monitoring_is_refused_where_it_does_not_fit() -> None:
    assert problems({**LOCAL, **SECRETS, "tier": "1C1G", "monitoring": "full"}) == ["monitoring"]
    assert settings(tier="2C4G", monitoring="full").monitoring == "full"


def test_the_federation_port_does_not_count_without_federation() -> None:
    assert not settings(federation="false", federationPort="443").federation


def test_a_missing_secret_names_the_command_that_makes_it() -> None:
    with pytest.raises(ConfigError, match="make secrets STACK=local"):
        parse("local", {**LOCAL, "redisPassword": SECRETS["redisPassword"]}, {"redisPassword"})


def test_only_the_secrets_that_a_stack_uses_are_asked_for() -> None:
    found = parse("local", {**LOCAL, "registration": "closed", "redis": "false"}, set())
    assert found.homeserver == "conduit"
    found = parse(
        "local",
        {**LOCAL, "homeserver": "dendrite", "redis": "false", "dendriteRegistrationSecret": "x" * 43},
        {"dendriteRegistrationSecret"},
    )
    assert found.registration == "token"


@pytest.mark.parametrize(
    ("homeserver", "secret"), [("synapse", "synapseRegistrationSecret"), ("dendrite", "dendriteRegistrationSecret")]
)
def test_the_secrets_of_a_homeserver_are_asked_for_where_it_runs(homeserver: str, secret: str) -> None:
    others = {name: text for name, text in SECRETS.items() if name != secret}
    assert problems({**LOCAL, **others, "homeserver": homeserver}) == [secret]
    assert parse("local", {**LOCAL, **others}, set(others)).homeserver == "conduit"


def test_registration_by_token_is_what_was_set_where_the_homeserver_can_do_it() -> None:
    assert settings(homeserver="synapse").registration_by_token
    assert settings(homeserver="conduit").registration_by_token
    assert not settings(homeserver="synapse", registration="closed").registration_by_token
    assert not settings(homeserver="dendrite").registration_by_token


def test_secrets_that_others_make_are_asked_for_where_alerts_need_them() -> None:
    own = {"registrationToken": SECRETS["registrationToken"], "redisPassword": SECRETS["redisPassword"]}
    found = problems({**LOCAL, **own, "monitoring": "lite", "alerts": "dingtalk,wecom,feishu,webhook,heartbeat"})
    assert found == [
        "dingtalkAddress",
        "dingtalkSecret",
        "wecomAddress",
        "feishuAddress",
        "feishuSecret",
        "webhookAddress",
        "webhookSecret",
        "heartbeatAddress",
    ]
    with pytest.raises(ConfigError) as raised:
        parse("local", {**LOCAL, **own, "monitoring": "lite", "alerts": "feishu"}, set(own))
    address, secret = raised.value.problems
    assert address.remedy == "pulumi config set --secret feishuAddress"
    assert "open.feishu.cn" in address.expected
    assert secret.remedy == "pulumi config set --secret feishuSecret"


def test_mail_needs_a_server_and_addresses_and_a_password_only_for_a_login() -> None:
    texts = {**LOCAL, **SECRETS, "monitoring": "lite", "alerts": "smtp"}
    assert problems(texts) == ["smtpHost", "smtpFrom", "smtpTo"]
    mail = {"smtpHost": "smtp.example.com", "smtpFrom": "a@example.com", "smtpTo": "b@example.com"}
    without = {name: text for name, text in {**texts, **mail}.items() if name != "smtpPassword"}
    assert parse("local", without, set(SECRETS)).alerting.smtp_to == ("b@example.com",)
    assert problems({**without, "smtpUser": "a"}) == ["smtpPassword"]


def test_alerts_come_from_monitoring() -> None:
    assert problems({**LOCAL, **SECRETS, "alerts": "wecom"}) == ["monitoring"]
    found = settings(tier="2C4G", monitoring="full", alerts="wecom, heartbeat")
    assert found.alerting.alerts == ("wecom", "heartbeat")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("webhookAddress", "http://192.168.1.5:3001/api/push/x"),
        ("heartbeatAddress", "https://hc-ping.com/0c1f"),
        ("feishuAddress", "https://open.larksuite.com/open-apis/bot/v2/hook/0c1f-22"),
        ("dingtalkAddress", "http://10.0.0.7:8080/robot/send?access_token=x"),
    ],
)
def test_an_address_over_tls_or_in_a_private_network_is_accepted(key: str, value: str) -> None:
    assert SECRET_KEYS[key].parse(value) == value


def test_a_secret_in_clear_is_refused() -> None:
    assert problems({**LOCAL, **SECRETS}, sealed=set(SECRETS) - {"redisPassword"}) == ["redisPassword"]


def test_the_url_names_the_port_only_where_it_is_not_the_usual_one() -> None:
    assert settings().homeserver_url == "https://localhost"
    assert settings(httpsPort="8443").homeserver_url == "https://localhost:8443"
    assert settings(httpsPort="8443").federation_address == "localhost:8443"


# On a busy machine nothing is quick, and that is no failure.
@trials(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.text(max_size=30), max_size=6))
def test_any_text_is_either_accepted_or_its_key_is_named(texts: dict[str, str]) -> None:
    try:
        parse("local", {**LOCAL, **SECRETS, **texts}, set(SECRETS))
    except ConfigError as error:
        named = {problem.key.removeprefix("matrix:") for problem in error.problems}
        ports = {"httpPort", "httpsPort", "federationPort", "prometheusPort", "grafanaPort", "turnPort"}
        together = {*ports, "monitoring", "smtpHost", "smtpFrom", "smtpTo"}
        together |= {"turnPorts", "turnAddress", "turnPrivateRanges"}
        assert named <= {*texts, *together}


def test_pulumi_yaml_describes_exactly_the_keys_that_are_read() -> None:
    block: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert set(block) == set(KEYS) | set(SECRET_KEYS)
    for key, entry in block.items():
        # A type or a missing default would make the Pulumi CLI stop at the first wrong key, before all are reported.
        assert entry["type"] == "string", key
        assert entry["default"] == "", key
        assert len(entry["description"]) > 20, key
        if key in KEYS:
            defaults = KEYS[key].defaults
            (default, *_) = defaults.values()
            if isinstance(default, str) and default not in {"", "true"}:
                assert f"Default {default}." in entry["description"], key
            if len(defaults) == 1:
                assert entry["description"].startswith(f"{next(iter(defaults)).capitalize()} only."), key


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_examples_of_stacks_on_aliyun_are_accepted(stack: str) -> None:
    texts = stack_file(stack)
    # A number or a boolean would reach the program as another text than the one that was written.
    assert all(isinstance(value, str) for value in texts.values())
    found = parse(stack, {**texts, **SECRETS}, set(SECRETS))
    assert found.tier == {"dev": "1C1G", "prod": "4C8G"}[stack]
    assert found.delete_protection == (stack == "prod")


def test_the_example_of_a_local_stack_is_accepted() -> None:
    config = yaml.safe_load((ROOT / "Pulumi.local.example.yaml").read_text())["config"]
    texts = {key.removeprefix("matrix:"): str(value) for key, value in config.items()}
    assert parse("local", {**texts, **SECRETS}, set(SECRETS)).target == "local"


def test_a_public_ca_issues_on_aliyun_unless_said_otherwise() -> None:
    texts = {key: text for key, text in ALIYUN.items() if key != "certificates"}
    assert parse("cloud", {**texts, **SECRETS}, set(SECRETS)).certificates == "acme-http"
    assert settings().certificates == "self-signed"
