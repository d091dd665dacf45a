"""Clients of the service under test."""

from typing import Protocol, TypeAlias, TypeVar

from aiohttp import web
from aiohttp.test_utils import TestClient

from chassis.settings import Settings

Client: TypeAlias = TestClient[web.Request, web.Application]
"""A client of a service that runs in the test's process."""


class MakeClient(Protocol):
    """The fixture `make_client`: starts the service with changed settings, and returns a client of it."""

    async def __call__(self, **changes: object) -> Client:
        """Start the service: `client = await make_client(max_in_flight=1)`.

        Args:
            changes: values of settings by the names of their fields.

        Raises:
            pydantic.ValidationError: there is no such setting, or its value breaks its rule.
        """


AnySettings = TypeVar("AnySettings", bound=Settings)


def changed_settings(settings: AnySettings, **changes: object) -> AnySettings:
    """Return a copy of the settings with other values, which are validated.

    Args:
        settings: the settings to copy.
        changes: values of settings by the names of their fields.

    Raises:
        pydantic.ValidationError: there is no such setting, or its value breaks its rule.
    """
    return type(settings).model_validate(settings.model_dump() | changes)
