"""The fixtures that belong to this service. `chassis.testing` describes the others."""

import pytest
from pydantic import SecretStr
from pytest_aiohttp import AiohttpClient

from app.routes import ROUTES
from app.settings import Settings
from chassis.application import create_application
from chassis.testing import Client, MakeClient, changed_settings

pytest_plugins = ["chassis.testing.plugin"]


@pytest.fixture
def settings(database_url: str) -> Settings:
    """The service's settings in a test."""
    return Settings(database_url=SecretStr(database_url))


@pytest.fixture
def make_client(aiohttp_client: AiohttpClient, settings: Settings, sessions_left_alone: None) -> MakeClient:
    """A function that starts this service with changed settings, and returns a client of it."""

    async def make(**changes: object) -> Client:
        return await aiohttp_client(create_application(ROUTES, changed_settings(settings, **changes)).api)

    return make


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    """A client of this service."""
    return await make_client()
