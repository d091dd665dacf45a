"""Errors as problem details (RFC 9457): responses with the media type application/problem+json."""

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from aiohttp import ClientError, http_exceptions, web
from aiohttp.typedefs import Handler
from pydantic_core import to_json
from structlog.contextvars import bind_contextvars

from chassis import errors
from chassis.http.client import reason_of
from chassis.telemetry.request_id import REQUEST_ID

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_SECONDS = 1
_OVERLOAD_LOG_SECONDS = 1
_overload_logged_at = -math.inf


@dataclass(frozen=True, order=True)
class ProblemType:
    """A problem type: its HTTP status, and its name, the last part of the URI."""

    status: HTTPStatus
    name: str

    @cached_property
    def type(self) -> str:
        """The URI of the problem type, which identifies it to clients."""
        return f"urn:problem-type:{self.name}"

    @cached_property
    def title(self) -> str:
        return self.name.replace("-", " ").capitalize()


# The first class in an exception's MRO that is listed here decides.
PROBLEM_TYPES: dict[type[Exception], ProblemType] = {
    errors.MalformedBodyError: ProblemType(HTTPStatus.BAD_REQUEST, "malformed-body"),
    web.HTTPBadRequest: ProblemType(HTTPStatus.BAD_REQUEST, "bad-request"),
    errors.UnauthorizedError: ProblemType(HTTPStatus.UNAUTHORIZED, "unauthorized"),
    errors.ForbiddenError: ProblemType(HTTPStatus.FORBIDDEN, "forbidden"),
    errors.NotFoundError: ProblemType(HTTPStatus.NOT_FOUND, "not-found"),
    web.HTTPNotFound: ProblemType(HTTPStatus.NOT_FOUND, "no-such-route"),
    web.HTTPMethodNotAllowed: ProblemType(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed"),
    errors.RequestTimeoutError: ProblemType(HTTPStatus.REQUEST_TIMEOUT, "request-timeout"),
    errors.ConflictError: ProblemType(HTTPStatus.CONFLICT, "conflict"),
    errors.RequestInProgressError: ProblemType(HTTPStatus.CONFLICT, "request-in-progress"),
    errors.IdempotencyKeyReusedError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency-key-reused"),
    errors.PreconditionFailedError: ProblemType(HTTPStatus.PRECONDITION_FAILED, "precondition-failed"),
    errors.PreconditionRequiredError: ProblemType(HTTPStatus.PRECONDITION_REQUIRED, "precondition-required"),
    web.HTTPRequestEntityTooLarge: ProblemType(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large"),
    errors.UnsupportedMediaTypeError: ProblemType(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type"),
    errors.InvalidRequestError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.CharacterNotInRepertoireError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.NumericValueOutOfRangeError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.StringDataRightTruncationError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.CheckViolationError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.NotNullViolationError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.IntegrityConstraintViolationError: ProblemType(HTTPStatus.CONFLICT, "conflict"),
    http_exceptions.LineTooLong: ProblemType(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large"),
    web.HTTPExpectationFailed: ProblemType(HTTPStatus.EXPECTATION_FAILED, "expectation-failed"),
    errors.OverloadedError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded"),
    errors.DeadlineExceededError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "deadline-exceeded"),
    errors.DatabaseUnavailableError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "database-unavailable"),
    errors.DependencyUnavailableError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "dependency-unavailable"),
    ClientError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "dependency-unavailable"),
    TimeoutError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "dependency-unavailable"),
    Exception: ProblemType(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error"),
}

# `detail` for exceptions other than ServiceError, whose messages may reveal internals.
DETAILS = {
    "bad-request": "The request is not valid HTTP/1.1.",
    "no-such-route": "No route of this service matches the path; /docs lists them all.",
    "method-not-allowed": "The path exists but does not take this method; Allow lists the methods it takes.",
    "body-too-large": "The request's body is larger than this service accepts.",
    "expectation-failed": "The only Expect that this service knows is 100-continue.",
    "invalid-request": "A value of the request cannot be stored.",
    "conflict": "The request does not fit what there is already; see errors.",
    "unsupported-media-type": "The body's Content-Encoding is unknown; gzip and deflate are known.",
    "dependency-unavailable": str(errors.DependencyUnavailableError()),
    "head-too-large": "The request's address or one of its headers is longer than 8,190 bytes.",
    "internal-error": "Something unforeseen happened. Quote the request id when you report it.",
}

