"""What can go wrong, in the words of the domain. `problems` alone knows which HTTP status each one is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


class ServiceError(Exception):
    """An error whose message is written for whoever asked: it says what was wrong and names the way out."""


class NotFoundError(ServiceError):
    """The resource that was asked for does not exist."""


class PreconditionFailedError(ServiceError):
    """The resource is not in the state that the request asks for."""

    def __init__(self) -> None:
        super().__init__("The resource has changed since; read it again and send its new ETag in If-Match.")


class PreconditionRequiredError(ServiceError):
    """The request would overwrite whatever there is."""

    def __init__(self) -> None:
        super().__init__("Say what you mean to change: send the resource's ETag in If-Match, or If-Match: * for any.")


class UnauthorizedError(ServiceError):
    """The request does not say who sends it, or not in a way that can be believed.

    Attributes:
        reason: what is wrong with the token; empty where there is none.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"{reason or 'The request has no token.'} Send a valid one: Authorization: Bearer …")
        self.reason = reason


class ForbiddenError(ServiceError):
    """The sender is known, and is not allowed to do this.

    Attributes:
        scopes: what the token has to allow.
    """

    def __init__(self, scopes: Collection[str]) -> None:
        super().__init__(f"The token has to allow this: ask for one with the scope {' '.join(scopes)}.")
        self.scopes = scopes


class ConflictError(ServiceError):
    """The request does not fit what there is already."""


class RequestInProgressError(ConflictError):
    """The same request, by its idempotency key, is being carried out."""

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is being carried out. Send it again later for its answer."
        )


class IdempotencyKeyReusedError(ServiceError):
    """The idempotency key belongs to another request."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key came with another body before. Use a new key for each new request.")


class MalformedBodyError(ServiceError):
    """The request's body is not JSON."""


class RequestTimeoutError(ServiceError):
    """The rest of the request did not come."""

    def __init__(self) -> None:
        super().__init__("The request did not arrive in time. Send it again, all of it at once.")


class UnsupportedMediaTypeError(ServiceError):
    """The request's body is not declared as JSON."""


@dataclass(frozen=True)
class Mistake:
    """One wrong value of a request.

    Attributes:
        where: `pointer` for a JSON Pointer into the body (a URI fragment, RFC 6901 section 6), `parameter` for the name
            of a parameter in the path or the query.
        name: the pointer or the parameter's name.
        detail: the value's rule; it never echoes the value.
    """

    where: str
    name: str
    detail: str


class InvalidRequestError(ServiceError):
    """Values of the request break their rules."""

    def __init__(self, mistakes: Sequence[Mistake] = ()) -> None:
        super().__init__("One or more values of the request break their rules; see errors.")
        self.mistakes = mistakes


class UnavailableError(ServiceError):
    """The service cannot answer now; the same request may succeed later."""


class DatabaseUnavailableError(UnavailableError):
    """The database did not answer, or had no connection left."""

    def __init__(self) -> None:
        super().__init__("The database is not available at the moment. Try again later.")


class DependencyUnavailableError(UnavailableError):
    """Another service that this one needs did not answer."""

    def __init__(self) -> None:
        super().__init__("Another service that this one needs does not answer at the moment. Try again later.")


class OverloadedError(UnavailableError):
    """The service is answering as many requests as it takes at a time, and the turn of this one did not come soon."""

    def __init__(self) -> None:
        super().__init__("The service is at its limit of concurrent requests. Try again later.")


class DeadlineExceededError(UnavailableError):
    """The request took longer than its deadline."""

    def __init__(self) -> None:
        super().__init__("The request took too long and was given up. Try again later.")


class MigrationError(ServiceError):
    """The database could not be brought to the revision that was asked for."""
