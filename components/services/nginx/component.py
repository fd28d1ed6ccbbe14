"""Nginx: the edge, and the only container whose ports are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
    CONFIG_MOUNT,
    LABEL_STACK,
    PROBE_MOUNT,
    ContainerSpec,
    Mount,
    NetworkAttachment,
    PublishedPort,
    after,
    http_probe,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs
from components.services.nginx.render import (
    CERTIFICATES_MOUNT,
    PASSWORD_FILE,
    NginxConfig,
    password_line,
    render_files,
)
from config.outputs import well_known
from config.scraping import (
    CANARY_PORT,
    GRAFANA_ALIAS,
    GRAFANA_PORT,
    LOG_MOUNT,
    LOG_SOCKET,
    PROMETHEUS_ALIAS,
    PROMETHEUS_PORT,
)

USER: Final = 2100
HTTP, HTTPS, FEDERATION, OWN_HEALTH = 8080, 8443, 8448, 8081
"""Ports inside the container: above 1024, so that binding them takes no right on any Docker engine."""
ALIAS: Final = "nginx"
PLAIN_URL: Final = f"http://{ALIAS}:{HTTP}"
"""Where it is reached without TLS on the edge network."""


@final
@dataclass(frozen=True, kw_only=True)
class NginxArgs:
    """Inputs of :class:`Nginx`."""

    platform: Platform
    upstream: str
    """Address and port of the homeserver."""
    certificate: Mapping[str, pulumi.Output[str]]
    """Path in the config volume, and text, of certificate and key."""
    dashboards_password: pulumi.Output[str] | None
    """What is asked for before the dashboards are shown; None: they are not shown here."""
    acme: docker.Container | None
    """The ACME client, whose certificate is served then, once it is healthy; None: the one in the config volume is."""


@final
class Nginx(pulumi.ComponentResource):
    """TLS, redirects, limits and the way to the homeserver."""

    container: docker.Container
    client_address: str
    """Host name and port where clients are served, on the edge network."""
    federation_address: str
    """The same for other homeservers."""
    log: docker.Volume | None
    """Where somebody may listen at a socket for what was answered, line by line."""

    def __init__(self, name: str, args: NginxArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Nginx", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, settings = args.platform, args.platform.settings
        self.log = self._log(name, platform) if settings.monitoring == "full" else None
        config = NginxConfig(
            server_name=settings.server_name,
            matrix_host=settings.matrix_host,
            client_url=settings.homeserver_url,
            https_port=settings.https_port,
            federation=settings.federation,
            synapse=settings.homeserver == "synapse",
            upstream=args.upstream,
            upload_limit=settings.upload_limit,
            workers=platform.tier.cpus,
            well_known=well_known(settings),
            canary=f"{platform.addresses.canary}:{CANARY_PORT}" if settings.canary else "",
            log_socket=LOG_SOCKET if self.log else "",
            dashboards=_dashboards(args),
            issued=args.acme is not None,
        )
        seed = Seed(
            name,
            SeedArgs(host=platform.host, owner=USER, files={**render_files(config), **_files(args)}),
            child,
        )
        ports = {HTTP: settings.http_port, HTTPS: settings.https_port}
        if settings.federation:
            ports[FEDERATION] = settings.federation_port
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["nginx"],
                user=USER,
                budget=platform.tier.budgets["nginx"],
                processes=64,
                entrypoint=["nginx"],
                command=["-e", "stderr", "-c", f"{CONFIG_MOUNT}/nginx.conf", "-g", "daemon off;"],
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                    *([Mount(volume=self.log.name, target=LOG_MOUNT)] if self.log else []),
                    *_certificates(args),
                ],
                networks=[
                    NetworkAttachment(network=platform.networks.edge.name, aliases=(ALIAS,)),
                    *([NetworkAttachment(network=platform.networks.operators.name)] if config.dashboards else []),
                ],
                ports=[
                    PublishedPort(internal=internal, external=external, address=settings.bind_address)
                    for internal, external in ports.items()
                ],
                health=http_probe(OWN_HEALTH, "/health"),
            ),
            pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[args.acme] if args.acme else None)),
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=60),
        )
        self.client_address = f"{ALIAS}:{HTTPS}"
        self.federation_address = f"{ALIAS}:{FEDERATION}"
        self.register_outputs({"container": self.container.name})

    def _log(self, name: str, platform: Platform) -> docker.Volume:
        return docker.Volume(
            f"{name}-log",
            name=f"{platform.host.prefix}-{name}-log",
            labels=[docker.VolumeLabelArgs(label=LABEL_STACK, value=platform.host.stack)],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _files(args: NginxArgs) -> Mapping[str, pulumi.Output[str]]:
    """Return the files with secrets. The ACME client's are not in the config: nor is a key that nobody uses."""
    files = {path: text for path, text in args.certificate.items() if not (args.acme and path.startswith("tls/"))}
    if args.dashboards_password is None:
        return files
    stack = args.platform.settings.stack
    return {**files, PASSWORD_FILE: args.dashboards_password.apply(lambda text: password_line(stack, text))}


def _dashboards(args: NginxArgs) -> Mapping[str, str]:
    if args.dashboards_password is None:
        return {}
    grafana = {"grafana": f"{GRAFANA_ALIAS}:{GRAFANA_PORT}"} if args.platform.settings.grafana else {}
    return {**grafana, "prometheus": f"{PROMETHEUS_ALIAS}:{PROMETHEUS_PORT}"}


def _certificates(args: NginxArgs) -> list[Mount]:
    return [Mount(volume=args.platform.volumes.certificates.name, target=CERTIFICATES_MOUNT)] if args.acme else []
