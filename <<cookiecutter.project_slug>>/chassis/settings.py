"""Settings from environment variables.

A field of the service's class is a variable:

    class Settings(settings.Settings):
        currency: str = "EUR"  # reads CURRENCY, or the file that CURRENCY_FILE names
"""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError


def _postgresql_url(value: SecretStr) -> SecretStr:
    rule = "should be a PostgreSQL address; percent-encode special characters of the password"
    try:
        url = urlsplit(value.get_secret_value())
        for host in url.netloc.rpartition("@")[2].split(","):  # several hosts, for failover
            urlsplit(f"//{host}").port  # noqa: B018  (reading it validates it)
    except ValueError:
        raise ValueError(rule) from None  # the cause would quote a part of the URL
    # An @ in the path means an unescaped slash in the password: a part of it would be read as the host, and logged.
    if url.scheme not in {"postgresql", "postgres"} or not (url.netloc or url.query) or "@" in url.path:
        raise ValueError(rule)
    # The driver's own error does not name the missing file.
    if any(not Path(file).is_file() for file in parse_qs(url.query).get("sslrootcert", [])):
        raise ValueError("should name a file that is there in sslrootcert")
    return value


def _origins(value: str | tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value
    if not all(re.fullmatch(r"\*|https?://[^/\s,]+", origin) for origin in found):
        raise ValueError("should be origins with commas between them, scheme and host without a path, or *")
    return found


# Each timeout must exceed the sum of the waits in each of its tuples, which run in sequence. Then the inner wait ends
# first and cleans up after itself.
_LOCK, _STATEMENT = ("database_lock_timeout_seconds",), ("database_statement_timeout_seconds",)
_DATABASE = (
    "database_acquire_timeout_seconds",
    "database_connect_timeout_seconds",
    "database_command_timeout_seconds",
)
_INNER_WAITS: dict[str, list[tuple[str, ...]]] = {
    "database_statement_timeout_seconds": [_LOCK],
    "database_command_timeout_seconds": [_STATEMENT, _LOCK],
    "request_timeout_seconds": [_DATABASE, _STATEMENT, _LOCK, ("body_timeout_seconds",)],
    "termination_grace_period_seconds": [("drain_seconds", "request_timeout_seconds")],
}
_TOO_SHORT = "too_short_a_time"

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP port."""

Seconds = Annotated[float, Field(ge=0.01, le=3600)]
"""A duration in seconds, from 10 ms to an hour."""


class Settings(BaseModel):
    """The settings of the chassis. Durations are in seconds.

    `app.settings.Settings` is the subclass that adds the service's own settings: a field `currency` is the variable
    CURRENCY.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)

    database_url: Annotated[SecretStr, AfterValidator(_postgresql_url)] = Field(
        examples=["postgresql://user:password@host:5432/name"],
        description="Address of the database. Percent-encode special characters of the password. For failover, list "
        "several hosts: `postgresql://user:password@one:5432,two:5432/name?target_session_attrs=read-write`.",
    )
    database_replica_url: Annotated[SecretStr, AfterValidator(_postgresql_url)] | None = Field(
        default=None,
        examples=["postgresql://host:5432/name"],
        description="Address of a standby for `Database.replica`, as `DATABASE_URL`, whose user and password it has if "
        "it names none. If unset, these reads run on the primary.",
    )
    database_replica_max_lag_seconds: Seconds = Field(
        default=10,
        description="Longest lag of the replica. While the lag is longer or unknown, its reads run on the primary.",
    )
    pgsslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="prefer", description="TLS to the database. `sslmode` in `DATABASE_URL` takes precedence."
    )
    pgsslrootcert: FilePath | None = Field(
        default=None,
        description="File with the CA certificates that the database's certificate is checked against. `sslrootcert` "
        "in `DATABASE_URL` takes precedence.",
    )
    database_pool_size: int = Field(
        default=10, ge=1, le=1000, description="Maximum number of database connections per process."
    )
    database_acquire_timeout_seconds: Seconds = Field(
        default=0.15,
        description="Longest wait for a connection while all are in use; twice that after a pause of the process. Then "
        "the response is a 503, `overloaded`.",
    )
    database_connect_timeout_seconds: Seconds = Field(default=1, description="Longest time to open a connection.")
    database_lock_timeout_seconds: Seconds = Field(
        default=2, description="Longest time that a statement waits for a lock. Then PostgreSQL cancels the statement."
    )
    database_statement_timeout_seconds: Seconds = Field(
        default=4, description="Longest time that PostgreSQL spends on a statement. Then PostgreSQL cancels it."
    )
    database_command_timeout_seconds: Seconds = Field(
        default=5,
        description="Longest wait for PostgreSQL's response to a statement. Then the connection counts as lost.",
    )
    database_coalesce_reads: bool = Field(
        default=True,
        description="Whether reads by key (`Database.load`) that wait for a connection are sent as one statement.",
    )
    database_stream_pool_size: int = Field(
        default=2,
        ge=1,
        le=1000,
        description="Maximum number of database connections per process for `Database.stream`, in addition to "
        "`DATABASE_POOL_SIZE`.",
    )
    database_stream_idle_timeout_seconds: Seconds = Field(
        default=300,
        description="Longest pause between two reads of a stream's rows. Then PostgreSQL ends the stream's connection.",
    )
    host: str = Field(
        default="0.0.0.0",  # noqa: S104
        min_length=1,
        description="Address that both ports listen on; `::` stands for all addresses, those of IPv4 included. "
        "`make run` sets `127.0.0.1`.",
    )
    port: Port = Field(default=8080, description="Port of the API: the service's routes, `/openapi.json` and `/docs`.")
    internal_port: Port = Field(
        default=8081,
        description="Port of `/livez`, `/readyz` and `/metrics`; another one than `PORT`. Do not expose it outside the "
        "cluster.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Lowest level that is logged. The line of each request has the level `INFO`."
    )
    log_format: Literal["json", "console"] = Field(
        default="json",
        description="`json` writes one JSON object per line; `console` writes lines for people to read. `make run` "
        "sets `console`.",
    )
    drain_seconds: float = Field(
        default=5,
        ge=0,
        le=3600,
        description="How long the service keeps serving after SIGTERM, while it is not ready. In this time load "
        "balancers stop sending requests.",
    )
    header_timeout_seconds: Seconds = Field(
        default=5, description="Longest time for the head of a request to arrive, from its first byte on."
    )
    keep_alive_timeout_seconds: Seconds = Field(
        default=75,
        description="How long an idle connection stays open for the next request; longer than the idle timeout of the "
        "load balancer or proxy in front. Otherwise a request may meet a connection that is being closed.",
    )
    body_timeout_seconds: Seconds = Field(
        default=5,
        description="How long the body of a request may arrive at any rate. From then on, each such interval has to "
        "bring `BODY_MIN_BYTES_PER_SECOND`.",
    )
    body_min_bytes_per_second: int = Field(
        default=240,
        ge=1,
        description="Lowest rate at which the body of a request may arrive, after `BODY_TIMEOUT_SECONDS`. The deadline "
        "of the request holds as well.",
    )
    request_timeout_seconds: Seconds = Field(
        default=10,
        description="Deadline of a request, from its head to the head of the response. Also the longest time for the "
        "client to read a response that is not streamed.",
    )
    stream_idle_timeout_seconds: Seconds = Field(
        default=60,
        description="Longest time in which a stream (a response that is sent piece by piece, or a WebSocket) may carry "
        "no byte. WebSockets are pinged three times in it.",
    )
    stream_send_timeout_seconds: Seconds = Field(
        default=10, description="Longest time in which the client of a stream may read none of what is sent to it."
    )
    termination_grace_period_seconds: Seconds | None = Field(
        default=None,
        description="Time from SIGTERM until the process is killed, if known. The chart sets it.",
    )
    max_in_flight: int = Field(
        default=100,
        ge=1,
        description="Maximum number of requests in progress per process. Further requests wait up to 0.5 s. Then the "
        "response is a 503, `overloaded`.",
    )
    max_streams: int = Field(
        default=1000,
        ge=1,
        description="Maximum number of streams per process, and of uploads that handlers read piece by piece. They do "
        "not count as requests in progress. For a further one the response is a 503, `overloaded`.",
    )
    resource_timeout_seconds: Seconds = Field(
        default=2,
        description="Maximum time to open a resource of the service, and to close it. At a shutdown, resources are "
        "closed one after the other.",
    )
    require_if_match: bool = Field(
        default=False,
        description="Whether handlers that take an `IfMatch` require the header `If-Match`. Without the header, the "
        "response is a 428.",
    )
    idempotency_keep_seconds: int = Field(
        default=86400,
        ge=1,
        le=31_536_000,
        description="How long the response to a request with an `Idempotency-Key` is kept.",
    )
    idempotency_caller_header: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]*$",
        examples=["X-Consumer-ID"],
        description="Header with the identity of the caller, which a gateway in front of the service sets and clients "
        "cannot. Each caller has `Idempotency-Key`s of its own, as each subject of a token has. If empty, callers "
        "without tokens share theirs.",
    )
    migration_lock_timeout_seconds: Seconds = Field(
        default=2,
        description="Longest time that a migration waits for a table's lock. Then its revision is rolled back.",
    )
    migration_connect_timeout_seconds: Seconds = Field(
        default=10,
        description="Longest time that a migration waits for a database that is not up yet: the server refuses "
        "connections, has no name in DNS, does not respond, or is starting.",
    )
    oidc_issuer: str = Field(
        default="",
        examples=["https://id.example.com/realms/main"],
        description="Issuer of the accepted tokens, as in their claim `iss`. If empty, the API requires no token.",
    )
    oidc_audience: str = Field(
        default="",
        description="Value that a token's claim `aud` has to contain. Required with `OIDC_ISSUER`, refused without.",
    )
    oidc_jwks_url: str = Field(
        default="",
        description="Address of the issuer's keys (JWKS); begins with `https://` or `http://`. Required with "
        "`OIDC_ISSUER`, refused without.",
    )
    client_timeout_seconds: Seconds = Field(
        default=5, description="Longest time for a call to another service, its response's body included."
    )
    otel_sdk_disabled: bool = Field(default=False, description="Turns tracing off, whatever the other variables say.")
    otel_traces_exporter: Literal["", "otlp", "console", "none"] = Field(
        default="",
        description="Where spans go: `otlp` to a collector, `console` to stdout. If empty: `otlp` if an endpoint is "
        "set, otherwise `none`.",
    )
    otel_exporter_otlp_endpoint: str = Field(
        default="",
        examples=["http://collector:4318"],
        description="Address of the collector (OTLP over HTTP). `/v1/traces` is appended. Setting it turns tracing on.",
    )
    otel_exporter_otlp_traces_endpoint: str = Field(
        default="",
        examples=["http://collector:4318/v1/traces"],
        description="Address of the collector for traces alone, with its path. Takes precedence over "
        "`OTEL_EXPORTER_OTLP_ENDPOINT`.",
    )
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = Field(
        default="http/protobuf", description="Protocol of the collector. gRPC is not supported."
    )
    otel_exporter_otlp_traces_protocol: Literal["http/protobuf"] = Field(
        default="http/protobuf", description="Protocol of the collector for traces alone. gRPC is not supported."
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_origins)] = Field(
        default=(),
        examples=["https://example.com, https://example.org"],
        description="Origins whose pages may call the API from a browser: scheme and host, without a path. `*` stands "
        "for all.",
    )
    max_body_bytes: int = Field(
        default=1024**2, ge=1, description="Largest request body, as sent and after decompression."
    )

    @property
    def traces_exporter(self) -> str:
        """The exporter of traces: `otlp`, `console` or `none`. OpenTelemetry reads its other variables itself."""
        addressed = self.otel_exporter_otlp_endpoint or self.otel_exporter_otlp_traces_endpoint
        chosen = self.otel_traces_exporter or ("otlp" if addressed else "none")
        return "none" if self.otel_sdk_disabled else chosen

    @field_validator("oidc_audience", "oidc_jwks_url")
    @classmethod
    def _requires_issuer(cls, value: str, info: ValidationInfo) -> str:
        # With only a part of them set, the API would be open, or refuse every token.
        if bool(value) != bool(info.data.get("oidc_issuer")):
            raise ValueError("should be set together with OIDC_ISSUER")
        if value and info.field_name == "oidc_jwks_url" and not re.match("https?://[^/]", value):
            raise ValueError("should be an address that begins with https:// or http://")
        return value

    @field_validator(*_INNER_WAITS)
    @classmethod
    def _exceeds_inner_waits(cls, value: float | None, info: ValidationInfo) -> float | None:
        for inner in _INNER_WAITS[info.field_name or ""]:
            known = [info.data[name] for name in inner if name in info.data]  # an invalid one is reported by itself
            if value is not None and value <= sum(known):
                names = " + ".join(name.upper() for name in inner)
                raise PydanticCustomError(_TOO_SHORT, f"should be longer than {names}: raise it, or lower the other")
        return value

    @field_validator("internal_port")
    @classmethod
    def _differs_from_port(cls, value: int, info: ValidationInfo) -> int:
        if value == info.data.get("port"):
            raise ValueError("should be another port than PORT")
        return value


