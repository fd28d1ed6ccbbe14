"""What each alert rule does with measured series: when it fires and when it does not.

Values are written as promtool writes them: ``1+0x8`` is nine samples of 1, ``_`` is one that is missing, one every
fifteen seconds unless a case says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CONDUIT = "0c" * 32
NGINX = "1d" * 32
GONE = "2e" * 32
"""Ids of containers; the last one was removed, and its control group lingers."""

INFO = {
    f'matrix_container_info{{id="{CONDUIT}", name="matrix-local-conduit"}}': "1+0x400",
    f'matrix_container_info{{id="{NGINX}", name="matrix-local-nginx"}}': "1+0x400",
}
CLIENT = 'probe_success{job="blackbox", probe="matrix_client"}'
FEDERATION = 'probe_success{job="blackbox", probe="matrix_federation"}'
EXPIRY = 'probe_ssl_earliest_cert_expiry{job="blackbox", instance="https://localhost"}'
RENEW_AT = 'acme_certificate_renew_at_timestamp_seconds{job="acme", instance="acme:9402"}'
ISSUED = 'acme_certificate_issued{job="acme", instance="acme:9402"}'
HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True, kw_only=True)
class Firing:
    """One alert that is expected: its labels besides name and severity, and its description."""

    labels: Mapping[str, str] = field(default_factory=dict)
    says: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One set of series, and what fires at one moment. Nothing: the rule is silent."""

    rule: str
    what: str
    series: Mapping[str, str]
    at: str
    fires: Sequence[Firing] = ()
    interval: str = "15s"


def named(series: str, container: str) -> str:
    """Return one of cAdvisor's series, which knows a container by its control group."""
    return f'{series}{{id="/docker/{container}", job="cadvisor"}}'


def responses(vhost: str, status: int) -> str:
    return f'nginx_http_responses_total{{vhost="{vhost}", status="{status}", method="GET"}}'


def disk(kind: str, mount: str, device: str) -> str:
    return f'node_filesystem_{kind}_bytes{{mountpoint="{mount}", device="{device}", fstype="ext4"}}'


_ACME = {"job": "acme", "instance": "acme:9402"}
_PROBE_LABELS = {"job": "blackbox", "probe": "matrix_client"}

