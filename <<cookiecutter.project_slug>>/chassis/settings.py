"""Settings from environment variables.

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
_DATABASE = tuple(f"database_{wait}_timeout_seconds" for wait in ("acquire", "connect", "command"))
_INNER_WAITS: dict[str, list[tuple[str, ...]]] = {
    "database_statement_timeout_seconds": [_LOCK],
    "database_command_timeout_seconds": [_STATEMENT, _LOCK],
    "request_timeout_seconds": [_DATABASE, _STATEMENT, _LOCK, ("body_timeout_seconds",)],
    "termination_grace_period_seconds": [("drain_seconds", "request_timeout_seconds")],
}
_TOO_SHORT = "too_short_a_time"

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0.01, le=3600)]


class Settings(BaseModel):
    """The settings of the chassis; `app.settings.Settings` adds the service's own. Durations are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)

    database_url: Annotated[SecretStr, AfterValidator(_postgresql_url)] = Field(
        examples=["postgresql://user:password@host:5432/name"]
    )
    pgsslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    pgsslrootcert: FilePath | None = Field(default=None, description="the CAs of the database; the driver reads both")
    database_pool_size: int = Field(default=10, ge=1, le=1000, description="connections a process")
    database_acquire_timeout_seconds: Seconds = Field(
        default=0.15, description="longest wait for a connection while all are in use"
    )
    database_connect_timeout_seconds: Seconds = Field(default=1, description="longest time to make a connection")
    database_lock_timeout_seconds: Seconds = Field(default=2, description="longest wait of a statement for a lock")
    database_statement_timeout_seconds: Seconds = Field(
        default=4, description="longest time that PostgreSQL works on a statement"
    )
    database_command_timeout_seconds: Seconds = Field(default=5, description="longest wait for PostgreSQL's answer")
    database_coalesce_reads: bool = Field(
        default=True, description="whether reads by id that wait for a connection leave as one statement"
    )
    host: str = Field(default="0.0.0.0", min_length=1, description="address both ports listen on")  # noqa: S104
    port: Port = 8080
    internal_port: Port = 8081
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"
    drain_seconds: float = Field(
        default=5, ge=0, le=3600, description="how long SIGTERM leaves the service serving, unready"
    )
    header_timeout_seconds: Seconds = Field(default=5, description="longest time for a request's head to arrive")
    body_timeout_seconds: Seconds = Field(default=5, description="longest time for a request's body to arrive")
    request_timeout_seconds: Seconds = Field(default=10, description="deadline of a request")
    termination_grace_period_seconds: Seconds | None = Field(
        default=None, description="how long after SIGTERM the process is killed, where that is known"
    )
    max_in_flight: int = Field(default=100, ge=1, description="requests at a time; the next one waits for its turn")
    require_if_match: bool = Field(default=False, description="whether PUT and DELETE need If-Match; without it: 428")
    idempotency_keep_seconds: int = Field(
        default=86400, ge=1, le=31_536_000, description="how long a POST's answer is kept by its key"
    )
    migration_lock_timeout_seconds: Seconds = Field(
        default=2, description="longest wait of a migration for a table's lock"
    )
    oidc_issuer: str = Field(
        default="", examples=["https://id.example.com/realms/main"], description="whose tokens let in; empty: no token"
    )
    oidc_audience: str = Field(default="", description="what a token's `aud` has to hold")
    oidc_jwks_url: str = Field(default="", description="where the issuer publishes its keys")
    client_timeout_seconds: Seconds = Field(default=5, description="longest time for a call to another service")
    otel_sdk_disabled: bool = False
    otel_traces_exporter: Literal["", "otlp", "console", "none"] = ""
    otel_exporter_otlp_endpoint: str = Field(default="", examples=["http://collector:4318"])
    otel_exporter_otlp_traces_endpoint: str = Field(default="", examples=["http://collector:4318/v1/traces"])
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = "http/protobuf"
    otel_exporter_otlp_traces_protocol: Literal["http/protobuf"] = "http/protobuf"
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_origins)] = Field(
        default=(), examples=["https://example.com, https://example.org"], description="origins whose pages may call"
    )
    max_body_bytes: int = Field(default=1024**2, ge=1, description="largest request body")

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
    """Read the settings from the environment; raise a SettingsError that names every missing or invalid one."""
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
