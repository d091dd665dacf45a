"""Errors of the domain, which become problem responses: `raise NotFoundError("There is no item 7.")` sends a 404.

The class decides the status and the problem type. The message is the `detail` of the response. A subclass has the type
of its base class:

    class NameTakenError(ConflictError):  # a 409, `conflict`
        pass

An error with a status and a type of its own is a `ServiceError` that the service maps to a `Problem`:

    SERVICE = Service(..., errors={OutOfStockError: Problem(409, "out-of-stock")})
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class ServiceError(Exception):
    """An error with a message for the client: what is wrong and what to do about it.

    Raise a subclass of it, one of this module or your own that `Service.errors` maps to a `Problem`. This class has no
    problem type, so the response is a 500 with its message.
    """


_TYPE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# The chassis' own problem types, which are in `chassis.http.problem_details`; a test compares the two.
_BUILT_IN = {
    "bad-request": 400,
    "malformed-body": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "no-such-route": 404,
    "not-found": 404,
    "method-not-allowed": 405,
    "request-timeout": 408,
    "conflict": 409,
    "request-in-progress": 409,
    "precondition-failed": 412,
    "body-too-large": 413,
    "unsupported-media-type": 415,
    "expectation-failed": 417,
    "idempotency-key-reused": 422,
    "invalid-request": 422,
    "precondition-required": 428,
    "head-too-large": 431,
    "internal-error": 500,
    "database-unavailable": 503,
    "deadline-exceeded": 503,
    "dependency-unavailable": 503,
    "overloaded": 503,
    "shutting-down": 503,
}


@dataclass(frozen=True)
class Problem:
    """How an error of the domain is answered (RFC 9457): `errors={OutOfStockError: Problem(409, "out-of-stock")}`.

    The mapping holds for subclasses of the error, too, unless they have one of their own.

    Attributes:
        status: the HTTP status, 400 or more.
        type: the last part of the type's URI, `urn:problem-type:out-of-stock`.
        detail: the text for the client, if the error has no message or is no `ServiceError`. Messages of other errors
            may hold what the client must not read.
        headers: a function that makes further headers of the response from the error.

    Raises:
        ValueError: the status is no error's, or the type is no lowercase name with dashes or belongs to another status.
    """

    status: int
    type: str
    detail: str = ""
    headers: Callable[[Any], Mapping[str, str]] | None = None

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise ValueError(f"Problem {self.type!r}: the status {self.status} is no error; use one from 400 to 599")
        if not _TYPE.fullmatch(self.type):
            raise ValueError(f"Problem {self.type!r}: use lowercase words with dashes as its type, as in out-of-stock")
        if (status := _BUILT_IN.get(self.type, self.status)) != self.status:
            raise ValueError(
                f"Problem {self.type!r}: this type is the chassis' own and has the status {status}, not {self.status}; "
                "use another type, or that status"
            )


class NotFoundError(ServiceError):
    """The resource that was asked for does not exist."""


class PreconditionFailedError(ServiceError):
    """The resource is not in the version that the request asks for.

    Raise it if a statement with the versions of an `IfMatch` changes no row, although the resource exists.
    """

    def __init__(self) -> None:
        super().__init__("The resource has changed since; read it again and send its new ETag in If-Match.")


class PreconditionRequiredError(ServiceError):
    """The request does not say which version of the resource it changes.

    The chassis raises it if REQUIRE_IF_MATCH is on and the request has no `If-Match`.
    """

    def __init__(self) -> None:
        super().__init__("Say what you mean to change: send the resource's ETag in If-Match, or If-Match: * for any.")


class UnauthorizedError(ServiceError):
    """The request has no valid token.

    The chassis raises it before the handler runs.

    Attributes:
        reason: what is wrong with the token; empty if the request has no token.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"{reason or 'The request has no token.'} Send a valid one: Authorization: Bearer …")
        self.reason = reason


class ForbiddenError(ServiceError):
    """The token lacks a scope that the operation requires.

    The chassis raises it for the scopes of a `Route`. Raise it yourself for a rule that depends on the request.

    Attributes:
        scopes: the scopes that the token must have, all of them.
    """

    def __init__(self, scopes: Collection[str]) -> None:
        super().__init__(f"The token has to allow this: ask for one with the scope {' '.join(scopes)}.")
        self.scopes = scopes