MATRIX = (
    Case(
        rule="HomeserverDown",
        what="answers stopped half a minute ago",
        series={CLIENT: "1+0x4 0+0x20"},
        at="1m45s",
    ),
    Case(
        rule="HomeserverDown",
        what="answers stopped more than a minute ago",
        series={CLIENT: "1+0x4 0+0x20"},
        at="2m30s",
        fires=[Firing(labels=_PROBE_LABELS)],
    ),
    Case(
        rule="HomeserverDown",
        what="one probe in four fails",
        series={CLIENT: "1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0"},
        at="5m",
    ),
    Case(
        rule="HomeserverDown",
        what="it answers again, and what follows from the outage has not cleared yet",
        series={CLIENT: "0+0x8 1+0x20"},
        at="2m45s",
        fires=[Firing(labels=_PROBE_LABELS)],
    ),
    Case(rule="HomeserverDown", what="it answers again for good", series={CLIENT: "0+0x8 1+0x20"}, at="4m"),
    Case(
        rule="HomeserverDown",
        what="there is no such probe",
        series={'up{job="node"}': "1+0x20"},
        at="2m",
        fires=[Firing(labels={"probe": "matrix_client"})],
    ),
    Case(
        rule="HomeserverDown",
        what="the exporter that probes is down, which TargetDown tells",
        series={'up{job="blackbox", probe="matrix_client"}': "0+0x20"},
        at="3m",
    ),
    Case(
        rule="HomeserverWriteProbeFailing",
        what="messages come back",
        series={"matrix_canary_success": "1+0x80", "matrix_canary_timestamp_seconds": "0+15x80"},
        at="20m",
    ),
    Case(
        rule="HomeserverWriteProbeFailing",
        what="messages do not come back",
        series={"matrix_canary_success": "0+0x80", "matrix_canary_timestamp_seconds": "0+15x80"},
        at="6m",
        fires=[Firing()],
    ),
    Case(
        rule="HomeserverWriteProbeFailing",
        what="messages have not come back for four minutes",
        series={"matrix_canary_success": "1+0x4 0+0x40", "matrix_canary_timestamp_seconds": "0+15x80"},
        at="5m",
    ),
    Case(
        rule="HomeserverWriteProbeFailing",
        what="nobody has tried for more than a quarter of an hour",
        series={"matrix_canary_success": "1+0x120", "matrix_canary_timestamp_seconds": "0+0x120"},
        at="21m",
        fires=[Firing()],
    ),
    Case(
        rule="HomeserverWriteProbeFailing",
        what="nobody has tried for fourteen minutes",
        series={"matrix_canary_success": "1+0x120", "matrix_canary_timestamp_seconds": "0+0x120"},
        at="14m",
    ),
    Case(
        rule="HomeserverWriteProbeFailing",
        what="nobody tries at all",
        series={'up{job="node"}': "1+0x40"},
        at="6m",
        fires=[Firing()],
    ),
    Case(
        rule="HomeserverWriteProbeFailing",
        what="the exporter that says so is down, which TargetDown tells",
        series={'up{job="canary"}': "0+0x40"},
        at="6m",
    ),
    Case(rule="FederationEndpointDown", what="no answer for four minutes", series={FEDERATION: "0+0x40"}, at="4m"),
    Case(
        rule="FederationEndpointDown",
        what="no answer for six minutes",
        series={FEDERATION: "0+0x40"},
        at="6m",
        fires=[Firing(labels={"job": "blackbox", "probe": "matrix_federation"})],
    ),
    Case(
        rule="FederationEndpointDown",
        what="there is no such probe",
        series={'up{job="blackbox"}': "1+0x40"},
        at="6m",
        fires=[Firing(labels={"probe": "matrix_federation"})],
    ),
    Case(
        rule="FederationEndpointDown",
        what="the exporter that probes is down",
        series={'up{job="blackbox"}': "0+0x40"},
        at="6m",
    ),
    Case(
        rule="HighErrorRatio5xx",
        what="one answer in eleven is an error; another vhost has none, a third few requests, a fourth hardly any",
        series={
            CLIENT: "1+0x60",
            responses("client", 200): "0+10x60",
            responses("client", 502): "0+1x60",
            responses("federation", 200): "0+10x60",
            responses("few", 200): "0+1x60",
            responses("few", 500): "0+1x60",
            responses("idle", 502): "0+1x60",
        },
        at="12m",
        fires=[
            Firing(labels={"vhost": "client"}, says="client: 9.091%"),
            Firing(labels={"vhost": "few"}, says="few: 50%"),
        ],
    ),
    Case(
        rule="HighErrorRatio5xx",
        what="one answer in twenty-five is an error, and people may ask for what is not there",
        series={
            CLIENT: "1+0x60",
            responses("client", 200): "0+14x60",
            responses("client", 404): "0+10x60",
            responses("client", 500): "0+1x60",
        },
        at="12m",
    ),
    Case(
        rule="HighErrorRatio5xx",
        what="errors began four minutes ago",
        series={
            CLIENT: "1+0x60",
            responses("client", 200): "0+10x60",
            responses("client", 502): "0+0x20 10+10x40",
        },
        at="9m",
    ),
    Case(
        rule="HighErrorRatio5xx",
        what="errors that began after an outage was over",
        series={
            CLIENT: "0+0x12 1+0x100",
            responses("client", 200): "0+10x100",
            responses("client", 502): "0+0x40 10+10x60",
        },
        at="17m",
        fires=[Firing(labels={"vhost": "client"}, says="client: 50%")],
    ),
    Case(
        rule="HighErrorRatio5xx",
        what="the window still holds the errors of an outage that was told and is over",
        series={
            CLIENT: "1+0x20 0+0x30 1+0x40",
            responses("client", 200): "0+10x20 200+0x30 210+10x40",
            responses("client", 502): "0+0x20 0+10x30 310+0x40",
        },
        at="14m30s",
    ),
    Case(rule="CertificateExpiresSoon", what="15 days left", series={EXPIRY: f"{15 * DAY}+0x200"}, at="30m"),
    Case(
        rule="CertificateExpiresSoon",
        what="13 days left, and every other probe fails",
        series={EXPIRY: f"{13 * DAY + 1200} " + f"_ {13 * DAY + 1200} " * 50},
        at="20m",
        fires=[Firing(labels={"instance": "https://localhost"}, says="https://localhost: 13d 0h 0m 0s")],
    ),
    Case(
        rule="CertificateExpiresSoon",
        what="13 days left for ten minutes",
        series={EXPIRY: f"{90 * DAY}+0x20 {13 * DAY}+0x100"},
        at="15m",
    ),
    Case(
        rule="CertificateExpiresSoon",
        what="no probe has seen it for twenty minutes, which HomeserverDown tells",
        series={EXPIRY: f"{13 * DAY}+0x40", CLIENT: "0+0x200"},
        at="31m",
    ),
    Case(
        rule="CertificateNotRenewed",
        what="renewal has been due for five hours",
        series={RENEW_AT: f"{HOUR}+0x400", ISSUED: "1+0x400"},
        at="6h",
        interval="1m",
    ),
    Case(
        rule="CertificateNotRenewed",
        what="and for seven",
        series={RENEW_AT: f"{HOUR}+0x500", ISSUED: "1+0x500"},
        at="8h",
        interval="1m",
        fires=[Firing(labels=_ACME)],
    ),
    Case(
        rule="CertificateNotRenewed",
        what="it is renewed after five hours",
        series={RENEW_AT: f"{HOUR}+0x360 {60 * DAY}+0x200", ISSUED: "1+0x500"},
        at="8h",
        interval="1m",
    ),
    Case(
        rule="CertificateNotRenewed",
        what="no CA has issued one for seven hours",
        series={RENEW_AT: f"{60 * DAY}+0x500", ISSUED: "0+0x500"},
        at="7h",
        interval="1m",
        fires=[Firing(labels=_ACME)],
    ),
    Case(rule="RedisDown", what="it answers", series={"redis_up": "1+0x20"}, at="4m"),
    Case(rule="RedisDown", what="no answer for a minute", series={"redis_up": "1+0x4 0+0x20"}, at="1m45s"),
    Case(rule="RedisDown", what="none for longer", series={"redis_up": "1+0x4 0+0x20"}, at="3m", fires=[Firing()]),
    Case(
        rule="RedisDown",
        what="it answers again, and what follows from the outage has not cleared yet",
        series={"redis_up": "0+0x8 1+0x20"},
        at="2m45s",
        fires=[Firing()],
    ),
    Case(rule="RedisDown", what="it answers again for good", series={"redis_up": "0+0x8 1+0x20"}, at="4m"),
    Case(rule="RedisDown", what="nobody asks", series={'up{job="node"}': "1+0x20"}, at="2m", fires=[Firing()]),
    Case(rule="RedisDown", what="the exporter is down", series={'up{job="redis"}': "0+0x20"}, at="2m"),
)

