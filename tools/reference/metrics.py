"""metrics.md: the metrics of `chassis.telemetry.metrics`."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tools.reference.completeness import check_complete
from tools.reference.markdown import items, page, table
from tools.reference.source import assignments, constant, module

_MEANINGS = {
    "http_server_request_duration_seconds": "Time from the head of a request to its response, in seconds; for a "
    "stream, to the head of its response. `_count` counts requests. A request that cannot be read counts with 0 "
    "seconds.",
    "http_server_active_requests": "Requests of the API that are in progress, those that wait for a place included, "
    "and streams not. Compare with `MAX_IN_FLIGHT`.",
    "http_server_active_streams": "Streams that are open. With the uploads that handlers read piece by piece, compare "
    "with `MAX_STREAMS`.",
    "http_server_stream_duration_seconds": "Time from the head of the request to the end of its stream, in seconds. "
    "`_count` counts streams that have ended.",
    "http_server_streams_aborted_total": "Streams that the service has cut.",
    "http_server_open_connections": "Client connections to both ports, idle ones included.",
    "http_server_deprecated_requests_total": "Requests of deprecated routes: `Route(…, deprecated=…)`. A route without "
    "calls has the value 0. Remove the route when its count no longer grows.",
    "service_ready": "Processes that are ready: started, and not draining. 0 means that `/readyz` fails.",
    "service_resource_healthy": "1 if the resource worked at its last check, else 0. Only of resources with a check: "
    "`Resource(open=…, healthy=…)`. Updated every 5 seconds.",
    "db_client_connection_count": "Connections of the pool that are open. Updated once a second.",
    "db_client_connection_max": "Connections that the pool may have: `DATABASE_POOL_SIZE`.",
    "db_client_connection_pending_requests": "Requests that wait for a connection of the pool. Updated once a second.",
    "db_client_connection_refusals_total": "Requests for a connection that were refused, those of streams and of the "
    "replica included.",
    "db_client_stream_connections": "Connections on which `Database.stream` reads rows now, of up to "
    "`DATABASE_STREAM_POOL_SIZE`. They are not among those of the pool. Updated once a second.",
    "db_client_transaction_retries_total": "Transactions that `run` has carried out again, by `reason`: "
    "`serialization_failure`, `deadlock`, or `statement_changed` by a migration. A rise means long transactions, or "
    "locks that are taken in different orders.",
    "db_client_replica_usable": "1 if reads of `Database.replica` go to the replica, 0 if they go to the primary. "
    "Only with `DATABASE_REPLICA_URL`. Updated once a second.",
    "db_client_replica_lag_seconds": "How far the replica is behind the primary, in seconds, by samples of the "
    "primary's WAL position once a second. `+Inf` if it is more than `DATABASE_REPLICA_MAX_LAG_SECONDS`, or unknown.",
    "db_client_replica_connections": "Connections to the replica that are open, those of streams included. They are "
    "not among those of the pool. Updated once a second.",
    "event_loop_lag_seconds": "How late the event loop runs a timer, in seconds. The lag delays every request: code "
    "that blocks, or a lack of CPU. Updated once a second.",
    "background_runs_total": "Runs of background functions that have ended.",
    "background_run_duration_seconds": "Time from the start of a background run to its end, in seconds.",
    "background_last_success_timestamp_seconds": "Unix time at which a run last succeeded. There is no series before "
    "the first success.",
    "background_lease_held": "Processes that hold the lease of a function with `alone=True`: 1 over all pods, 0 while "
    "nobody holds it.",
    "log_lines_dropped_total": "Log lines that were dropped, because the reader of stdout was too slow or gone.",
    "service_build_info": "Always 1. The labels say which release runs.",
}
_LABELS = {
    "method": "The HTTP method; `_OTHER` for an unknown one.",
    "route": "The path of the route, such as `/v1/items/{item_id}`; `unmatched` if no route has the path. Never the "
    "path itself.",
    "status": "The class of the status: `2xx`, `3xx`, `4xx`, `5xx`. `4xx` includes requests whose client disconnected "
    "before the response (499 in the log).",
    "state": "`used` or `idle`.",
    "server_address": "Host and port of `DATABASE_REPLICA_URL`.",
    "resource": "The name of the function that opens the resource.",
    "function": "The name of the background function.",
    "outcome": "Of a background run: `success`, `failure`, or `cancelled` by the shutdown, or because a lease was "
    "lost. Of a stream: `completed`, `client_closed` or `aborted`.",
    "reason": "Of a refused connection: `all_in_use`, if none became free within `DATABASE_ACQUIRE_TIMEOUT_SECONDS`, "
    "or `cannot_connect`. Of a stream: the type of the problem, such as `internal-error`; or `idle`, `slow-client`, "
    "`shutdown`, `token-expired`.",
    "name": "`project.name` of pyproject.toml.",
    "version": "`project.version` of pyproject.toml.",
}
_SEVERAL = {"livesum": "sum", "livemax": "maximum", "livemin": "minimum", "max": "maximum", "": "sum"}

_ENDPOINT = [
    (
        "Address: `http://…:8081/metrics`, on the internal port (`INTERNAL_PORT`). It requires no token. The Ingress "
        "does not expose it."
    ),
    "Format: Prometheus' text format.",
    "Scope: all processes of the pod. The column *several processes* says how their values are combined.",
    (
        "Scraping: the chart's value `serviceMonitor.enabled` creates a ServiceMonitor, `prometheusRule.enabled` "
        "alerts, and `dashboard.enabled` a Grafana dashboard: see [the chart](../../../chart/README.md)."
    ),
]
_LIBRARY = """\
prometheus-client adds metrics of the process, `process_…` (such as `process_cpu_seconds_total`,
`process_resident_memory_bytes` and `process_open_fds`; on Linux), and of Python, `python_info` and `python_gc_…`. They
are left out where several processes share `/metrics`. A counter and a histogram also have a series `…_created`, the
time of their creation."""


@dataclass(frozen=True)
class _Metric:
    name: str
    type: str
    labels: list[str]
    several: str
    buckets: tuple[float, ...]


def metrics_page() -> str:
    """Return the page.

    Raises:
        GenerationError: a metric or a label is not described.
    """
    metrics = list(found_metrics())
    here = "of tools/reference/metrics.py"
    check_complete("metric", [each.name for each in metrics], _MEANINGS, f"_MEANINGS {here}")
    check_complete("label", [label for each in metrics for label in each.labels], _LABELS, f"_LABELS {here}")
    rows = [
        [
            f"`{each.name}`",
            each.type,
            ", ".join(f"`{label}`" for label in each.labels),
            _SEVERAL[each.several],
            _MEANINGS[each.name],
        ]
        for each in metrics
    ]
    blocks = ["## Metrics", table(["metric", "type", "labels", "several processes", "meaning"], rows)]
    for each in metrics:
        if each.buckets:
            bounds = ", ".join(str(bound) for bound in each.buckets)
            blocks.append(f"The buckets of `{each.name}` end at {bounds} seconds.")
    return page(
        "Metrics",
        "This page lists every metric of the chassis: its name, type, labels and meaning.",
        "## The endpoint /metrics",
        items(_ENDPOINT),
        *blocks,
        "## Labels",
        table(["label", "value"], [[f"`{name}`", meaning] for name, meaning in _LABELS.items()]),
        "## Metrics of the process and of Python",
        _LIBRARY,
        "## Metrics of the service",
        "A service adds metrics of its own: see [how](../how-to/count-something.md). They have the same endpoint and "
        "scope.",
    )


def found_metrics() -> Iterator[_Metric]:
    """Yield the metrics of the registry, in their order. A counter's name has the suffix that Prometheus gives it."""
    names = assignments(module("telemetry/metrics").body)
    for node in names.values():
        match node:
            case ast.Call(func=ast.Name("Counter" | "Gauge" | "Histogram" as kind), args=[name, _, *rest]):
                options = {each.arg: constant(each.value, names) for each in node.keywords}
                yield _Metric(
                    constant(name, names) + ("_total" if kind == "Counter" else ""),
                    kind.lower(),
                    constant(rest[0], names) if rest else [],
                    options.get("multiprocess_mode", ""),
                    options.get("buckets", ()),
                )