class SettingsError(Exception):
    """The settings are invalid. The message has one line per mistake, and no values, as they may be secrets."""


AnySettings = TypeVar("AnySettings", bound=Settings)


def load_settings(settings_class: type[AnySettings]) -> AnySettings:
    """Read the settings from the environment.

    Args:
        settings_class: `app.settings.Settings`, or another subclass of `Settings`.

    Returns:
        The settings, validated.

    Raises:
        SettingsError: a setting is missing or invalid; the message names each one.
    """
    values, mistakes = _read_environment(settings_class)
    try:
        settings = settings_class.model_validate(values)
    except ValidationError as error:
        found = [(str(mistake["loc"][0]), mistake["msg"], mistake["type"]) for mistake in error.errors()]
        unreadable = {mistake.partition("_FILE:")[0].strip().lower() for mistake in mistakes}
        mistakes += [_message(settings_class, *each) for each in found if each[0] not in unreadable]
    if not mistakes:
        return settings
    count = "a setting is" if len(mistakes) == 1 else f"{len(mistakes)} settings are"
    raise SettingsError("\n".join([f"The service cannot start: {count} wrong in the environment.", *mistakes]))


def _read_environment(settings_class: type[Settings]) -> tuple[dict[str, str], list[str]]:
    """Return the values, from NAME or from the file (a mounted Secret) that NAME_FILE names, and the mistakes."""
    values, mistakes = dict[str, str](), list[str]()
    for field in settings_class.model_fields:
        name = field.upper()
        variable = f"{name}_FILE"
        if name in os.environ:
            values[field] = os.environ[name]
        if variable in os.environ and field.startswith(("pgssl", "otel_")):
            mistakes.append(f"  {variable}: is not known to the library that reads {name}; set that instead")
        elif file := os.environ.get(variable):
            if field in values:
                mistakes.append(f"  {variable}: should not be set beside {name}")
            try:
                values[field] = Path(file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeError) as error:
                mistakes.append(f"  {variable}: cannot be read: {getattr(error, 'strerror', error)}")
    return values, mistakes


def _message(settings_class: type[Settings], name: str, message: str, kind: str) -> str:
    field = settings_class.model_fields[name]
    rule = "is required" if message == "Field required" else message.removeprefix("Value error, ")
    sentence = f"  {name.upper()}: {rule[0].lower()}{rule[1:]}"
    if kind != _TOO_SHORT and (field.examples or not field.is_required()):  # an example may be too short as well
        sentence += f" (for example: {field.examples[0] if field.examples else field.get_default()})"
    return sentence
