"""The program: settings, a Docker engine, services on it, outputs. Here is the one place where services meet."""

from __future__ import annotations

import os
import sys
from types import TracebackType

from components.docker_location import docker_location
from components.monitoring import MonitoringArgs, monitoring
from components.platform import Platform
from components.services.acme import Acme, AcmeArgs
from components.services.certificates import Certificates, CertificatesArgs
from components.services.conduit import Conduit, ConduitArgs
from components.services.dendrite import Dendrite, DendriteArgs
from components.services.nginx import NGINX_URL, NGINX_USER, Nginx, NginxArgs
from components.services.redis import Redis, RedisArgs
from components.services.synapse import Synapse, SynapseArgs
from components.stack_outputs import StackOutputs, export
from config.settings import load, secret


def main() -> None:
    """Declare the stack."""
    settings = load(os.environ)
    platform = Platform(settings, docker_location(settings))
    certificates = Certificates("certificates", CertificatesArgs(settings=settings))
    redis = (
        Redis("redis", RedisArgs(platform=platform, password=secret("redisPassword")), platform.options)
        if settings.redis
        else None
    )
    token = secret("registrationToken") if settings.registration_by_token else None
    homeserver: Conduit | Dendrite | Synapse
    if settings.homeserver == "conduit":
        homeserver = Conduit("conduit", ConduitArgs(platform=platform, registration_token=token), platform.options)
    elif settings.homeserver == "dendrite":
        homeserver = Dendrite(
            "dendrite",
            DendriteArgs(platform=platform, registration_secret=secret("dendriteRegistrationSecret")),
            platform.options,
        )
    else:
        homeserver = Synapse(
            "synapse",
            SynapseArgs(
                platform=platform,
                registration_token=token,
                registration_secret=secret("synapseRegistrationSecret"),
                macaroon_secret=secret("synapseMacaroonSecret"),
                form_secret=secret("synapseFormSecret"),
                registrar_password=secret("synapseRegistrarPassword"),
                redis_address=redis.address if redis else None,
                redis_password=secret("redisPassword") if redis else None,
            ),
            platform.options,
        )
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
            upstream=homeserver.upstream,
            certificate=certificates.files,
            acme=acme.container if acme else None,
        ),
        platform.options,
    )
    monitoring(
        MonitoringArgs(
            platform=platform,
            certificates=certificates,
            acme=acme,
            homeserver=homeserver,
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
