"""The monitoring of a stack: where its services meet, as the others meet in ``__main__.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from components.platform import Platform
from components.services.acme import Acme
from components.services.alert_relay import AlertRelay, AlertRelayArgs
from components.services.alertmanager import Alertmanager, AlertmanagerArgs
from components.services.blackbox_exporter import BlackboxExporter, BlackboxExporterArgs
from components.services.cadvisor import Cadvisor, CadvisorArgs
from components.services.canary import Canary, CanaryArgs
from components.services.certificates import Certificates
from components.services.conduit import Conduit
from components.services.dendrite import Dendrite
from components.services.facts import Facts, FactsArgs
from components.services.grafana import Grafana, GrafanaArgs
from components.services.mtail import Mtail, MtailArgs
from components.services.nginx import Nginx
from components.services.node_exporter import NodeExporter, NodeExporterArgs
from components.services.prometheus import Prometheus, PrometheusArgs
from components.services.redis import Redis
from components.services.redis_exporter import RedisExporter, RedisExporterArgs
from components.services.synapse import Synapse
from components.trust import edge_authorities
from config.alerts import render_rules, rule_file
from config.homeservers import HOMESERVERS
from config.probes import probes
from config.scraping import HOMESERVER_ALIAS, ScrapeJob
from config.secret_keys import secret


@final
@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What is monitored."""

    platform: Platform
    certificates: Certificates
    acme: Acme | None
    homeserver: Conduit | Dendrite | Synapse
    nginx: Nginx
    redis: Redis | None


def monitoring(args: MonitoringArgs) -> None:
    """Declare as much of the monitoring as the settings say."""
    platform = args.platform
    settings, options = platform.settings, platform.options
    if settings.monitoring == "off":
        return
    asked = probes(
        settings,
        edge=args.nginx.client_address,
        federation=args.nginx.federation_address,
        homeserver=args.homeserver.upstream,
    )
    node = NodeExporter("node-exporter", NodeExporterArgs(platform=platform), options)
    blackbox = BlackboxExporter(
        "blackbox-exporter",
        BlackboxExporterArgs(
            platform=platform, probes=asked, ca_pem=edge_authorities(settings, args.certificates.ca_pem)
        ),
        options,
    )
    alertmanager = _alerting(args)
    jobs = [node.job, alertmanager.job]
    if args.acme is not None:
        jobs.append(args.acme.job)
    if settings.monitoring == "full":
        jobs += _inside(args, node)
    prometheus = Prometheus(
        "prometheus",
        PrometheusArgs(
            platform=platform,
            jobs=jobs,
            probes=asked,
            blackbox=blackbox.address,
            rules=render_rules(rule_file(settings)),
            alertmanager=alertmanager.address,
        ),
        options,
    )
    if settings.grafana:
        Grafana(
            "grafana",
            GrafanaArgs(
                platform=platform,
                prometheus=prometheus.address,
                admin_password=secret("grafanaAdminPassword"),
                secret_key=secret("grafanaSecretKey"),
            ),
            options,
        )


def _alerting(args: MonitoringArgs) -> Alertmanager:
    """Declare who decides whether people are told, and who tells them, where there is somebody to tell."""
    platform, options, alerting = args.platform, args.platform.options, args.platform.settings.alerting
    relay = ""
    if alerting.alerts:
        secrets = {name: secret(name) for name in alerting.secrets}
        relay = AlertRelay("alert-relay", AlertRelayArgs(platform=platform, secrets=secrets), options).address
    return Alertmanager("alertmanager", AlertmanagerArgs(platform=platform, relay=relay), options)


def _inside(args: MonitoringArgs, node: NodeExporter) -> list[ScrapeJob]:
    """Declare what tells of the parts of the stack from inside, and return what Prometheus asks for it."""
    platform, options, settings = args.platform, args.platform.options, args.platform.settings
    Facts("facts", FactsArgs(platform=platform, textfiles=node.textfiles), options)
    jobs = [Cadvisor("cadvisor", CadvisorArgs(platform=platform), options).job]
    if args.nginx.log is not None:
        jobs.append(Mtail("mtail", MtailArgs(platform=platform, log=args.nginx.log), options).job)
    if args.redis is not None:
        exporter = RedisExporterArgs(platform=platform, redis=args.redis.address, password=secret("redisPassword"))
        jobs.append(RedisExporter("redis-exporter", exporter, options).job)
    if args.homeserver.metrics is not None:
        jobs.append(args.homeserver.metrics)
    if settings.canary:
        facts = HOMESERVERS[settings.homeserver]
        canary = CanaryArgs(
            platform=platform,
            homeserver=f"{HOMESERVER_ALIAS}:{facts.port}",
            register_by=facts.canary_by,
            registration=secret(facts.canary_secret),
            password=secret("canaryPassword"),
            edge=args.nginx.client_address,
            ca_pem=edge_authorities(settings, args.certificates.ca_pem),
        )
        jobs.append(Canary("canary", canary, options).job)
    return jobs
