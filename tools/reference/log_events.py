"""log-events.md: the events that the chassis logs."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tools.reference.completeness import GenerationError, check_complete
from tools.reference.markdown import anchor, items, page, table
from tools.reference.source import modules

_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
_TRACEBACK = "exception"


@dataclass(frozen=True)
class _Meaning:
    """What the page says about an event.

    Attributes:
        text: when it is logged.
        action: what an operator does.
        fields: the meaning of each field of its own.
    """

    text: str
    action: str = "Nothing."
    fields: Mapping[str, str] = field(default_factory=dict)


_TRACE = {_TRACEBACK: "the traceback"}
# Heading: the events below it.
_EVENTS: dict[str, dict[str, _Meaning]] = {
    "Start and readiness": {
        "listening": _Meaning(
            "The process listens on both ports. It is alive, and not ready yet.",
            fields={"api": "addresses of the API's port", "internal": "addresses of the internal port"},
        ),
        "not_ready": _Meaning(
            "The process waits for the database or for a migration, and tries again. Logged at each change of the "
            "reason.",
            "For `the database: …`, check the database, `DATABASE_URL` and the network. For `migrations: …`, run "
            "`python -m app migrate`, or check the Job that does.",
            {"waiting_for": "the reason", "database": "address of the database, without its password"},
        ),
        "ready": _Meaning(
            "The database responds and its schema is not behind the code. `/readyz` succeeds from now on.",
            fields={
                "database": "address of the database, without its password",
                "schema": "`current`, or `ahead` if a later release has migrated the database",
            },
        ),
        "api_open": _Meaning(
            "`OIDC_ISSUER` is not set, so the API requires no token. Logged at each start.",
            "Set `OIDC_ISSUER`, or make sure that only trusted clients reach the API.",
            {"reason": "the same in words"},
        ),
        "error_not_mapped": _Meaning(
            "A route declares an error in `raises` that has no status, so the response is a 500. Logged at each start.",
            "Map the error in `Service.errors`, or raise another one.",
            {"route": "method and path of the route", "error": "class of the error", "reason": "the same in words"},
        ),
        "deprecated_imports": _Meaning(
            "The code of the service imports modules of the chassis by their former names. Logged once at the start.",
            "Change the imports before the release that `reason` names.",
            {"now": "the present module of each former one", "reason": "when the former names end"},
        ),
    },
    "Requests": {
        "request": _Meaning(
            "A request of the API has ended; for a stream, the stream.",
            "Nothing. Search by `request_id` for one request, by `status` and `problem` for errors.",
            {
                "method": "the HTTP method; `_OTHER` for an unknown one",
                "route": "path of the route; `unmatched` if no route has the path",
                "status": "status of the response; 499 if the client disconnected before",
                "duration_ms": "time from the head of the request to the response, or to the end of the stream, in "
                "milliseconds",
                "bytes": "size of the response's body, for a stream with its head; null if there is none, or if it is "
                "unknown",
                "messages": "of a WebSocket only: messages sent and received",
            },
        ),
        "stream_started": _Meaning(
            "The head of a stream has been sent. The line `request` follows at the end of the stream.",
            fields={
                "method": "the HTTP method",
                "route": "path of the route",
                "status": "status of the response; 101 for a WebSocket",
            },
        ),
        "stream_aborted": _Meaning(
            "The service has reset the connection of a stream, so that its client does not take it for complete.",
            "Act by `reason`. The type of a problem: as for its response. `slow-client` and `idle`: nothing, unless "
            "there are many; a stream that is meant to be silent needs pings. `shutdown`: nothing, unless streams "
            "regularly take longer than `REQUEST_TIMEOUT_SECONDS`. `token-expired`: nothing.",
            {
                "method": "the HTTP method",
                "route": "path of the route",
                "status": "status that was sent",
                "reason": "name of the [problem type](errors.md#problem-types-and-statuses), `idle`, `slow-client`, "
                "`shutdown` or `token-expired`",
            },
        ),
        "bad_request": _Meaning(
            "A request could not be read, or its head did not arrive in time. It has no line `request`.",
            "Nothing, unless there are many: then find the client. `reason` has no part of the request, which may hold "
            "secrets.",
            {"reason": "the class of the error", "request_id": "id of the request"},
        ),
        "unavailable": _Meaning(
            "The response of a request is a 503. With `problem` `overloaded`, logged at most once a second.",
            "Act by `problem`: `database-unavailable`, check the database. `dependency-unavailable`, check the other "
            "service. `overloaded` and `deadline-exceeded`, check the load, the CPU and slow statements.",
            {"problem": "name of the [problem type](errors.md#problem-types-and-statuses)", "reason": "the cause"},
        ),
        "unforeseen_error": _Meaning(
            "An exception that no code expects. If it ends a request, the response is a 500, `internal-error`.",
            "Fix the bug that the traceback shows. If it came with a release, roll back.",
            {**_TRACE, "request_id": "id of the request"},
        ),
        "connections_cut": _Meaning(
            "At the shutdown, clients were disconnected before their response was complete.",
            "Nothing for slow clients. If `over_their_deadline` is not 0, look for requests that take longer than "
            "`REQUEST_TIMEOUT_SECONDS`.",
            {
                "slow_clients": "connections whose client did not send or read in time",
                "over_their_deadline": "connections whose request was still in progress after its deadline",
            },
        ),
    },
    "Authentication": {
        "token_refused": _Meaning(
            "A request had an invalid token. The response is a 401.",
            "Nothing for single ones. If all tokens are refused, compare `OIDC_ISSUER`, `OIDC_AUDIENCE` and "
            "`OIDC_JWKS_URL` with the issuer's.",
            {"reason": "what is wrong with the token"},
        ),
        "jwks_unavailable": _Meaning(
            "The issuer's keys could not be read. Keys that are known stay valid; the service tries again.",
            "Check the issuer, `OIDC_JWKS_URL` and the network policy. With `known_keys` 0, requests get a 503.",
            {"reason": "the cause", "known_keys": "number of keys that are known"},
        ),
    },
    "Resources and routes of the service": {
        "resource_not_healthy": _Meaning(
            "The check of a resource failed. The service answers what does not need it.",
            "Check the resource's server and the network policy.",
            {"resource": "name of its function", "reason": "the cause"},
        ),
        "resource_healthy": _Meaning(
            "The check of a resource succeeds again.", "Nothing.", {"resource": "name of its function"}
        ),
        "resource_not_closed": _Meaning(
            "At the shutdown, a resource failed to close, or did not close within `RESOURCE_TIMEOUT_SECONDS`.",
            "Look at the code after `yield` in its function.",
            {"resource": "name of its function", "reason": "the cause"},
        ),
        "routes_without_token": _Meaning(
            "The API requires tokens, and these paths, which `configure` has added, ask for none.",
            "Check the token in a middleware, or make them a `Route`, if not everybody may use them.",
            {"routes": "the paths"},
        ),
    },
    "Database and idempotency": {
        "database_pool_terminated": _Meaning(
            "At the shutdown, connections to the database did not close in time and were cut.",
            "Nothing, unless it is frequent: then check the network to the database.",
            {"reason": "the time limit"},
        ),
        "replica_not_usable": _Meaning(
            "Reads of `Database.replica` run on the primary from now on. Logged once, until the replica is usable "
            "again.",
            "For a lag, look at `pg_stat_replication` on the primary, and for long queries on the replica. If it is "
            "not a standby, correct `DATABASE_REPLICA_URL`. Otherwise check the replica's server and the network "
            "policy.",
            {"database": "address of the replica, without its password", "reason": "the cause"},
        ),
        "replica_usable": _Meaning(
            "Reads of `Database.replica` run on the replica from now on.",
            fields={"database": "address of the replica, without its password"},
        ),
        "idempotency_keys_not_cleaned": _Meaning(
            "Expired responses of requests with an `Idempotency-Key` could not be deleted. The service tries again.",
            "Nothing for single ones. If it repeats, check the database; the table `idempotency_keys` grows.",
            {"reason": "the cause"},
        ),
    },
    "Background work": {
        "background_started": _Meaning(
            "The background functions run. Logged once, when the service is ready.",
            fields={"functions": "their names"},
        ),
        "background_run": _Meaning(
            "A run of a background function succeeded.", fields={"duration_ms": "time of the run, in milliseconds"}
        ),
        "background_failed": _Meaning(
            "A run of a background function raised an exception. It starts again after a pause of 1 to 60 seconds.",
            "With a traceback, fix the bug that it shows. With `reason`, check the database or the other service.",
            {
                **_TRACE,
                "duration_ms": "time of the run, in milliseconds",
                "reason": "the cause, if a dependency was not available; there is no traceback then",
            },
        ),
        "background_ended": _Meaning(
            "A background function without a schedule has returned. It does not start again in this process.",
            "Nothing, unless the function should run until the service ends.",
        ),
        "background_abandoned": _Meaning(
            "At the shutdown, background functions did not end within 2 seconds of their cancellation.",
            "Find what the functions wait for in an `except` or `finally` block.",
            {"functions": "their names"},
        ),
        "lease_taken": _Meaning("This process runs a function with `alone=True` from now on."),
        "lease_released": _Meaning("This process has released a lease at its end. Another process takes it."),
        "lease_lost": _Meaning(
            "The lease of a function was lost, and its run is cancelled. The process tries to take the lease again.",
            "If the lease was not renewed in time, check the database and the event loop lag. If another process has "
            "taken it, look for a process that was suspended.",
            {"reason": "the cause"},
        ),
        "lease_waiting": _Meaning(
            "The database does not answer, so the process cannot take the lease. Logged once for each outage.",
            "Check the database.",
            {"reason": "the cause"},
        ),
        "lease_not_released": _Meaning(
            "The lease could not be released at the end of the process. Another process takes it when it expires.",
            "Nothing, unless it is frequent: then check the database.",
            {"reason": "the cause"},
        ),
    },
    "Migrations": {
        "migrating": _Meaning("A migration begins.", fields={"step": "direction, revision and name"}),
        "migration_done": _Meaning(
            "A run has brought a history to its target, or found it there. Each run has this line for the "
            "history of the chassis and for that of the service.",
            fields={
                "table": "version table of the history: `chassis_version` or `alembic_version`",
                "before": "revision before the run; null if there was none",
                "after": "revision after the run",
            },
        ),
        "migration_not_needed": _Meaning(
            "The database is ahead of the code, for example after a rollback. Nothing is changed.",
            fields={
                "reason": "the same in words",
                "table": "version table of the history",
                "revision": "revision of the database",
            },
        ),
        "migration_waiting": _Meaning(
            "Another migration runs on the database, or the database is not up yet. This one begins after that.",
            "Nothing, unless it takes long: then look for the other migration's session in `pg_stat_activity`. For the "
            "database, this migration waits up to `MIGRATION_CONNECT_TIMEOUT_SECONDS`.",
            {"reason": "the same in words"},
        ),
        "migration_failed": _Meaning(
            "A statement of a migration failed. Its revision is rolled back; earlier revisions stay.",
            "For a lock timeout, run the migration again. Otherwise correct the migration.",
            {"step": "direction, revision and name", "reason": "PostgreSQL's message"},
        ),
        "database_unavailable": _Meaning(
            "The migration could not connect to the database.",
            "Check the database, `DATABASE_URL` and the network; run it again.",
            {"reason": "the cause"},
        ),
    },
    "Commands": {
        "command_started": _Meaning("A command of the service begins.", fields={"name": "name of the command"}),
        "command_failed": _Meaning(
            "A command raised an error. An error that no code expects has its traceback. Also logged if closing what "
            "the command used failed.",
            "Read `reason`, or the traceback. If the database or another service is away, run the command again when "
            "it is back.",
            {
                "name": "name of the command",
                "reason": "the message, or the class of an error that no code expects",
                _TRACEBACK: "the traceback of an error that no code expects",
            },
        ),
        "command_interrupted": _Meaning(
            "A signal asks a command to end.",
            fields={
                "name": "name of the command",
                "seconds": "how long it may go on before it is cancelled; 0 after Ctrl-C",
            },
        ),
        "command_abandoned": _Meaning(
            "A command was cancelled and did not end. The process exits without it.",
            "Let the command end when it is cancelled: `asyncio.CancelledError` goes on after the cleaning up.",
            {"name": "name of the command", "reason": "the time limit"},
        ),
        "command_ended": _Meaning(
            "A command has ended, and what it used is closed.",
            "Alert on `outcome`, or on the exit status of the process.",
            {
                "name": "name of the command",
                "seconds": "from its start to its end",
                "outcome": "`succeeded`, `failed`, `cancelled` by a signal, or `abandoned`",
                "status": "the exit status of the process",
            },
        ),
    },
    "Event loop": {
        "event_loop_blocked": _Meaning(
            "The event loop is more than a second late, because code does not yield. No request is answered "
            "meanwhile. Logged once each time, while it lasts.",
            "Move the work that `where` names to a thread with `asyncio.to_thread`, or split it. If `where` is a place "
            "that only waits, the process lacks CPU.",
            {
                "seconds": "how late the event loop is at the time of the line",
                "where": "file, line and function: the innermost place below `app/`, or else the innermost place",
            },
        ),
    },
    "Shutdown": {
        "draining": _Meaning(
            "A shutdown was requested. `/readyz` fails; requests are still accepted.",
            fields={"seconds": "how long requests are accepted; 0 after Ctrl-C"},
        ),
        "stopped": _Meaning("The process has closed all connections and ends."),
    },
    "Tracing": {
        "spans_lost": _Meaning(
            "At the shutdown, the collector did not take the last spans in time.",
            "Check the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`.",
            {"reason": "the time limit"},
        ),
    },
}
_COMMON = [
    ("event", "name of the event"),
    ("level", "`debug`, `info`, `warning` or `error`"),
    ("timestamp", "time in UTC (RFC 3339)"),
    (
        "request_id",
        "in the lines of a request or of a background run: its id, which a response has in the header `X-Request-ID`",
    ),
    ("background", "in the lines of background work: the name of the function"),
    ("trace_id", "in the lines of a request: the id of its trace, if the caller sent one or tracing is on"),
    ("run_id", "in the lines of a command: the id of its run"),
    ("problem", "in the line `request`: the name of the [problem type](errors.md#problem-types-and-statuses)"),
]
_NEVER = """\
No event has a header, a query string or a password. Handlers may bind more fields, with
`structlog.contextvars.bind_contextvars`; they are then in all lines of the request. Lines of libraries, such as
`asyncio` and `aiohttp`, have a sentence as `event` and the name of their logger as `logger`."""


@dataclass
class _Event:
    levels: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)


def log_events_page() -> str:
    """Return the page.

    Raises:
        GenerationError: an event or a field is not described, or is described and not logged.
    """
    events = found_events()
    here = "_EVENTS of tools/reference/log_events.py"
    meanings = {name: meaning for group in _EVENTS.values() for name, meaning in group.items()}
    check_complete("log event", events, meanings, here)
    for name, event in events.items():
        check_complete(f"field of {name}", event.fields, meanings[name].fields, here)
    overview = [
        [f"[`{name}`]({anchor(name)})", ", ".join(events[name].levels), meanings[name].text] for name in meanings
    ]
    blocks = []
    for heading, group in _EVENTS.items():
        blocks.append(f"## {heading}")
        for name, meaning in group.items():
            blocks += [f"### {name}", f"Level: {', '.join(events[name].levels)}. {meaning.text}"]
            if meaning.fields:
                blocks.append(items(f"`{each}`: {meaning.fields[each]}" for each in events[name].fields))
            blocks.append(f"**What to do**: {meaning.action}")
    return page(
        "Log events",
        "This page lists every event that the chassis logs: its level, its fields, its meaning and what to do.",
        "The log is on stdout. With `LOG_FORMAT=json` each line is a JSON object.",
        table(["event", "level", "meaning"], overview),
        "## Fields of all events",
        table(["field", "meaning"], [[f"`{name}`", meaning] for name, meaning in _COMMON]),
        _NEVER,
        *blocks,
    )


def found_events() -> dict[str, _Event]:
    """Return the events that the chassis logs, by name, with their levels and fields."""
    found: dict[str, _Event] = {}
    for _, tree in modules():
        for name, level, fields in _calls(tree):
            event = found.setdefault(name, _Event())
            event.levels += [level] if level not in event.levels else []
            event.fields += [each for each in fields if each not in event.fields]
    return found


def _calls(tree: ast.Module) -> Iterator[tuple[str, str, list[str]]]:
    """Yield event, level and fields of each `log.<level>("event", …)`, `structlog.get_logger().<level>(…)` and
    `context.run(log.<level>, "event", …)`.

    Raises:
        GenerationError: a logger has another name, or an event's name is not a literal.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[target], value=value) if (
                ast.unparse(value).startswith("structlog.get_logger(") and ast.unparse(target) != "log"
            ):
                raise GenerationError(f"Call the logger log, so that its events are found: {ast.unparse(node)}")
            case ast.Call(func=ast.Attribute(attr="run"), args=[ast.Attribute() as method, *given]) if _logs(method):
                yield _event(tree, node, method.attr, given)
            case ast.Call(func=ast.Attribute() as method, args=given) if _logs(method):
                yield _event(tree, node, method.attr, given)


def _logs(method: ast.Attribute) -> bool:
    return method.attr in _LEVELS and ast.unparse(method.value) in {"log", "structlog.get_logger()"}


def _event(tree: ast.Module, call: ast.Call, method: str, given: list[ast.expr]) -> tuple[str, str, list[str]]:
    match given:
        case [ast.Constant(value=str(name))]:
            fields = [_TRACEBACK] if method == "exception" else []
            for each in call.keywords:
                fields += [each.arg] if each.arg else _keys(tree, ast.unparse(each.value))
            return name, _LEVELS[method], [_TRACEBACK if each == "exc_info" else each for each in fields]
    raise GenerationError(f"Name the event by a string literal: {ast.unparse(call)}")


def _keys(tree: ast.Module, name: str) -> list[str]:
    """Return the keys of a dictionary that is assigned to a name and given as `**name`."""
    made = [
        each.value for each in ast.walk(tree) if isinstance(each, ast.Assign) and name in map(ast.unparse, each.targets)
    ]
    dictionaries = [each for value in made for each in ast.walk(value) if isinstance(each, ast.Dict)]
    return [
        key.value
        for each in dictionaries
        for key in each.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    ]
