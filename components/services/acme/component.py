"""The ACME client: it has a CA issue the stack's certificate, renews it, and puts it where Nginx reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import pulumi
import pulumi_docker as docker

from components.container import (
    CONFIG_MOUNT,
    PROBE_MOUNT,
    ContainerSpec,
    Mount,
    NetworkAttachment,
    after,
    http_probe,
    service_container,
)
from components.platform import Platform
from components.seed import Seed, SeedArgs, SharedVolume
from components.services.acme.render import AcmeConfig, render_files
from config.scraping import ScrapeJob

USER: Final = 2001
METRICS_PORT: Final = 9402
"""Health and metrics, on the stack's own networks only."""
ALIAS: Final = "acme"
_ACCOUNT_MOUNT: Final = "/account"
_CERTIFICATES_MOUNT: Final = "/certificates"


@final
@dataclass(frozen=True, kw_only=True)
class AcmeArgs:
    """Inputs of :class:`Acme`."""

    platform: Platform
    initial: Mapping[str, pulumi.Output[str]]
    """``tls/fullchain.pem`` and ``tls/privkey.pem``: served until the CA has issued a certificate."""
    reader: int
    """Group of Nginx: it may read certificates and challenges, and nobody else."""
    edge: str
    """Base URL of Nginx for plain HTTP, on the edge network."""
    alidns: pulumi.Output[str] | None
    """Access key of Alidns, ``id:secret``, for DNS-01."""
    binding: pulumi.Output[str] | None
    """External account binding, ``id:key``."""


@final
class Acme(pulumi.ComponentResource):
    """A container that keeps a certificate in the volume ``platform.volumes.certificates``."""

    container: docker.Container
    job: ScrapeJob

    def __init__(self, name: str, args: AcmeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("matrix:service:Acme", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        platform, settings = args.platform, args.platform.settings
        config = AcmeConfig(
            directory=settings.acme.acme_directory,
            email=settings.acme.acme_email,
            names=settings.certificate_names,
            challenge="dns-01" if settings.certificates == "acme-dns" else "http-01",
            edge=args.edge,
            extra_ca=settings.extra_ca,
        )
        networks = [NetworkAttachment(network=platform.networks.edge.name, aliases=(ALIAS,))]
        if settings.monitoring != "off":
            networks.append(NetworkAttachment(network=platform.networks.monitoring.name, aliases=(ALIAS,)))
        files: dict[str, pulumi.Input[str]] = {
            **render_files(config),
            "initial/fullchain.pem": args.initial["tls/fullchain.pem"],
            "initial/privkey.pem": args.initial["tls/privkey.pem"],
        }
        if args.alidns is not None:
            files["secrets/alidns"] = args.alidns
        if args.binding is not None:
            files["secrets/binding"] = args.binding
        seed = Seed(
            name,
            SeedArgs(
                host=platform.host,
                owner=USER,
                files=files,
                data_volumes=[platform.volumes.acme],
                shared_volumes=[SharedVolume(volume=platform.volumes.certificates, group=args.reader)],
            ),
            child,
        )
        self.container = service_container(
            name,
            platform.host,
            ContainerSpec(
                image=platform.images["acme"],
                user=USER,
                # What it writes belongs to Nginx' group by this alone; the account's folder is closed to groups.
                group=args.reader,
                budget=platform.tier.budgets["acme"],
                processes=64,
                entrypoint=["/usr/bin/acme"],
                command=["run"],
                mounts=[
                    Mount(volume=seed.volume.name, target=CONFIG_MOUNT),
                    Mount(volume=platform.volumes.acme.name, target=_ACCOUNT_MOUNT, read_only=False),
                    Mount(volume=platform.volumes.certificates.name, target=_CERTIFICATES_MOUNT, read_only=False),
                    Mount(volume=platform.probe.volume, target=PROBE_MOUNT),
                ],
                networks=networks,
                dns=settings.dns_servers,
                health=http_probe(METRICS_PORT, "/health"),
            ),
            child,
            wait_timeout=after(seed.one_shot, platform.probe.one_shot, seconds=60),
        )
        self.job = ScrapeJob(name="acme", address=f"{ALIAS}:{METRICS_PORT}")
        self.register_outputs({"container": self.container.name})
