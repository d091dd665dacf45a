"""Puts a service together: its routes, the middlewares before them, and what handlers are given.

A request passes, in this order: request log → problem details → admission → endpoint → handler → queries → PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import ClientSession, web

from chassis.compatibility.moved_modules import log_moved_imports
from chassis.contract import Route, contract_of
from chassis.database import Database
from chassis.errors import Problem
from chassis.http.admission import InFlightLimit, admission
from chassis.http.aiohttp_internals import make_requests
from chassis.http.client import client_session
from chassis.http.cors import cors
from chassis.http.docs_page import docs_routes
from chassis.http.endpoint import endpoint
from chassis.http.idempotency import delete_expired
from chassis.http.openapi import check_names, openapi_document
from chassis.http.problem_details import ProblemTypes, log_unmapped_errors, problems_of
from chassis.http.request_body import RequestBodyReader, request_class
from chassis.migrations.revisions import HISTORIES, SchemaState, read_revisions, schema_state
from chassis.postgres.pool import Pool
from chassis.postgres.pool_metrics import measure_pool
from chassis.project import project
from chassis.resources.injection import Injector
from chassis.settings import Settings
from chassis.telemetry.event_loop_lag import measure_event_loop_lag
from chassis.telemetry.health import Health, create_internal_api
from chassis.telemetry.metrics import BUILD_INFO
from chassis.telemetry.request_log import RequestLog, request_log

if TYPE_CHECKING:
    from chassis.http.authentication import Authentication
    from chassis.telemetry.tracing import Tracing

log = structlog.get_logger()

_MAX_RETRY_SECONDS = 0.5


@dataclass(frozen=True)
class Application:
    """A service that can be served.

    Attributes:
        api: the application of the API's port.
        internal: the application of the internal port: health checks and metrics.
        health: the readiness of this process.
        settings: the service's settings.
    """

    api: web.Application
    internal: web.Application
    health: Health
    settings: Settings


def create_application(
    routes: Sequence[Route], settings: Settings, *, errors: Mapping[type[Exception], Problem] = MappingProxyType({})
) -> Application:
    """Make a service's two aiohttp applications.

    Args:
        routes: the operations of the API.
        settings: the service's settings.
        errors: how errors of the domain are answered: `Service.errors`.

    Returns:
        The applications, which `chassis.server` serves.

    Raises:
        TypeError: a handler's signature is not a complete contract; the message names the handler and the parameter.
        ValueError: the migrations do not form one line, or two handlers have the same name, or two errors give one
            problem type different statuses.
    """
    check_names(routes)
    for history in HISTORIES:
        read_revisions(history.versions)
    database, health = Pool(settings), Health()
    in_flight = InFlightLimit(settings.max_in_flight)
    body_reader = RequestBodyReader(settings.max_body_bytes, in_flight)
    problem_types = ProblemTypes(errors)
    headers = {header.name for route in routes for header in contract_of(route).headers.values()}
    tracing, authentication = _tracing(settings), _authentication(settings, in_flight)
    resources = Injector({Database, Settings, type(settings), ClientSession})
    api = web.Application(
        middlewares=[
            request_log(RequestLog()),
            *([tracing.middleware] if tracing else []),
            *([cors(settings.cors_origins, headers)] if settings.cors_origins else []),
            problems_of(problem_types),
            admission(in_flight, settings.request_timeout_seconds),
        ],
        client_max_size=settings.max_body_bytes,  # of the parts of a form, whose whole body_reader reads
        handler_args={"auto_decompress": False},  # as body_reader does, also on the server of a test
    )
    make_requests(api, request_class(body_reader))
    api.add_routes(
        web.RouteDef(route.method, route.path, endpoint(route, resources, settings, body_reader, authentication), {})
        for route in routes
    )
    secured = bool(authentication)
    api.add_routes(docs_routes(lambda: openapi_document(routes, project(), authentication=secured, errors=errors)))

    async def run(_: web.Application) -> AsyncIterator[None]:
        log_moved_imports()
        log_unmapped_errors(routes, problem_types)
        async with (
            tracing or nullcontext(),
            client_session(settings.client_timeout_seconds, [tracing.of_calls] if tracing else []) as client,
            database,
        ):
            given: dict[type, Any] = {
                Database: database,
                Settings: settings,
                type(settings): settings,
                ClientSession: client,
            }
            resources.values.update(given)
            work = [_start(database, health, settings), measure_pool(database), measure_event_loop_lag()]
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


def _authentication(settings: Settings, in_flight: InFlightLimit) -> "Authentication | None":
    if not settings.oidc_issuer:
        return None
    from chassis.http.authentication import Authentication  # imported here because it is large

    return Authentication(settings, in_flight)


def _tracing(settings: Settings) -> "Tracing | None":
    if settings.traces_exporter == "none":
        return None
    from chassis.telemetry.tracing import Tracing  # imported here because it is large

    return Tracing(settings.traces_exporter)


async def _start(database: Pool, health: Health, settings: Settings) -> None:
    """Become ready, and from then on delete expired idempotency keys."""
    await _become_ready(database, health)
    await delete_expired(database, timedelta(seconds=settings.idempotency_keep_seconds))


async def _become_ready(database: Pool, health: Health) -> None:
    """Wait until the database answers and its schema is not behind, then accept requests."""
    pause, logged = 0.05, ""
    while True:
        try:
            state = await schema_state(database)
            waiting_for = "" if state is not SchemaState.BEHIND else "migrations: run `python -m app migrate`"
        except Exception as error:  # whatever it is: it is logged, and the next attempt may succeed
            waiting_for = f"the database: {(error.__cause__ or error)!r}"
        if not waiting_for:
            break
        if waiting_for != logged:
            log.warning("not_ready", waiting_for=waiting_for, database=database.address)
            logged = waiting_for
        await asyncio.sleep(pause)
        pause = min(2 * pause, _MAX_RETRY_SECONDS)
    database.mark_schema_current()
    health.started()
    log.info("ready", database=database.address, schema=state.value)
