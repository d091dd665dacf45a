"""Errors as problem details (RFC 9457): responses with the media type application/problem+json."""

import asyncio
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from inspect import getdoc
from types import MappingProxyType
from typing import Any

import asyncpg
import structlog
from aiohttp import ClientError, hdrs, http_exceptions, web
from aiohttp.typedefs import Handler, Middleware
from multidict import CIMultiDict
from pydantic_core import to_json
from structlog.contextvars import bind_contextvars

from chassis import errors
from chassis.concurrency.cancellation import is_cancelled
from chassis.contract import Route
from chassis.http.client import cause_of, reason_of
from chassis.http.database_errors import STILL_REFERRED_TO, field_errors, is_still_referred_to
from chassis.http.deprecation import headers_of_every_answer
from chassis.http.header_fields import checked, replace
from chassis.http.streams import Stream, stream_of
from chassis.telemetry.request_id import REQUEST_ID

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_SECONDS = 1
_OVERLOAD_LOG_SECONDS = 1
_overload_logged_at = -math.inf


@dataclass(frozen=True, order=True)
class ProblemType:
    """A problem type: its HTTP status, and its name, the last part of the URI."""

    status: int
    name: str

    @cached_property
    def type(self) -> str:
        """The URI of the problem type, which identifies it to clients."""
        return f"urn:problem-type:{self.name}"

    @cached_property
    def title(self) -> str:
        return self.name.replace("-", " ").capitalize()


# The first class in an exception's MRO that is listed here, or in `Service.errors`, decides.
PROBLEM_TYPES: dict[type[Exception], ProblemType] = {
    errors.MalformedBodyError: ProblemType(HTTPStatus.BAD_REQUEST, "malformed-body"),
    web.RequestPayloadError: ProblemType(HTTPStatus.BAD_REQUEST, "malformed-body"),
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
    asyncpg.DatetimeFieldOverflowError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.IntervalFieldOverflowError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.InvalidDatetimeFormatError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.InvalidEscapeSequenceError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.InvalidRegularExpressionError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.InvalidTextRepresentationError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.NumericValueOutOfRangeError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.ProgramLimitExceededError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.StringDataRightTruncationError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.UntranslatableCharacterError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.CheckViolationError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.NotNullViolationError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.ForeignKeyViolationError: ProblemType(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request"),
    asyncpg.IntegrityConstraintViolationError: ProblemType(HTTPStatus.CONFLICT, "conflict"),
    http_exceptions.LineTooLong: ProblemType(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large"),
    web.HTTPExpectationFailed: ProblemType(HTTPStatus.EXPECTATION_FAILED, "expectation-failed"),
    errors.OverloadedError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded"),
    errors.DeadlineExceededError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "deadline-exceeded"),
    errors.ShuttingDownError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "shutting-down"),
    errors.DatabaseUnavailableError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "database-unavailable"),
    errors.DependencyUnavailableError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "dependency-unavailable"),
    ClientError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "dependency-unavailable"),
    TimeoutError: ProblemType(HTTPStatus.SERVICE_UNAVAILABLE, "dependency-unavailable"),
    Exception: ProblemType(HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error"),
}

# `detail` for exceptions other than ServiceError, whose messages may reveal internals.
DETAILS = {
    "malformed-body": "The body ended early or is not encoded as its headers say.",
    "bad-request": "The request is not valid HTTP/1.1.",
    "no-such-route": "No route of this service matches the path; /docs lists them all.",
    "method-not-allowed": "The path exists but does not take this method; Allow lists the methods it takes.",
    "body-too-large": "The request's body is larger than this service accepts.",
    "expectation-failed": "The only Expect that this service knows is 100-continue.",
    "invalid-request": "A value of the request cannot be stored.",
    "conflict": "The request does not fit what there is already.",
    "unsupported-media-type": "The body's Content-Encoding is unknown; gzip and deflate are known.",
    "dependency-unavailable": str(errors.DependencyUnavailableError()),
    "head-too-large": "The request's address or one of its headers is longer than 8,190 bytes.",
    "internal-error": "Something unforeseen happened. Quote the request id when you report it.",
}

# Names for the statuses of aiohttp's exceptions. The others are named by the status' phrase, which differs between
# versions of Python for some of these.
_NAMES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body-too-large",
    HTTPStatus.REQUEST_URI_TOO_LONG: "uri-too-long",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "range-not-satisfiable",
    HTTPStatus.UNPROCESSABLE_ENTITY: "unprocessable-content",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "head-too-large",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal-error",
}
# aiohttp raises these by itself, and their texts may quote the request.
_OF_AIOHTTP = (web.HTTPMethodNotAllowed, web.HTTPRequestEntityTooLarge, web.HTTPExpectationFailed)
_NOT_COPIED = {"content-length", "content-type", "transfer-encoding"}
_INTERNAL_ERROR = "internal-error"


