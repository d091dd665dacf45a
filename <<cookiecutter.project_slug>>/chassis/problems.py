"""Every error as application/problem+json (RFC 9457), made in this one place."""

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
from chassis.client import reason_of
from chassis.observe import REQUEST_ID

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_SECONDS = 1
_OVERLOAD_SECONDS = 1

_overload_told_at = -math.inf


@dataclass(frozen=True, order=True)
class Kind:
    """A kind of problem: its HTTP status and the last part of its `type`."""

    status: HTTPStatus
    name: str

    @cached_property
    def type(self) -> str:
        """The URI that identifies the kind to clients."""
        return f"urn:problem-type:{self.name}"

    @cached_property
    def title(self) -> str:
        """The kind in words."""
        return self.name.replace("-", " ").capitalize()


# The first class of an exception's ancestry that is listed here tells its kind.
KINDS: dict[type[Exception], Kind] = {
    errors.MalformedBodyError: Kind(HTTPStatus.BAD_REQUEST, "malformed-body"),
    web.HTTPBadRequest: Kind(HTTPStatus.BAD_REQUEST, "bad-request"),
    errors.UnauthorizedError: Kind(HTTPStatus.UNAUTHORIZED, "unauthorized"),
    errors.ForbiddenError: Kind(HTTPStatus.FORBIDDEN, "forbidden"),
    errors.NotFoundError: Kind(HTTPStatus.NOT_FOUND, "not-found"),
    web.HTTPNotFound: Kind(HTTPStatus.NOT_FOUND, "no-such-route"),
    web.HTTPMethodNotAllowed: Kind(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed"),
    errors.RequestTimeoutError: Kind(HTTPStatus.REQUEST_TIMEOUT, "request-timeout"),
    errors.ConflictError: Kind(HTTPStatus.CONFLICT, "conflict"),
    errors.RequestInProgressError: Kind(HTTPStatus.CONFLICT, "request-in-progress"),
    errors.IdempotencyKeyReusedError: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency-key-reused"),
    errors.PreconditionFailedError: Kind(HTTPStatus.PRECONDITION_FAILED, "precondition-failed"),
    errors.PreconditionRequiredError: Kind(HTTPStatus.PRECONDITION_REQUIRED, "precondition-required"),
    web.HTTPRequestEntityTooLarge: Kind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body-too-large"),
    errors.UnsupportedMediaTypeError: Kind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type"),
    errors.InvalidRequestError: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.CharacterNotInRepertoireError: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.NumericValueOutOfRangeError: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.StringDataRightTruncationError: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.CheckViolationError: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.NotNullViolationError: Kind(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.IntegrityConstraintViolationError: Kind(HTTPStatus.CONFLICT, "conflict"),
    http_exceptions.LineTooLong: Kind(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large"),
    web.HTTPExpectationFailed: Kind(HTTPStatus.EXPECTATION_FAILED, "expectation-failed"),
    errors.OverloadedError: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded"),
    errors.DeadlineExceededError: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "deadline-exceeded"),
    errors.DatabaseUnavailableError: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "database-unavailable"),
    errors.DependencyUnavailableError: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "dependency-unavailable"),
    ClientError: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "dependency-unavailable"),
    TimeoutError: Kind(HTTPStatus.SERVICE_UNAVAILABLE, "dependency-unavailable"),
    Exception: Kind(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error"),
}

# What the client reads where the exception has no words of its own for it.
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


def kind_of(error: type[Exception]) -> Kind:
    """The kind of problem that an exception's class is answered with."""
    if error is asyncpg.DataError:  # asyncpg's own: a value that the column's type cannot hold
        return KINDS[errors.InvalidRequestError]
    return next(KINDS[ancestor] for ancestor in error.__mro__ if ancestor in KINDS)


def problem_response(error: Exception, request_id: str) -> web.Response:
    """The response for an exception; one that nobody foresaw says nothing about its inside."""
    kind = kind_of(type(error))
    problem: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": str(error) if isinstance(error, errors.ServiceError) else DETAILS[kind.name],
        "request_id": request_id,
    }
    mistakes: Sequence[errors.Mistake] = ()
    if isinstance(error, errors.InvalidRequestError):
        mistakes = error.mistakes
    elif isinstance(error, asyncpg.IntegrityConstraintViolationError):
        mistakes = [_broken_constraint(error)]
    if mistakes:
        problem["errors"] = [{mistake.where: mistake.name, "detail": mistake.detail} for mistake in mistakes]
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
        # Its next request waits in the queue of new connections, which takes no time of this process. Of what
        # four thousand clients asked at 120 % of the peak 93 % were answered, and 3 % where they kept theirs.
        response.force_close()
    return response


def _broken_constraint(error: asyncpg.IntegrityConstraintViolationError) -> errors.Mistake:
    """Names the field by PostgreSQL's own way of naming a constraint, table_column_kind, and no value."""
    rule = next(_CONSTRAINTS[ancestor] for ancestor in type(error).__mro__ if ancestor in _CONSTRAINTS)
    named = re.fullmatch(rf"{error.table_name}_(.+)_(key|fkey|check)\d*", error.constraint_name or "")
    field = error.column_name or (named[1] if named else "")
    return errors.Mistake("pointer", f"#/{field}" if field else "#", rule)


def _overload_is_news() -> bool:
    """Whether the last second has not told it: refusing must take less than answering, and there may be thousands."""
    global _overload_told_at
    now = time.monotonic()
    if now - _overload_told_at < _OVERLOAD_SECONDS:
        return False
    _overload_told_at = now
    return True


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns what the handlers raise into responses."""
    try:
        return await handler(request)
    except Exception as error:
        kind = kind_of(type(error))
        bind_contextvars(problem=kind.name)  # for the line of the request
        if kind.status is HTTPStatus.SERVICE_UNAVAILABLE:
            if not isinstance(error, errors.OverloadedError) or _overload_is_news():
                log.warning("unavailable", problem=kind.name, reason=reason_of(error.__cause__ or error))
        elif kind.status is HTTPStatus.INTERNAL_SERVER_ERROR:
            log.exception("unforeseen_error")
        elif isinstance(error, errors.UnauthorizedError) and error.reason:
            log.info("token_refused", reason=error.reason)  # a wrong OIDC_AUDIENCE, say, would not be seen otherwise
        return problem_response(error, request[REQUEST_ID])
