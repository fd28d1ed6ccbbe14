"""The program: settings, a Docker engine, services on it, outputs. Here is the one place where services meet."""

from __future__ import annotations

import os
import sys
from types import TracebackType

from components.docker_location import docker_location
from components.homeserver import homeserver
from components.monitoring import MonitoringArgs, monitoring
from components.platform import Platform
from components.services.acme import Acme, AcmeArgs
from components.services.certificates import Certificates, CertificatesArgs
from components.services.coturn import Coturn, CoturnArgs
from components.services.nginx import NGINX_URL, NGINX_USER, Nginx, NginxArgs
from components.services.redis import Redis, RedisArgs
from components.stack_outputs import StackOutputs, export
from config.secret_keys import secret
from config.settings import load


def main() -> None:
    """Declare the stack."""
    settings = load(os.environ)
    platform = Platform(settings, docker_location(settings))
    certificates = Certificates("certificates", CertificatesArgs(settings=settings))
    redis = None
    if settings.redis:
        redis = Redis("redis", RedisArgs(platform=platform, password=secret("redisPassword")), platform.options)
    token = secret("registrationToken") if settings.registration_by_token else None
    server = homeserver(platform, redis, token)
    acme = None
    if settings.certificates != "self-signed":
        args = AcmeArgs(
            platform=platform,
            initial=certificates.files,
            reader=NGINX_USER,
            edge=NGINX_URL,
            alidns=secret("alidnsAccessKey") if settings.certificates == "acme-dns" else None,
            binding=secret("acmeBinding") if settings.acme.bound else None,
        )
        acme = Acme("acme", args, platform.options)
    nginx = Nginx(
        "nginx",
        NginxArgs(
            platform=platform,
            upstream=server.upstream,
            certificate=certificates.files,
            dashboards_password=secret("dashboardsPassword") if settings.dashboards_over_https else None,
            acme=acme.container if acme else None,
        ),
        platform.options,
    )
    if settings.calls.turn:
        Coturn("coturn", CoturnArgs(platform=platform, secret=secret("turnSecret")), platform.options)
    monitoring(
        MonitoringArgs(
            platform=platform,
            certificates=certificates,
            acme=acme,
            homeserver=server,
            nginx=nginx,
            redis=redis,
        )
    )
    ca_pem = settings.extra_ca if acme else certificates.ca_pem
    export(StackOutputs(platform=platform, ca_pem=ca_pem, registration_token=token))


def _quiet_interrupt(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    # When a resource fails, the language host interrupts this process: the reason has been printed by then, and
    # Python's traceback of the interrupt would bury it.
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _quiet_interrupt
main()