class ProblemTypes:
    """The problem types of a service: the chassis' own, and those of the errors of its domain.

    Args:
        mapping: the errors of the domain: `Service.errors`. The type of its keys is `type[Any]`, so that mypy takes a
            dictionary of subclasses of one error.

    Raises:
        TypeError: a key is no class of exceptions.
        ValueError: two of the errors give one type different statuses.
    """

    def __init__(self, mapping: Mapping[type[Any], errors.Problem] = MappingProxyType({})) -> None:
        if wrong := [each for each in mapping if not (isinstance(each, type) and issubclass(each, Exception))]:
            raise TypeError(f"errors: {wrong[0]!r} is no class of exceptions")
        self._mapping = mapping
        self._types = {error: ProblemType(problem.status, problem.type) for error, problem in mapping.items()}
        statuses = {kind.name: kind.status for kind in self._types.values()}
        for error, kind in self._types.items():
            if statuses[kind.name] != kind.status:
                raise ValueError(
                    f"errors: {error.__name__} has the type {kind.name!r} and the status {kind.status}, and another "
                    f"error has that type with {statuses[kind.name]}: one type has one status"
                )

    def __iter__(self) -> Iterator[ProblemType]:
        """Yield each problem type once, the chassis' own first."""
        yield from dict.fromkeys([*PROBLEM_TYPES.values(), *self._types.values()])

    def of(self, error: type[Exception]) -> ProblemType:
        """Return the problem type of an exception's class."""
        for ancestor in error.__mro__:
            if ancestor in self._types:
                return self._types[ancestor]
            if error is asyncpg.DataError:  # raised by asyncpg itself for a value that the column's type cannot hold
                return PROBLEM_TYPES[errors.InvalidRequestError]
            if ancestor in PROBLEM_TYPES:
                return PROBLEM_TYPES[ancestor]
            if ancestor is web.HTTPException:
                return _type_of_status(getattr(error, "status_code", 500))
        return PROBLEM_TYPES[Exception]

    def of_route(self, error: type[Exception]) -> ProblemType:
        """Return the problem type of an exception that a handler raises.

        Only aiohttp's router and parser raise an `HTTPNotFound` for a missing route and an `HTTPBadRequest` for bytes
        that are not HTTP. A handler that raises them means something else.
        """
        if issubclass(error, web.HTTPException) and not any(each in self._types for each in error.__mro__):
            return _type_of_status(error.status_code)
        return self.of(error)

    def of_error(self, error: Exception) -> ProblemType:
        """Return the problem type of an exception that a handler has raised."""
        kind = self.of_route(type(error))
        if kind == PROBLEM_TYPES[asyncpg.ForeignKeyViolationError] and is_still_referred_to(error):
            return PROBLEM_TYPES[errors.ConflictError]
        return kind

    def meanings(self) -> dict[str, str]:
        """Return what each problem type means, by its name, for the OpenAPI document."""
        own = {kind.name: self._meaning(error, kind) for error, kind in reversed(self._types.items())}
        return own | {kind.name: _meaning(error, kind) for error, kind in reversed(PROBLEM_TYPES.items())}

    def _meaning(self, error: type[Exception], kind: ProblemType) -> str:
        return self._mapping[error].detail or (error.__doc__ or "").strip().partition("\n")[0] or f"{kind.title}."

    def unmapped(self, route: Route) -> list[type[Exception]]:
        """Return the errors that a route declares and that are a 500, because nothing maps them."""
        return [error for error in route.raises if self.of_route(error).name == _INTERNAL_ERROR]

    def response(
        self,
        error: Exception,
        request_id: str,
        kind: ProblemType | None = None,
        request: web.Request | None = None,
    ) -> web.Response:
        """Make the response for an exception. It has no details of an unforeseen exception.

        Args:
            error: the exception.
            request_id: of the request.
            kind: the problem type, if a handler has raised the exception.
            request: the request, if it has reached a handler.

        Raises:
            ValueError: a header of the error's own cannot be sent.
        """
        by_handler = kind is not None
        kind = kind or self.of(type(error))
        mapped = self._mapped(type(error))
        problem: dict[str, Any] = {
            "type": kind.type,
            "title": kind.title,
            "status": int(kind.status),
            "detail": _detail(error, kind, mapped, by_handler=by_handler),
            "request_id": request_id,
        }
        wrong: Sequence[errors.FieldError] = ()
        if isinstance(error, errors.InvalidRequestError):
            wrong = error.field_errors
        elif request is not None and isinstance(error, asyncpg.IntegrityConstraintViolationError):
            wrong = field_errors(error, request)
        if wrong:
            problem["errors"] = [{each.where: each.name, "detail": each.detail} for each in wrong]
        response = web.Response(status=kind.status, body=to_json(problem), content_type=MEDIA_TYPE)
        _add_headers(response, error)
        if mapped and mapped.headers:
            replace(response.headers, mapped.headers(error).items())
        return response

    def _mapped(self, error: type[Exception]) -> errors.Problem | None:
        """Return what the service maps an exception to, unless a nearer ancestor is the chassis' own."""
        for ancestor in error.__mro__:
            if ancestor in self._mapping:
                return self._mapping[ancestor]
            if ancestor in PROBLEM_TYPES:
                return None
        return None