CONTAINERS = (
    Case(
        rule="ContainerMemoryNearLimit",
        what="95 % of the limit; another container has none; a third was removed",
        series={
            **INFO,
            named("container_memory_working_set_bytes", CONDUIT): "950+0x40",
            named("container_spec_memory_limit_bytes", CONDUIT): "1000+0x40",
            named("container_memory_working_set_bytes", NGINX): "950+0x40",
            named("container_spec_memory_limit_bytes", NGINX): "0+0x40",
            named("container_memory_working_set_bytes", GONE): "950+0x40",
            named("container_spec_memory_limit_bytes", GONE): "1000+0x40",
            named("container_memory_working_set_bytes", f"{CONDUIT}/system.slice/ssh.service"): "20+0x40",
            named("container_spec_memory_limit_bytes", f"{CONDUIT}/system.slice/ssh.service"): "1000+0x40",
            'container_memory_working_set_bytes{id="/docker", job="cadvisor"}': "950+0x40",
            'container_spec_memory_limit_bytes{id="/docker", job="cadvisor"}': "1000+0x40",
        },
        at="8m",
        fires=[Firing(labels={"id": CONDUIT, "name": "matrix-local-conduit"}, says="matrix-local-conduit: 95%")],
    ),
    Case(
        rule="ContainerMemoryNearLimit",
        what="95 % with the systemd driver of control groups",
        series={
            **INFO,
            f'container_memory_working_set_bytes{{id="/system.slice/docker-{NGINX}.scope"}}': "950+0x40",
            f'container_spec_memory_limit_bytes{{id="/system.slice/docker-{NGINX}.scope"}}': "1000+0x40",
        },
        at="8m",
        fires=[Firing(labels={"id": NGINX, "name": "matrix-local-nginx"}, says="matrix-local-nginx: 95%")],
    ),
    Case(
        rule="ContainerMemoryNearLimit",
        what="85 % of the limit, and 95 % for four minutes",
        series={
            **INFO,
            named("container_memory_working_set_bytes", CONDUIT): "850+0x10 950+0x40",
            named("container_spec_memory_limit_bytes", CONDUIT): "1000+0x60",
            named("container_memory_working_set_bytes", NGINX): "850+0x60",
            named("container_spec_memory_limit_bytes", NGINX): "1000+0x60",
        },
        at="6m30s",
    ),
    Case(
        rule="ContainerOOMKilled",
        what="one kill in one of two containers",
        series={
            'matrix_container_oom_kills_total{name="matrix-local-conduit"}': "0+0x8 1+0x40",
            'matrix_container_oom_kills_total{name="matrix-local-redis"}': "3+0x50",
        },
        at="4m",
        fires=[Firing(labels={"name": "matrix-local-conduit"}, says="matrix-local-conduit")],
    ),
    Case(
        rule="ContainerOOMKilled",
        what="a kill of a quarter of an hour ago",
        series={'matrix_container_oom_kills_total{name="matrix-local-conduit"}': "0+0x8 1+0x80"},
        at="17m",
    ),
    Case(
        rule="ContainerRestartLoop",
        what="restarts of one, a single restart of another",
        series={
            'matrix_container_restarts_total{name="matrix-local-conduit"}': "0 0 1 1 2 2 3 3 4+0x40",
            'matrix_container_restarts_total{name="matrix-local-nginx"}': "0 0 1+0x40",
        },
        at="6m",
        fires=[Firing(labels={"name": "matrix-local-conduit"}, says="matrix-local-conduit")],
    ),
    Case(
        rule="ContainerRestartLoop",
        what="two restarts in a quarter of an hour, and three in forty minutes",
        series={
            'matrix_container_restarts_total{name="matrix-local-conduit"}': "0+0x100 1+0x10 2+0x60",
            'matrix_container_restarts_total{name="matrix-local-redis"}': "0+0x10 1+0x60 2+0x60 3+0x60",
        },
        at="38m",
    ),
    Case(
        rule="ContainerUnhealthy",
        what="unhealthy for two minutes, and for good a while ago",
        series={'matrix_container_health{name="matrix-local-nginx"}': "0+0x20 1+0x10 0+0x8"},
        at="9m30s",
    ),
    Case(
        rule="ContainerUnhealthy",
        what="unhealthy for four minutes",
        series={
            'matrix_container_health{name="matrix-local-nginx"}': "1+0x4 0+0x40",
            'matrix_container_health{name="matrix-local-redis"}': "1+0x40",
        },
        at="6m",
        fires=[Firing(labels={"name": "matrix-local-nginx"}, says="matrix-local-nginx")],
    ),
    Case(
        rule="ContainerStateStale",
        what="collected every minute",
        series={"matrix_container_state_timestamp_seconds": "0 0 0 0 60+0x3 120+0x3 180+0x3 240+0x3 300+0x3 360+0x3"},
        at="7m",
    ),
    Case(
        rule="ContainerStateStale",
        what="collected more than three minutes ago at any time",
        series={"matrix_container_state_timestamp_seconds": "-200+15x80"},
        at="15m",
    ),
    Case(
        rule="ContainerStateStale",
        what="not collected for eight minutes",
        series={"matrix_container_state_timestamp_seconds": "0+0x80"},
        at="8m",
    ),
    Case(
        rule="ContainerStateStale",
        what="not collected for more than ten minutes",
        series={"matrix_container_state_timestamp_seconds": "0+0x80"},
        at="11m",
        fires=[Firing()],
    ),
    Case(
        rule="ContainerStateStale",
        what="never collected",
        series={'up{job="node"}': "1+0x40"},
        at="6m",
        fires=[Firing()],
    ),
    Case(
        rule="ContainerStateStale",
        what="the exporter that says so is down, which TargetDown tells",
        series={'up{job="node"}': "0+0x40"},
        at="6m",
    ),
    Case(
        rule="ContainerCPUThrottled",
        what="throttled in a third of the periods, and in a fifth",
        series={
            **INFO,
            named("container_cpu_cfs_periods_total", CONDUIT): "0+150x100",
            named("container_cpu_cfs_throttled_periods_total", CONDUIT): "0+50x100",
            named("container_cpu_cfs_periods_total", NGINX): "0+150x100",
            named("container_cpu_cfs_throttled_periods_total", NGINX): "0+30x100",
        },
        at="22m",
        fires=[Firing(labels={"name": "matrix-local-conduit"}, says="matrix-local-conduit: 33.33%")],
    ),
    Case(
        rule="ContainerCPUThrottled",
        what="throttled for ten minutes only",
        series={
            **INFO,
            named("container_cpu_cfs_periods_total", CONDUIT): "0+150x100",
            named("container_cpu_cfs_throttled_periods_total", CONDUIT): "0+0x20 0+100x80",
        },
        at="15m",
    ),
)

