"""Prometheus metrics. Labels have a bounded set of values: methods, routes and status classes, never paths."""

import os
from functools import cache
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

# Alerts need their thresholds (100, 150 and 200 ms) as exact bounds.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2.5, 5, 10)
# Streams and background work take longer than requests, up to hours.
_RUN_BUCKETS = (0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)

REQUEST_DURATION = Histogram(
    "http_server_request_duration_seconds",
    "Time from the request's headers to the answer, by method, route and status class.",
    ["method", "route", "status"],
    buckets=_BUCKETS,
)
ACTIVE_REQUESTS = Gauge("http_server_active_requests", "Requests being answered now.", multiprocess_mode="livesum")
ACTIVE_STREAMS = Gauge(
    "http_server_active_streams",
    "Streams whose head is sent; they do not count as requests.",
    multiprocess_mode="livesum",
)
STREAM_DURATION = Histogram(
    "http_server_stream_duration_seconds",
    "Time from the request's headers to the end of the stream, by outcome: completed, client_closed or aborted.",
    ["method", "route", "outcome"],
    buckets=_RUN_BUCKETS,
)
STREAMS_ABORTED = Counter(
    "http_server_streams_aborted", "Streams that the service has cut, by reason.", ["method", "route", "reason"]
)
OPEN_CONNECTIONS = Gauge(
    "http_server_open_connections",
    "Clients' connections to both ports, idle ones included.",
    multiprocess_mode="livesum",
)
DEPRECATED_REQUESTS = Counter(
    "http_server_deprecated_requests", "Requests of deprecated routes, by method and route.", ["method", "route"]
)
READY = Gauge("service_ready", "Processes that are started and not draining.", multiprocess_mode="livesum")
CONNECTIONS = Gauge(
    "db_client_connection_count", "Connections of the pool, by state.", ["state"], multiprocess_mode="livesum"
)
CONNECTIONS_MAX = Gauge("db_client_connection_max", "Connections that the pool may have.", multiprocess_mode="livesum")
CONNECTION_REQUESTS = Gauge(
    "db_client_connection_pending_requests", "Requests that wait for a connection.", multiprocess_mode="livesum"
)
CONNECTION_REFUSALS = Counter(
    "db_client_connection_refusals",
    "Requests for a connection that were refused, by reason: all_in_use (for longer than a request may wait) or "
    "cannot_connect.",
    ["reason"],
)
STREAM_CONNECTIONS = Gauge(
    "db_client_stream_connections", "Connections on which rows are streamed now.", multiprocess_mode="livesum"
)
TRANSACTION_RETRIES = Counter(
    "db_client_transaction_retries",
    "Transactions that were carried out again, by reason: serialization_failure, deadlock, or statement_changed by a "
    "migration.",
    ["reason"],
)
# With a label, so that a service without a replica has none of these series.
REPLICA_USABLE = Gauge(
    "db_client_replica_usable",
    "1 if reads go to the replica, 0 if they go to the primary, by the replica's address.",
    ["server_address"],
    multiprocess_mode="livemin",
)
REPLICA_LAG = Gauge(
    "db_client_replica_lag_seconds",
    "How far the replica is behind the primary; +Inf if more than DATABASE_REPLICA_MAX_LAG_SECONDS, or unknown.",
    ["server_address"],
    multiprocess_mode="livemax",
)
REPLICA_CONNECTIONS = Gauge(
    "db_client_replica_connections",
    "Connections to the replica, those of streams too, by state.",
    ["server_address", "state"],
    multiprocess_mode="livesum",
)
EVENT_LOOP_LAG = Gauge(
    "event_loop_lag_seconds", "How much later than asked the event loop came back.", multiprocess_mode="livemax"
)
RESOURCE_HEALTHY = Gauge(
    "service_resource_healthy", "1 if the resource works, by its name.", ["resource"], multiprocess_mode="livemin"
)
BACKGROUND_RUNS = Counter(
    "background_runs",
    "Runs of background functions, by outcome: success, failure, or cancelled by the stop or a lost lease.",
    ["function", "outcome"],
)
BACKGROUND_RUN_DURATION = Histogram(
    "background_run_duration_seconds",
    "Time from the start of a background run to its end.",
    ["function"],
    buckets=_RUN_BUCKETS,
)
BACKGROUND_LAST_SUCCESS = Gauge(
    "background_last_success_timestamp_seconds",
    "Unix time at which a run of the background function last succeeded.",
    ["function"],
    multiprocess_mode="max",
)
BACKGROUND_LEASE_HELD = Gauge(
    "background_lease_held",
    "Processes that hold the lease of the background function, which one process of all pods runs.",
    ["function"],
    multiprocess_mode="livesum",
)
LOG_LINES_DROPPED = Counter("log_lines_dropped", "Lines of the log that nobody read in time.")
BUILD_INFO = Gauge(
    "service_build_info", "Always 1; the labels tell what runs.", ["name", "version"], multiprocess_mode="max"
)


@cache
def request_duration(method: str, route: str, status: str) -> Histogram:
    """Return the histogram for these labels. Cached, because `labels` takes as long as `observe`."""
    return REQUEST_DURATION.labels(method, route, status)


class _AllProcesses(MultiProcessCollector):
    def collect(self) -> list[Metric]:
        """Merge the files of all processes, without those that were just created: the library fails on empty files."""
        files = [str(file) for file in Path(self._path).glob("*.db") if _size(file)]
        return list(self.merge(files))  # type: ignore[no-untyped-call]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # its process has ended
        return 0


def registry() -> CollectorRegistry:
    """Return the metrics of the pod: of this process, or aggregated over the worker processes that share a folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    _AllProcesses(shared)  # type: ignore[no-untyped-call]
    return shared


def exposition() -> tuple[bytes, str]:
    """Return the metrics in Prometheus' text format, and the content type."""
    return generate_latest(registry()), CONTENT_TYPE_LATEST
