"""Alertmanager, the relay and receivers on one network, as the program would start the first two."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import trustme
import yaml
from docker.models.containers import Container

from components.services.alert_relay.component import USER as RELAY
from components.services.alert_relay.render import render_receivers
from components.services.alertmanager.component import USER as ALERTMANAGER
from components.services.alertmanager.render import AlertmanagerConfig, render_command, render_files
from components.templates import program
from config.alerts import RuleFile, all_rules, render_rules
from config.settings import Settings
from config.tiers import TIERS, ServiceName
from tests.samples import settings
from tests.services.conftest import Bench

HOSTS = (
    "oapi.dingtalk.com",
    "qyapi.weixin.qq.com",
    "open.feishu.cn",
    "alerts.example.com",
    "heartbeat.example.com",
    "moved.example.com",
    "smtp.example.com",
)
SECRETS = {
    "dingtalkAddress": "https://oapi.dingtalk.com/robot/send?access_token=token-of-dingtalk",
    "dingtalkSecret": "SEC-of-dingtalk",
    "wecomAddress": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=key-of-wecom",
    "feishuAddress": "https://open.feishu.cn/open-apis/bot/v2/hook/hook-of-feishu",
    "feishuSecret": "secret-of-feishu",
    "webhookAddress": "https://alerts.example.com/hook",
    "webhookSecret": "secret-of-webhook",
    "heartbeatAddress": "https://heartbeat.example.com/beat-of-heart",
    "smtpPassword": "password of smtp",
}
SETUP: Mapping[str, Any] = {
    "dingtalk": {"token": "token-of-dingtalk", "secret": "SEC-of-dingtalk"},
    "wecom": {"key": "key-of-wecom"},
    "feishu": {"hook": "hook-of-feishu", "secret": "secret-of-feishu"},
    "webhook": {"secret": "secret-of-webhook"},
    "smtp": {"login": ["alerts@example.com", "password of smtp"]},
}
PEOPLE = ("dingtalk", "wecom", "feishu", "smtp", "webhook")
SCALE = "0.02"


def stack(receivers: str = "dingtalk,wecom,feishu,smtp,webhook,heartbeat", **keys: str) -> Settings:
    return settings(
        **{
            "tier": "2C4G",
            "monitoring": "full",
            "alerts": receivers,
            "alertTimeScale": SCALE,
            "smtpHost": "smtp.example.com",
            "smtpUser": "alerts@example.com",
            "smtpFrom": "alerts@example.com",
            "smtpTo": "a@example.com,b@example.com",
            **keys,
        }
    )


def limits(service: ServiceName) -> dict[str, Any]:
    """Return the memory limit of the smallest machine, as an option of a container."""
    memory = f"{TIERS['1C1G'].budgets[service].memory}m"
    return {"mem_limit": memory, "memswap_limit": memory}


def address_of(container: Container) -> str:
    container.reload()
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def ask(url: str, body: object = None) -> tuple[int, Any]:
    """Post JSON, or get, and return status and JSON."""
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            status, text = response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def until_up(url: str, container: Container) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if ask(url)[0] == 200:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.2)


@dataclass
class Place:
    """One network with receivers and a relay."""

    bench: Bench
    network: str
    authority: trustme.CA
    receivers: Container
    relay: Container

    @property
    def relay_url(self) -> str:
        return f"http://{address_of(self.relay)}:9094"

    def received(self, receiver: str) -> list[dict[str, Any]]:
        _, found = ask(f"http://{address_of(self.receivers)}:8000/received")
        return [each for each in found if each["receiver"] == receiver]

    def trouble(self, **receivers: int) -> None:
        ask(f"http://{address_of(self.receivers)}:8000/trouble", receivers)

    def log(self) -> str:
        return str(self.relay.logs().decode())

    def another_relay(self, config: Settings, secrets: Mapping[str, str], *, trusting: bool = True) -> Container:
        return start_relay(self.bench, self.network, self.authority if trusting else trustme.CA(), config, secrets)


def place(bench: Bench, config: Settings) -> Place:
    authority = trustme.CA()
    certificate = authority.issue_cert(*HOSTS)
    network = bench.network()
    volume = bench.volume(
        {
            "receivers.py": (Path(__file__).parent / "receivers.py").read_text(encoding="utf-8"),
            "setup.json": json.dumps(SETUP),
            "receivers.pem": certificate.private_key_and_cert_chain_pem.bytes().decode(),
        },
        65534,
    )
    receivers = bench.container(
        "python",
        ["python3", "/config/receivers.py", "/config"],
        network=network.name,
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
    )
    network.disconnect(receivers)
    network.connect(receivers, aliases=list(HOSTS))
    until_up(f"http://{address_of(receivers)}:8000/received", receivers)
    relay = start_relay(bench, str(network.name), authority, config, SECRETS)
    network.disconnect(relay)
    network.connect(relay, aliases=["alert-relay"])
    until_up(f"http://{address_of(relay)}:9094/health", relay)
    return Place(bench=bench, network=str(network.name), authority=authority, receivers=receivers, relay=relay)


def start_relay(
    bench: Bench, network: str, authority: trustme.CA, config: Settings, secrets: Mapping[str, str]
) -> Container:
    volume = bench.volume(
        {
            "relay.py": program("alert_relay", "relay.py"),
            "secrets/receivers.json": render_receivers(config.alerting, "example.com", secrets),
            "ca.pem": authority.cert_pem.bytes().decode(),
        },
        RELAY,
    )
    relay = bench.container(
        "python",
        ["python3", "/config/relay.py"],
        user=f"{RELAY}:{RELAY}",
        network=network,
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
        environment={"SSL_CERT_FILE": "/config/ca.pem"},
        **limits("alert-relay"),
    )
    until_up(f"http://{address_of(relay)}:9094/health", relay)
    return relay


def start_alertmanager(bench: Bench, network: str, config: Settings) -> tuple[Container, str]:
    """Start Alertmanager and return it with its address."""
    rendered = AlertmanagerConfig(
        port=9093,
        relay="alert-relay:9094",
        receivers=config.alerting.alerts,
        time_scale=config.alerting.alert_time_scale,
    )
    volume = bench.volume(render_files(rendered), ALERTMANAGER)
    container = bench.container(
        "alertmanager",
        [*render_command(rendered, "/config", "/tmp")],  # noqa: S108 (in the container)
        entrypoint=["alertmanager"],
        user=f"{ALERTMANAGER}:{ALERTMANAGER}",
        network=network,
        volumes={volume.name: {"bind": "/config", "mode": "ro"}},
        **limits("alertmanager"),
    )
    url = f"http://{address_of(container)}:9093"
    until_up(f"{url}/-/ready", container)
    return container, url


def alert(
    config: Settings, rule: str, description: str = "", labels: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return an alert as Prometheus would send it."""
    everything = RuleFile(alerts=all_rules(config), recorded=(), language=config.alerting.alert_language)
    rules = [each for group in yaml.safe_load(render_rules(everything))["groups"] for each in group["rules"]]
    (found,) = [each for each in rules if each["alert"] == rule]
    return {
        "labels": {"alertname": rule, **found["labels"], **labels, "stack": "test"},
        "annotations": {
            key: description if key == "description" else text for key, text in found["annotations"].items()
        },
        "startsAt": datetime.now(UTC).isoformat(),
    }


def notification(*alerts: Mapping[str, Any], resolved: bool = False) -> dict[str, Any]:
    """Return what Alertmanager posts to a webhook."""
    status = "resolved" if resolved else "firing"
    first = alerts[0]
    shared = {k: v for k, v in first["labels"].items() if all(each["labels"].get(k) == v for each in alerts)}
    return {
        "version": "4",
        "groupKey": "{}",
        "status": status,
        "receiver": "people",
        "groupLabels": {"alertname": first["labels"]["alertname"]},
        "commonLabels": shared,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": [{"status": status, **each} for each in alerts],
    }
