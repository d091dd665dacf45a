"""settings.md: the fields of `chassis.settings.Settings`."""

import ast

from tools.reference.completeness import GenerationError, check_complete
from tools.reference.fields import ModelField, fields_of
from tools.reference.markdown import code, items, page, table
from tools.reference.source import assignments, constant, module

# Heading: the variables below it.
_GROUPS = {
    "Database address and TLS": "DATABASE_URL PGSSLMODE PGSSLROOTCERT",
    "Read-only replica": "DATABASE_REPLICA_URL DATABASE_REPLICA_MAX_LAG_SECONDS",
    "Connection pool": "DATABASE_POOL_SIZE DATABASE_ACQUIRE_TIMEOUT_SECONDS DATABASE_CONNECT_TIMEOUT_SECONDS "
    "DATABASE_COALESCE_READS DATABASE_STREAM_POOL_SIZE DATABASE_STREAM_IDLE_TIMEOUT_SECONDS",
    "Statement, lock and migration timeouts": "DATABASE_LOCK_TIMEOUT_SECONDS DATABASE_STATEMENT_TIMEOUT_SECONDS "
    "DATABASE_COMMAND_TIMEOUT_SECONDS MIGRATION_LOCK_TIMEOUT_SECONDS MIGRATION_CONNECT_TIMEOUT_SECONDS",
    "Host and ports": "HOST PORT INTERNAL_PORT",
    "Logging": "LOG_LEVEL LOG_FORMAT",
    "Request timeouts": "HEADER_TIMEOUT_SECONDS BODY_TIMEOUT_SECONDS BODY_MIN_BYTES_PER_SECOND REQUEST_TIMEOUT_SECONDS "
    "KEEP_ALIVE_TIMEOUT_SECONDS",
    "Streams": "MAX_STREAMS STREAM_IDLE_TIMEOUT_SECONDS STREAM_SEND_TIMEOUT_SECONDS",
    "Concurrency and request size limits": "MAX_IN_FLIGHT MAX_BODY_BYTES",
    "Graceful shutdown": "DRAIN_SECONDS TERMINATION_GRACE_PERIOD_SECONDS",
    "Authentication (OIDC)": "OIDC_ISSUER OIDC_AUDIENCE OIDC_JWKS_URL",
    "Conditional requests and idempotency": "REQUIRE_IF_MATCH IDEMPOTENCY_KEEP_SECONDS IDEMPOTENCY_CALLER_HEADER",
    "Cross-origin requests (CORS)": "CORS_ORIGINS",
    "Calls to other services": "CLIENT_TIMEOUT_SECONDS",
    "Resources of the service": "RESOURCE_TIMEOUT_SECONDS",
    "Tracing (OpenTelemetry)": "OTEL_SDK_DISABLED OTEL_TRACES_EXPORTER OTEL_EXPORTER_OTLP_ENDPOINT "
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT OTEL_EXPORTER_OTLP_PROTOCOL OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
}
_AFTER = {
    "Tracing (OpenTelemetry)": "OpenTelemetry reads its other variables itself, such as `OTEL_SERVICE_NAME` and "
    "`OTEL_TRACES_SAMPLER`. `OTEL_PROPAGATORS` has no effect: the service uses W3C Trace Context.",
    "Statement, lock and migration timeouts": "The statement and lock timeouts are parameters of each connection. "
    "PgBouncer has to ignore them: `ignore_startup_parameters = "
    "lock_timeout,statement_timeout,idle_in_transaction_session_timeout`.",
}
_TYPES = {
    "bool": "`true` or `false`",
    "str": "text",
    "SecretStr": "address; a secret",
    "FilePath": "path of an existing file",
    "tuple": "list with commas",
}
_UNITS = {"_SECONDS": "seconds", "_BYTES": "bytes"}

_FILES = """\
`NAME_FILE` names a file that holds the value of the setting `NAME`, such as a mounted Secret:
`DATABASE_URL_FILE=/run/secrets/database-url`. White space at both ends of the file's text is removed.

- Setting both `NAME` and `NAME_FILE` is a mistake.
- `PGSSL…` and `OTEL_…` have no `…_FILE`, because libraries read these variables themselves.
- The settings in [app/settings.py](../../../app/settings.py) have it, too."""
_INVALID = """\
The service does not start with a missing or an invalid setting. It prints all mistakes to stderr and exits with the
status 1. The message has no values, because they may be secrets:"""
_MESSAGE = """\
The service cannot start: 2 settings are wrong in the environment.
  DATABASE_URL: is required (for example: postgresql://user:password@host:5432/name)
  DATABASE_POOL_SIZE: input should be greater than or equal to 1 (for example: 10)"""
_NESTING = """\
An inner timeout has to end before the timeout around it, so that the inner wait reports the error and cleans up. The
service does not start otherwise:"""


def settings_page() -> str:
    """Return the page.

    Raises:
        GenerationError: a setting has no description, or is in no group.
    """
    tree = module("settings")
    settings = {each.name.upper(): each for each in fields_of(tree, "Settings") if each.name != "model_config"}
    table_of_groups = "_GROUPS of tools/reference/settings.py"
    check_complete("setting", settings, " ".join(_GROUPS.values()).split(), table_of_groups)
    blocks = [
        "Durations are in seconds. A service's own settings are in [app/settings.py](../../../app/settings.py).",
    ]
    for heading, names in _GROUPS.items():
        rows = [_row(name, settings[name]) for name in names.split()]
        blocks += [f"## {heading}", table(["variable", "value", "default", "meaning"], rows), _AFTER.get(heading, "")]
    blocks += ["## Timeouts that contain other timeouts", _NESTING, _nesting(tree)]
    blocks += ["## Values from files: NAME_FILE", _FILES]
    blocks += ["## Missing and invalid settings", _INVALID, code(_MESSAGE, "text")]
    return page(
        "Settings",
        "This page lists every setting of the chassis: environment variables, their values and their defaults.",
        *blocks,
    )


def _row(name: str, setting: ModelField) -> list[str]:
    description = setting.options.get("description", "")
    if not description.endswith("."):
        raise GenerationError(f"Describe {name} in a sentence: Field(description=…) in chassis/settings.py.")
    examples = setting.options.get("examples", [])
    example = f" For example: `{examples[0]}`." if examples else ""
    return [f"`{name}`", _type(name, setting), _default(setting), description + example]


def _type(name: str, setting: ModelField) -> str:
    if setting.values:
        return ", ".join(f"`{value}`" for value in setting.values if value != "") + (
            ", or empty" if "" in setting.values else ""
        )
    if setting.kind not in {"int", "float"}:
        return _TYPES[setting.kind]
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")
    whole = "whole " if setting.kind == "int" and unit != "bytes" else ""
    least, most = setting.options.get("ge"), setting.options.get("le")
    return f"{whole}{unit or 'number'}, " + (f"{least} or more" if most is None else f"{least} to {most}")


def _default(setting: ModelField) -> str:
    if setting.is_required:
        return "required"
    value = setting.default
    if value is None:
        return "none"
    if value in ("", ()):
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _nesting(tree: ast.Module) -> str:
    names = assignments(tree.body)
    return items(
        f"`{outer.upper()}` > " + " + ".join(f"`{name.upper()}`" for name in inner)
        for outer, each in constant(names["_INNER_WAITS"], names).items()
        for inner in each
    )