class ConflictError(ServiceError):
    """The request conflicts with existing data.

    A statement that breaks a UNIQUE or EXCLUDE constraint has the same response, and one that deletes a row to which
    another one refers. A handler need not check these itself.
    """


class RequestInProgressError(ConflictError):
    """A request with the same idempotency key is in progress.

    The chassis raises it.
    """

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is being carried out. Send it again later for its answer."
        )


class IdempotencyKeyReusedError(ServiceError):
    """The idempotency key was used for a different request.

    The chassis raises it.
    """

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key came with another request before. Use a new key for each new request.")


class MalformedBodyError(ServiceError):
    """The request's body cannot be read: it is not JSON, for example.

    The chassis raises it before the handler runs.
    """


class RequestTimeoutError(ServiceError):
    """The request did not arrive in time.

    The chassis raises it.
    """

    def __init__(self) -> None:
        super().__init__("The request did not arrive in time. Send it again, all of it at once.")


class UnsupportedMediaTypeError(ServiceError):
    """The request's body has a media type or an encoding that the route does not take.

    The chassis raises it before the handler runs.

    Attributes:
        accept_patch: the media types that a PATCH takes, for the header `Accept-Patch` (RFC 5789); empty for none.
    """

    def __init__(self, message: str = "", *, accept_patch: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.accept_patch = accept_patch


@dataclass(frozen=True)
class FieldError:
    """One wrong value of a request.

    Attributes:
        where: `pointer` for a value in the body, `parameter` for one in the path or the query, `header` for a header.
        name: the JSON Pointer as a URI fragment (RFC 6901, section 6), or the name of the parameter or the header.
        detail: the rule that the value breaks; never the value itself.
    """

    where: str
    name: str
    detail: str


Mistake = FieldError
"""`FieldError` by its name up to release 0.2."""


class InvalidRequestError(ServiceError):
    """Values of the request break their rules.

    The chassis raises it for values that do not fit the handler's annotations. Raise it yourself for a rule that
    involves several values, or data.

    Args:
        field_errors: the wrong values, all of them.
        mistakes: `field_errors` by its name up to release 0.2.

    Attributes:
        field_errors: the wrong values.
    """

    def __init__(self, field_errors: Sequence[FieldError] = (), *, mistakes: Sequence[FieldError] = ()) -> None:
        super().__init__("One or more values of the request break their rules; see errors.")
        self.field_errors = field_errors or mistakes

    @property
    def mistakes(self) -> Sequence[FieldError]:
        """`field_errors` by its name up to release 0.2."""
        return self.field_errors


class UnavailableError(ServiceError):
    """The service cannot answer now; the same request may succeed later.

    Raise a subclass of it. This class has no problem type, so the response is a 500 with its message.
    """


class DatabaseUnavailableError(UnavailableError):
    """The database did not answer, or had no connection left.

    The methods of `Database` raise it.
    """

    def __init__(self) -> None:
        super().__init__("The database is not available at the moment. Try again later.")


class DependencyUnavailableError(UnavailableError):
    """Another service that this one needs did not answer.

    An `aiohttp.ClientError` or a TimeoutError that a handler does not catch has the same response.
    """

    def __init__(self) -> None:
        super().__init__("Another service that this one needs does not answer at the moment. Try again later.")


class OverloadedError(UnavailableError):
    """The service is at its limit of concurrent requests, and no room became free in time.

    The chassis raises it.
    """

    def __init__(self) -> None:
        super().__init__("The service is at its limit of concurrent requests. Try again later.")


class TooManyStreamsError(OverloadedError):
    """The service is at its limit of concurrent streams.

    The chassis raises it.
    """

    def __init__(self) -> None:
        ServiceError.__init__(self, "The service is at its limit of concurrent streams. Try again later.")


class ShuttingDownError(UnavailableError):
    """The service is shutting down and begins no new streams.

    The chassis raises it.
    """

    def __init__(self) -> None:
        super().__init__("This process is shutting down and begins no new streams. Try again: another one answers.")


class DeadlineExceededError(UnavailableError):
    """The request took longer than its deadline.

    The chassis raises it after REQUEST_TIMEOUT_SECONDS.
    """

    def __init__(self) -> None:
        super().__init__("The request took too long and was given up. Try again later.")


class MigrationError(ServiceError):
    """The database could not be migrated to the requested revision.

    `python -m app migrate` prints its message and exits with the status 1.
    """
