"""The homeserver: what can be seen of any from outside, and what Synapse and Dendrite tell of themselves.

The names are those of Synapse 1.163 and Dendrite 0.15, read from running ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from config.dashboards.panel import Dashboard, Limits, Panel, Query
from config.homeservers import HOMESERVERS, HomeserverName
from config.project import PROJECT
from config.settings import Settings


def homeserver(settings: Settings) -> Dashboard:
    """Return the dashboard."""
    facts = HOMESERVERS[settings.homeserver]
    return Dashboard(
        name="homeserver",
        title=f"Matrix: {facts.display_name}",
        panels=(
            *_from_outside(f"{PROJECT}-{settings.stack}-{settings.homeserver}"),
            *_BY_ITSELF[settings.homeserver],
            *_REDIS,
        ),
    )


def _from_outside(container: str) -> Sequence[Panel]:
    own = f'{{name="{container}"}}'
    return (
        Panel(
            title="Does it answer?",
            about="Asked directly, without Nginx.",
            kind="states",
            unit="none",
            queries=[Query(expr='probe_success{probe="matrix_client_internal"}', legend="homeserver")],
            answers=("No", "Yes"),
        ),
        Panel(
            title="How long does the smallest answer take?",
            about="Which versions it speaks: nothing is looked up for it.",
            kind="lines",
            unit="s",
            queries=[Query(expr='probe_duration_seconds{probe="matrix_client_internal"}', legend="homeserver")],
        ),
        Panel(
            title="How much memory does it use, and may it use?",
            about="At the limit the kernel kills it.",
            kind="lines",
            unit="bytes",
            queries=[
                Query(expr=f"matrix:container_memory_working_set_bytes{own}", legend="used"),
                Query(expr=f"matrix:container_spec_memory_limit_bytes{own}", legend="limit"),
            ],
            needs=("cadvisor", "facts"),
        ),
        Panel(
            title="How many processor cores does it use?",
            about="1 is one core, all the time.",
            kind="lines",
            unit="none",
            queries=[
                Query(
                    expr=f"sum(rate(matrix:container_cpu_usage_seconds_total{own}[$__rate_interval]))", legend="cores"
                )
            ],
            needs=("cadvisor", "facts"),
        ),
    )


_SYNAPSE: Final[Sequence[Panel]] = (
    Panel(
        title="How many people used it in the last 24 hours?",
        about="Accounts. Synapse counts them every five minutes.",
        kind="number",
        unit="none",
        queries=[Query(expr="synapse_admin_daily_active_users")],
    ),
    Panel(
        title="How many people are connected?",
        about="Accounts with a client that waits for news.",
        kind="lines",
        unit="none",
        queries=[Query(expr="synapse_notifier_users", legend="people")],
    ),
    Panel(
        title="What is asked of it most?",
        about="Requests, by the part of Synapse that answers them; those of health checks and probes are among them.",
        kind="lines",
        unit="reqps",
        queries=[
            Query(
                expr="topk(8, sum by (servlet) (rate(synapse_http_server_requests_received_total[$__rate_interval])))",
                legend="{{servlet}}",
            )
        ],
    ),
    Panel(
        title="How long do its answers take?",
        about="Without those for which clients wait on purpose (/sync).",
        kind="lines",
        unit="s",
        queries=[
            Query(
                expr=f"histogram_quantile({share}, sum by (le) (rate("
                'synapse_http_server_response_time_seconds_bucket{servlet!~".*Sync.*"}[$__rate_interval])))',
                legend=f"{share:.0%} are faster",
            )
            for share in (0.5, 0.95)
        ],
    ),
    Panel(
        title="How many events does it write?",
        about="Messages, and whatever else happens in rooms.",
        kind="lines",
        unit="cps",
        queries=[
            Query(expr="sum(rate(synapse_storage_events_persisted_events_total[$__rate_interval]))", legend="events")
        ],
    ),
    Panel(
        title="How long does it wait for its database?",
        about="Until it has a connection, on average. It is the first to rise when the disk is slow.",
        kind="lines",
        unit="s",
        queries=[
            Query(
                expr="sum(rate(synapse_storage_schedule_time_sum[$__rate_interval])) "
                "/ sum(rate(synapse_storage_schedule_time_count[$__rate_interval]))",
                legend="wait",
            )
        ],
    ),
    Panel(
        title="How often does it find the answer in a cache?",
        about="All caches together, since Synapse's start; low in its first minutes.",
        kind="lines",
        unit="percentunit",
        queries=[Query(expr="sum(synapse_util_caches_cache_hits) / sum(synapse_util_caches_cache)", legend="found")],
    ),
    Panel(
        title="How many events wait for other homeservers?",
        about="Those of rooms (PDUs) and those that are soon old (EDUs). A homeserver that is away keeps them waiting.",
        kind="lines",
        unit="none",
        queries=[
            Query(expr="synapse_federation_transaction_queue_pending_pdus", legend="PDUs"),
            Query(expr="synapse_federation_transaction_queue_pending_edus", legend="EDUs"),
        ],
        needs=("federation",),
    ),
)

_DENDRITE: Final[Sequence[Panel]] = (
    Panel(
        title="How many clients wait for news?",
        about="Requests to /sync that are open; a client that is in use has one.",
        kind="lines",
        unit="none",
        queries=[
            Query(expr="dendrite_syncapi_active_sync_requests", legend="open"),
            Query(expr="dendrite_syncapi_waiting_sync_requests", legend="waiting"),
        ],
    ),
    Panel(
        title="How long does it take to send a message?",
        about="95 % of those that people send are faster.",
        kind="lines",
        unit="ms",
        queries=[
            Query(
                expr="histogram_quantile(0.95, sum by (le, action) "
                "(increase(dendrite_clientapi_sendevent_duration_millis_bucket[$__range])))",
                legend="{{action}}",
            )
        ],
    ),
    Panel(
        title="How long does it take to take in an event?",
        about="Its own and those of other homeservers; 95 % are faster.",
        kind="lines",
        unit="ms",
        queries=[
            Query(
                expr="histogram_quantile(0.95, sum by (le) "
                "(increase(dendrite_roomserver_processroomevent_duration_millis_bucket[$__range])))",
                legend="event",
            )
        ],
    ),
    Panel(
        title="How many events wait to be taken in?",
        about="A number that stays above 0 says that it does not keep up.",
        kind="lines",
        unit="none",
        queries=[Query(expr="sum(dendrite_roomserver_input_backpressure)", legend="events")],
    ),
    Panel(
        title="How often does it find the answer in a cache?",
        about="All caches together, since Dendrite's start; low in its first minutes.",
        kind="lines",
        unit="percentunit",
        queries=[Query(expr="dendrite_caching_ristretto_ratio", legend="found")],
    ),
    Panel(
        title="To how many other homeservers does it send?",
        about="Backing off: they did not answer, and it waits before it tries again.",
        kind="lines",
        unit="none",
        queries=[
            Query(expr="dendrite_federationapi_destination_queues_running", legend="sends to"),
            Query(expr="dendrite_federationapi_destination_queues_backing_off", legend="backing off"),
        ],
        needs=("federation",),
    ),
)

_BY_ITSELF: Final[Mapping[HomeserverName, Sequence[Panel]]] = MappingProxyType(
    # Conduit has no metrics.
    {"conduit": (), "synapse": _SYNAPSE, "dendrite": _DENDRITE}
)

_REDIS: Final[Sequence[Panel]] = (
    Panel(
        title="How full is Redis?",
        about="Of the memory that it may use; then it forgets what was used least.",
        kind="lines",
        unit="percentunit",
        queries=[Query(expr="redis_memory_used_bytes / (redis_memory_max_bytes > 0)", legend="Redis")],
        needs=("redis",),
        limits=Limits(warning=0.9, critical=0.98),
    ),
    Panel(
        title="How much does Redis do?",
        about="Commands, those of the health check and the exporter among them.",
        kind="lines",
        unit="ops",
        queries=[Query(expr="rate(redis_commands_processed_total[$__rate_interval])", legend="commands")],
        needs=("redis",),
    ),
)