def _type_of_status(status: int) -> ProblemType:
    """Return the problem type of an aiohttp exception: `gone` for 410."""
    if not 400 <= status <= 599:
        return PROBLEM_TYPES[Exception]
    try:
        known = HTTPStatus(status)
    except ValueError:
        return ProblemType(status, f"status-{status}")
    name = _NAMES.get(known) or re.sub(r"[^a-z0-9]+", "-", known.phrase.lower()).strip("-")
    return ProblemType(known, name)


def _meaning(error: type[Exception], kind: ProblemType) -> str:
    if issubclass(error, errors.ServiceError):
        return (getdoc(error) or "").partition("\n")[0]
    return DETAILS.get(kind.name) or f"{kind.title}."


def _detail(error: Exception, kind: ProblemType, mapped: errors.Problem | None, *, by_handler: bool) -> str:
    if isinstance(error, errors.ServiceError) and str(error):
        return str(error)
    if mapped:
        return mapped.detail or f"{kind.title}."
    if is_still_referred_to(error):
        return STILL_REFERRED_TO
    if by_handler and isinstance(error, web.HTTPException) and not isinstance(error, _OF_AIOHTTP):
        return _text_of(error) or f"{kind.title}."
    return DETAILS.get(kind.name) or f"{kind.title}."


def _text_of(error: web.HTTPException) -> str:
    """Return the text that the code that raised the exception has for the client; empty if it has none."""
    text = (error.text or "") if isinstance(error.body, bytes) and error.content_type == "text/plain" else ""
    return "" if text == f"{error.status}: {error.reason}" else text


def _add_headers(response: web.Response, error: Exception) -> None:
    """Add the headers that HTTP asks for with an error, and those that an aiohttp exception has."""
    headers = response.headers
    if isinstance(error, web.HTTPException):
        own = checked(error.headers.items())
        headers.extend((name, value) for name, value in own if name.lower() not in _NOT_COPIED)
        response.cookies.update(error.cookies)
    if isinstance(error, errors.UnauthorizedError):  # RFC 6750, section 3
        reason = f' error="invalid_token", error_description="{error.reason}"' if error.reason else ""
        headers[hdrs.WWW_AUTHENTICATE] = f"Bearer{reason}"
    if isinstance(error, errors.ForbiddenError):
        scope = " ".join(error.scopes)
        headers[hdrs.WWW_AUTHENTICATE] = f'Bearer error="insufficient_scope", scope="{scope}"'
    if isinstance(error, errors.UnsupportedMediaTypeError) and error.accept_patch:
        headers["Accept-Patch"] = ", ".join(error.accept_patch)
    if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault(hdrs.RETRY_AFTER, str(_RETRY_AFTER_SECONDS))
    if isinstance(error, errors.OverloadedError):
        # The client's next request then waits in the kernel's accept queue, at no cost to this process. See
        # docs/decisions/0009 of the template.
        response.force_close()


_BUILT_IN = ProblemTypes()


def problem_type_of(error: type[Exception]) -> ProblemType:
    """Return the chassis' problem type of an exception's class."""
    return _BUILT_IN.of(error)


def problem_response(error: Exception, request_id: str) -> web.Response:
    """Make the response for an exception that reaches no handler. It has no details of an unforeseen exception."""
    return _BUILT_IN.response(error, request_id)


def log_unmapped_errors(routes: Iterable[Route], types: ProblemTypes) -> None:
    """Warn of errors that routes declare in `raises`, and that would be a 500."""
    for route in routes:
        for error in types.unmapped(route):
            log.warning(
                "error_not_mapped",
                route=f"{route.method} {route.path}",
                error=f"{error.__module__}.{error.__qualname__}",
                reason="it is answered with 500: map it in Service.errors, or raise another one",
            )