_CONSTRAINTS: dict[type[Exception], str] = {
    asyncpg.UniqueViolationError: "Is taken already",
    asyncpg.ForeignKeyViolationError: "Refers to what does not exist, or is still referred to",
    asyncpg.NotNullViolationError: "Is required",
    asyncpg.CheckViolationError: "Breaks a rule of the database",
    asyncpg.IntegrityConstraintViolationError: "Does not fit what there is already",
}


def problem_type_of(error: type[Exception]) -> ProblemType:
    """Return the problem type of an exception's class."""
    if error is asyncpg.DataError:  # raised by asyncpg itself for a value that the column's type cannot hold
        return PROBLEM_TYPES[errors.InvalidRequestError]
    return next(PROBLEM_TYPES[ancestor] for ancestor in error.__mro__ if ancestor in PROBLEM_TYPES)


def problem_response(error: Exception, request_id: str) -> web.Response:
    """Make the response for an exception. It has no details of an unforeseen exception."""
    kind = problem_type_of(type(error))
    problem: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": str(error) if isinstance(error, errors.ServiceError) else DETAILS[kind.name],
        "request_id": request_id,
    }
    field_errors: Sequence[errors.FieldError] = ()
    if isinstance(error, errors.InvalidRequestError):
        field_errors = error.field_errors
    elif isinstance(error, asyncpg.IntegrityConstraintViolationError):
        field_errors = [_broken_constraint(error)]
    if field_errors:
        problem["errors"] = [
            {field_error.where: field_error.name, "detail": field_error.detail} for field_error in field_errors
        ]
    response = web.Response(status=kind.status, body=to_json(problem), content_type=MEDIA_TYPE)
    if isinstance(error, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = error.headers["Allow"]
    if isinstance(error, errors.UnauthorizedError):  # RFC 6750, section 3
        reason = f' error="invalid_token", error_description="{error.reason}"' if error.reason else ""
        response.headers["WWW-Authenticate"] = f"Bearer{reason}"
    if isinstance(error, errors.ForbiddenError):
        scope = " ".join(error.scopes)
        response.headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{scope}"'
    if kind.status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
    if isinstance(error, errors.OverloadedError):
        # The client's next request then waits in the kernel's accept queue, at no cost to this process. See
        # docs/decisions/0009 of the template.
        response.force_close()
    return response


def _broken_constraint(error: asyncpg.IntegrityConstraintViolationError) -> errors.FieldError:
    """Find the field from PostgreSQL's default name of a constraint, table_column_kind. The value is left out."""
    rule = next(_CONSTRAINTS[ancestor] for ancestor in type(error).__mro__ if ancestor in _CONSTRAINTS)
    named = re.fullmatch(rf"{error.table_name}_(.+)_(key|fkey|check)\d*", error.constraint_name or "")
    field = error.column_name or (named[1] if named else "")
    return errors.FieldError("pointer", f"#/{field}" if field else "#", rule)


def _should_log_overload() -> bool:
    """Return True at most once per interval: under overload, a log line per refusal would slow down refusing."""
    global _overload_logged_at
    now = time.monotonic()
    if now - _overload_logged_at < _OVERLOAD_LOG_SECONDS:
        return False
    _overload_logged_at = now
    return True


@web.middleware
async def problem_details(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Convert exceptions of handlers into problem responses."""
    try:
        return await handler(request)
    except Exception as error:
        kind = problem_type_of(type(error))
        bind_contextvars(problem=kind.name)  # for the request log
        if kind.status is HTTPStatus.SERVICE_UNAVAILABLE:
            if not isinstance(error, errors.OverloadedError) or _should_log_overload():
                log.warning("unavailable", problem=kind.name, reason=reason_of(error.__cause__ or error))
        elif kind.status is HTTPStatus.INTERNAL_SERVER_ERROR:
            log.exception("unforeseen_error")
        elif isinstance(error, errors.UnauthorizedError) and error.reason:
            log.info("token_refused", reason=error.reason)  # reveals a wrong OIDC_AUDIENCE, for example
        return problem_response(error, request[REQUEST_ID])
