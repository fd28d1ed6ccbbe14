"""Settings that tests start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import trustme
import yaml

from config.catalogue import ImageName
from config.project import PROJECT
from config.secret_keys import SECRET_KEYS
from config.settings import Settings, parse

SECRETS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: f"Made-up-{name}-0123456789" for name in SECRET_KEYS},
        "alidnsAccessKey": "Made-up-alidns:0123456789",
        "acmeBinding": "Made-up-binding:0123456789",
        "dingtalkAddress": "https://oapi.dingtalk.com/robot/send?access_token=Made-up-dingtalk-0123456789",
        "wecomAddress": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=Made-up-wecom-0123456789",
        "feishuAddress": "https://open.feishu.cn/open-apis/bot/v2/hook/Made-up-feishu-0123456789",
        "webhookAddress": "https://alerts.example.com/Made-up-webhook-0123456789",
        "heartbeatAddress": "https://heartbeat.example.com/Made-up-heartbeat-0123456789",
    },
)
"""Made up, and unmistakable when one of them turns up where it must not."""

AUTHORITY: Final = trustme.CA().cert_pem.bytes().decode()
"""A CA's certificate, as the setting extraCa takes it."""

LOCAL: Final[Mapping[str, str]] = MappingProxyType({"target": "local", "tier": "1C1G", "monitoring": "off"})
"""A local stack that nothing watches: tests of the monitoring say how much of it they want."""

LITE: Final[tuple[ImageName, ...]] = ("prometheus", "alertmanager", "node-exporter", "blackbox-exporter")
"""What watches a stack with `monitoring: lite`."""

ALIYUN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "target": "aliyun",
        "tier": "2C4G",
        "serverName": "example.com",
        "region": "cn-hangzhou",
        "zone": "cn-hangzhou-k",
        "imageId": "debian_12_13_x64_20G_alibase_20260828.vhd",
        "adminCidrs": "203.0.113.7/32,192.0.2.0/24",
        "dnsDomain": "example.com",
        "certificates": "self-signed",
    }
)
"""A stack on Aliyun with every required key, and no CA that would have to be asked."""


def stack_file(stack: str) -> Mapping[str, str]:
    """Return the keys of a stack's file in the repository."""
    path = Path(__file__).resolve().parent.parent / f"Pulumi.{stack}.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
    return {key.removeprefix(f"{PROJECT}:"): text for key, text in config.items()}


def settings(stack: str = "local", **keys: str) -> Settings:
    """Return the settings of a local stack with some keys set."""
    return parse(stack, {**LOCAL, **keys, **SECRETS}, set(SECRETS))


def cloud_settings(stack: str = "cloud", **keys: str) -> Settings:
    """Return the settings of a stack on Aliyun with some keys set."""
    return parse(stack, {**ALIYUN, **keys, **SECRETS}, set(SECRETS))
