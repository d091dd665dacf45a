"""The fixtures that belong to this service. `chassis.testing` describes the others."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from chassis.service import find_service
from chassis.settings import Settings
from chassis.testing import Client, MakeClient, clients_of, examples_of

pytest_plugins = ["chassis.testing.plugin"]

SERVICE = find_service("app")


@pytest.fixture
def settings(database_url: str) -> Settings:
    """The service's settings in a test."""
    return SERVICE.settings(database_url=SecretStr(database_url), **examples_of(SERVICE.settings))


@pytest.fixture
def fakes() -> Mapping[type, Any]:
    """Values in the place of this service's resources, by type. Override this fixture in tests/app/conftest.py."""
    return {}


@pytest.fixture
async def make_client(
    settings: Settings, fakes: Mapping[type, Any], sessions_left_alone: None
) -> AsyncIterator[MakeClient]:
    """A function that starts this service with changed settings, and returns a client of it."""
    async with clients_of(SERVICE, settings, fakes) as make:
        yield make


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    """A client of this service."""
    return await make_client()