def _should_log_overload() -> bool:
    """Return True at most once per interval: under overload, a log line per refusal would slow down refusing."""
    global _overload_logged_at
    now = time.monotonic()
    if now - _overload_logged_at < _OVERLOAD_LOG_SECONDS:
        return False
    _overload_logged_at = now
    return True


def problems_of(types: ProblemTypes) -> Middleware:
    """Make the middleware that converts exceptions of handlers into problem responses.

    Args:
        types: the problem types of the service.
    """

    @web.middleware
    async def problem_details(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Convert exceptions of handlers into problem responses."""
        try:
            return await handler(request)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            return _response(RuntimeError("the handler awaits something that was cancelled"), request, types)
        except Exception as error:  # a variable of another kind would be a cycle with the error's traceback
            try:
                return _response(error, request, types)
            finally:
                _forget_frames(error)

    return problem_details


problem_details = problems_of(_BUILT_IN)
"""The middleware for a service without errors of its own."""


def _forget_frames(error: BaseException | None) -> None:
    """Drop the tracebacks of an error and of its causes: a frame may refer to the error, such as by a future."""
    while error is not None and error.__traceback__ is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _response(error: Exception, request: web.Request, types: ProblemTypes) -> web.StreamResponse:
    """Convert the exception of a handler into a response.

    Raises:
        asyncio.CancelledError: the client has left.
    """
    if isinstance(error, ClientError) and (broken := request.content.exception()):
        error = broken if isinstance(broken, Exception) else error  # a handler that passes the body on to a service
    stream = stream_of(request)
    if stream and stream.started:
        return _ended(stream, error, request, types)
    if _client_left(error, request):
        raise asyncio.CancelledError from error
    try:
        response = _passed(error) or _problem(error, request, types)
    except Exception:  # a header of the error's own that cannot be sent, or the function that makes it
        response = _problem(RuntimeError(), request, types)
    response.headers.update(headers_of_every_answer(request.match_info.handler))
    return response


def _client_left(error: Exception, request: web.Request) -> bool:
    """True if an error comes from a client that has disconnected."""
    transport = request.transport
    lost = isinstance(error, ConnectionError | web.RequestPayloadError | errors.MalformedBodyError)
    return lost and (transport is None or transport.is_closing())


def _ended(stream: Stream, error: Exception, request: web.Request, types: ProblemTypes) -> web.StreamResponse:
    """Cut a stream that has failed: a problem response cannot follow its head."""
    if stream.ending and isinstance(error, ConnectionError):
        return stream.response  # the handler tries to go on with what has ended
    if _client_left(error, request):
        stream.client_left = not stream.aborted
    else:
        stream.cut(_kind_of(error, request, types).name)
    return stream.response


def _passed(error: Exception) -> web.Response | None:
    """Return the response that a redirect of aiohttp is, or another of its exceptions that is no error."""
    if not isinstance(error, web.HTTPException) or not 200 <= error.status < 400:
        return None
    # A copy: returning the exception is deprecated, and raising it leaves the request log without a status.
    headers = CIMultiDict(checked(error.headers.items()))
    response = web.Response(status=error.status, reason=error.reason, headers=headers, body=error.body)
    response.cookies.update(error.cookies)
    return response


def _problem(error: Exception, request: web.Request, types: ProblemTypes) -> web.Response:
    kind = _kind_of(error, request, types)
    by_router = error is request.match_info.http_exception
    return types.response(error, request[REQUEST_ID], None if by_router else kind, request)


def _kind_of(error: Exception, request: web.Request, types: ProblemTypes) -> ProblemType:
    """Return the problem type of an exception, and log what the operator has to know of it."""
    by_router = error is request.match_info.http_exception
    kind = types.of(type(error)) if by_router else types.of_error(error)
    bind_contextvars(problem=kind.name)  # for the request log
    if kind.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("unforeseen_error", exc_info=error)
    elif kind.status > HTTPStatus.INTERNAL_SERVER_ERROR:
        if not isinstance(error, errors.OverloadedError | errors.ShuttingDownError) or _should_log_overload():
            log.warning("unavailable", problem=kind.name, reason=reason_of(cause_of(error)))
    elif isinstance(error, errors.UnauthorizedError) and error.reason:
        log.info("token_refused", reason=error.reason)  # reveals a wrong OIDC_AUDIENCE, for example
    return kind
