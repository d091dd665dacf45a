"""Puts a service together: its routes, what a request passes on the way to them, and what they are given.

A request's way is one direction: observe → problems → limits → endpoint → handler → queries → PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from aiohttp import ClientSession, web

from chassis.bodies import Bodies
from chassis.client import client_session
from chassis.contract import Route
from chassis.cors import cors
from chassis.database import Database
from chassis.docs import docs_routes
from chassis.endpoint import endpoint
from chassis.health import Health, create_internal_api
from chassis.idempotency import clean
from chassis.limits import InFlight, limits
from chassis.metrics import BUILD_INFO
from chassis.observe import observe
from chassis.openapi import check_names, openapi_document
from chassis.pool import Pool
from chassis.problems import problems
from chassis.project import project
from chassis.saturation import sample
from chassis.schema import HISTORIES, SchemaState, read_revisions, schema_state
from chassis.settings import Settings
from chassis.telemetry import Telemetry

if TYPE_CHECKING:
    from chassis.auth import Authentication
    from chassis.tracing import Tracing

log = structlog.get_logger()

_LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Application:
    """A service, ready to be served: the API's port, the internal port, and the state that both tell."""

    api: web.Application
    internal: web.Application
    health: Health
    settings: Settings


def create_application(routes: Sequence[Route], settings: Settings) -> Application:
    """Makes the service's two aiohttp applications.

    Raises:
        TypeError: a handler's signature leaves its contract open.
        ValueError: the migrations do not form one line, or two handlers have the same name.
    """
    check_names(routes)
    database, health = Pool(settings), Health()
    for history in HISTORIES:
        read_revisions(history.versions)
    tracing = _tracing(settings)
    traced = [tracing.middleware] if tracing else []
    in_flight = InFlight(settings.max_in_flight)
    bodies = Bodies(settings.max_body_bytes, in_flight)
    across = [cors(settings.cors_origins)] if settings.cors_origins else []
    api = web.Application(
        middlewares=[
            observe(Telemetry()),
            *traced,
            *across,
            problems,
            limits(in_flight, settings.request_timeout_seconds),
        ],
    )
    authentication = _authentication(settings, in_flight)
    given: dict[type, object] = {Database: database, Settings: settings, type(settings): settings, ClientSession: None}
    api.add_routes(
        web.RouteDef(route.method, route.path, endpoint(route, given, bodies, authentication), {}) for route in routes
    )
    api.add_routes(docs_routes(lambda: openapi_document(routes, project(), authentication=bool(authentication))))

    async def run(_: web.Application) -> AsyncIterator[None]:
        calls_seen_by = [tracing.of_calls] if tracing else []
        async with (
            tracing or nullcontext(),
            client_session(settings.client_timeout_seconds, calls_seen_by) as client,
            database,
        ):
            given[ClientSession] = client
            work = [_work(database, health, settings), sample(database)]
            if authentication:
                work.append(authentication.keys.keep_fresh(client))
            else:
                log.warning("api_open", reason="OIDC_ISSUER is not set: whoever reaches the API may use it")
            tasks = [asyncio.create_task(each) for each in work]
            yield
            for task in tasks:
                task.cancel()

    api.cleanup_ctx.append(run)
    BUILD_INFO.labels(project().name, project().version).set(1)
    return Application(api, create_internal_api(health), health, settings)


def _authentication(settings: Settings, in_flight: InFlight) -> "Authentication | None":
    if not settings.oidc_issuer:
        return None
    from chassis.auth import Authentication  # here, because it is large

    return Authentication(settings, in_flight)


def _tracing(settings: Settings) -> "Tracing | None":
    if settings.traces_exporter == "none":
        return None
    from chassis.tracing import Tracing  # here, because it is large

    return Tracing(settings.traces_exporter)


async def _work(database: Pool, health: Health, settings: Settings) -> None:
    """What the service does beside answering requests."""
    await _start(database, health)
    await clean(database, timedelta(seconds=settings.idempotency_keep_seconds))


async def _start(database: Pool, health: Health) -> None:
    """Waits until the database answers and its schema fits, then lets requests come."""
    pause, told = 0.05, ""
    while True:
        try:
            state = await schema_state(database)
            waiting_for = "" if state is not SchemaState.BEHIND else "migrations: run `python -m app migrate`"
        except Exception as error:  # whatever it is, the log says it and the next try may do
            waiting_for = f"the database: {(error.__cause__ or error)!r}"
        if not waiting_for:
            break
        if waiting_for != told:
            log.warning("not_ready", waiting_for=waiting_for, database=database.address)
            told = waiting_for
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    database.mark_schema_current()
    health.started()
    log.info("ready", database=database.address, schema=state.value)