HOST = (
    Case(
        rule="HostOOMKill",
        what="one kill more than a minute ago",
        series={'node_vmstat_oom_kill{job="node"}': "2+0x8 3+0x40"},
        at="4m",
        fires=[Firing(labels={"job": "node"})],
    ),
    Case(
        rule="HostOOMKill",
        what="one kill half a minute ago, of which a container's own alert may still come",
        series={'node_vmstat_oom_kill{job="node"}': "2+0x8 3+0x40"},
        at="2m45s",
    ),
    Case(rule="HostOOMKill", what="a kill of long ago", series={"node_vmstat_oom_kill": "6+0x8 7+0x80"}, at="15m"),
    Case(
        rule="DiskSpaceLow",
        what="two volumes on a disk with 10 % free, one on another with 20 %, and a full one that nobody watches",
        series={
            disk("avail", "/fs/synapse-data", "/dev/vdb"): "10+0x60",
            disk("size", "/fs/synapse-data", "/dev/vdb"): "100+0x60",
            disk("avail", "/fs/redis-data", "/dev/vdb"): "10+0x60",
            disk("size", "/fs/redis-data", "/dev/vdb"): "100+0x60",
            disk("avail", "/fs/root", "/dev/vda"): "20+0x60",
            disk("size", "/fs/root", "/dev/vda"): "100+0x60",
            disk("avail", "/mnt/cdrom", "/dev/sr0"): "0+0x60",
            disk("size", "/mnt/cdrom", "/dev/sr0"): "100+0x60",
        },
        at="12m",
        fires=[Firing(labels={"device": "/dev/vdb"}, says="/dev/vdb: 10%")],
    ),
    Case(
        rule="DiskSpaceLow",
        what="full for eight minutes",
        series={
            disk("avail", "/fs/root", "/dev/vda"): "30+0x20 5+0x60",
            disk("size", "/fs/root", "/dev/vda"): "100+0x80",
        },
        at="13m",
    ),
    Case(
        rule="DiskFillsWithin24h",
        what="39 % free and falling by 2.4 % an hour",
        series={
            disk("avail", "/fs/root", "/dev/vda"): "39-0.2x100",
            disk("size", "/fs/root", "/dev/vda"): "100+0x100",
        },
        at="1h30m",
        interval="5m",
        fires=[Firing(labels={"device": "/dev/vda"}, says="/dev/vda: 35.4%")],
    ),
    Case(
        rule="DiskFillsWithin24h",
        what="the same for half an hour",
        series={
            disk("avail", "/fs/root", "/dev/vda"): "39-0.2x100",
            disk("size", "/fs/root", "/dev/vda"): "100+0x100",
        },
        at="30m",
        interval="5m",
    ),
    Case(
        rule="DiskFillsWithin24h",
        what="it fell fast until six hours ago",
        series={
            disk("avail", "/fs/root", "/dev/vda"): "90-0.6x100 30+0x100",
            disk("size", "/fs/root", "/dev/vda"): "100+0x200",
        },
        at="15h",
        interval="5m",
    ),
    Case(
        rule="DiskFillsWithin24h",
        what="30 % free and falling by less than 1 % an hour, and 90 % free and falling fast",
        series={
            disk("avail", "/fs/root", "/dev/vda"): "30-0.08x100",
            disk("size", "/fs/root", "/dev/vda"): "100+0x100",
            disk("avail", "/fs/synapse-data", "/dev/vdb"): "90-0.4x100",
            disk("size", "/fs/synapse-data", "/dev/vdb"): "100+0x100",
        },
        at="4h",
        interval="5m",
    ),
    Case(
        rule="CPUStealHigh",
        what="15 % of one processor and 9 % of the other",
        series={
            'node_cpu_seconds_total{instance="node", cpu="0", mode="steal"}': "0+2.25x100",
            'node_cpu_seconds_total{instance="node", cpu="1", mode="steal"}': "0+1.35x100",
            'node_cpu_seconds_total{instance="node", cpu="0", mode="idle"}': "0+12x100",
        },
        at="20m",
        fires=[Firing(labels={"instance": "node"}, says="12%")],
    ),
    Case(
        rule="CPUStealHigh",
        what="9 % for good, and 30 % for ten minutes",
        series={
            'node_cpu_seconds_total{instance="node", cpu="0", mode="steal"}': "0+1.35x100",
            'node_cpu_seconds_total{instance="other", cpu="0", mode="steal"}': "0+0.75x40 30+4.5x60",
        },
        at="20m",
    ),
    Case(
        rule="TargetDown",
        what="two of three do not answer",
        series={
            'up{job="node", instance="node"}': "1+0x40",
            'up{job="redis", instance="redis"}': "1+0x4 0+0x40",
            'up{job="blackbox", instance="host", probe="matrix_client"}': "1+0x4 0+0x40",
        },
        at="4m",
        fires=[
            Firing(labels={"job": "redis", "instance": "redis"}, says="redis (redis)"),
            Firing(
                labels={"job": "blackbox", "instance": "host", "probe": "matrix_client"},
                says="blackbox matrix_client (host)",
            ),
        ],
    ),
    Case(
        rule="TargetDown",
        what="no answer for a minute",
        series={'up{job="node", instance="node"}': "1+0x4 0+0x40"},
        at="2m15s",
    ),
    Case(
        rule="TargetDown",
        what="it answers again, and its health check has not passed yet",
        series={'up{job="node", instance="node"}': "0+0x12 1+0x20"},
        at="3m45s",
        fires=[Firing(labels={"job": "node", "instance": "node"}, says="node (node)")],
    ),
    Case(
        rule="TargetDown",
        what="it answers again for good",
        series={'up{job="node", instance="node"}': "0+0x12 1+0x20"},
        at="5m",
    ),
    Case(
        rule="NotificationsFailing",
        what="a receiver could not be told",
        series={'alertmanager_notifications_failed_total{integration="webhook"}': "0+0x10 1+0x40"},
        at="4m",
        fires=[Firing(labels={"integration": "webhook"})],
    ),
    Case(
        rule="NotificationsFailing",
        what="a receiver could not be told, for two reasons",
        series={
            f'alertmanager_notifications_failed_total{{integration="webhook", reason="{reason}"}}': "0+0x10 1+0x40"
            for reason in ("serverError", "contextDeadlineExceeded")
        },
        at="4m",
        fires=[Firing(labels={"integration": "webhook"})],
    ),
    Case(
        rule="NotificationsFailing",
        what="all were told, but for one long ago",
        series={'alertmanager_notifications_failed_total{integration="webhook"}': "0+0x8 1+0x90"},
        at="20m",
    ),
    Case(rule="Watchdog", what="always", series={}, at="0m", fires=[Firing()]),
)

CASES = MATRIX + CONTAINERS + HOST
