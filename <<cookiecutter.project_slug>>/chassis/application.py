"""Puts a service together: its routes, the middlewares before them, and what handlers are given.

A request passes, in this order: request log → problem details → admission → endpoint → handler → queries → PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from aiohttp import ClientSession, web

from chassis.background.supervisor import Supervisor
from chassis.compatibility.moved_modules import log_moved_imports
from chassis.contract import Route, contract_of
from chassis.database import Database
from chassis.errors import MigrationError
from chassis.http.admission import Admission, InFlightLimit
from chassis.http.aiohttp_internals import make_requests
from chassis.http.client import client_session
from chassis.http.cors import cors
from chassis.http.docs_page import docs_routes
from chassis.http.endpoint import endpoint
from chassis.http.idempotency import delete_expired
from chassis.http.openapi import check_names, openapi_document
from chassis.http.problem_details import ProblemTypes, log_unmapped_errors, problems_of
from chassis.http.request_body import BodyMemory, RequestBodyReader, request_class
from chassis.http.streams import Streams
from chassis.migrations.revisions import HISTORIES, SchemaState, read_revisions, schema_state
from chassis.postgres.pool import Pool
from chassis.postgres.pool_metrics import measure_pool
from chassis.project import project
from chassis.resources.injection import Injector
from chassis.resources.opening import Resources, injector_of
from chassis.service import Opened, Service, key_of
from chassis.settings import Settings
from chassis.telemetry.event_loop_lag import measure_event_loop_lag
from chassis.telemetry.health import Health, create_internal_api
from chassis.telemetry.metrics import BUILD_INFO
from chassis.telemetry.request_log import RequestLog, request_log
from chassis.telemetry.request_metrics import measure_requests
from chassis.telemetry.tracing_option import tracing_of

if TYPE_CHECKING:
    from chassis.http.authentication import Authentication

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
        injector: what the service's functions are given.
    """

    api: web.Application
    internal: web.Application
    health: Health
    settings: Settings
    injector: Injector


def create_application(service: Service | Sequence[Route], settings: Settings) -> Application:
    """Make a service's two aiohttp applications.

    Args:
        service: what the service is made of; or, as up to release 0.2, its routes.
        settings: the service's settings.

    Raises:
        TypeError: a handler's signature is not a complete contract, or a function asks for what there is not; the
            message names the function and the parameter.
        ValueError: the migrations do not form one line; two handlers or two background functions have the same name; or
            two errors give one problem type different statuses.
    """
    if not isinstance(service, Service):
        service = Service(settings=type(settings), routes=service)
    routes = service.routes
    check_names(routes)
    for history in HISTORIES:
        read_revisions(history.versions)
    database, health = Pool(settings), Health()
    in_flight = InFlightLimit(settings.max_in_flight)
    problem_types = ProblemTypes(service.errors)
    headers = {header.name for route in routes for header in contract_of(route).headers.values()}
    tracing, authentication = tracing_of(settings), _authentication(settings, in_flight)
    injector = injector_of(service, settings)
    resources = Resources(service.resources, injector, settings.resource_timeout_seconds, health)
    supervisor = Supervisor(service.background, injector, database, health.draining)
    streams = Streams(settings, health)
    admission = Admission(settings, in_flight, streams)
    api = web.Application(
        middlewares=[
            request_log(RequestLog()),
            *([tracing.middleware] if tracing else []),
            *([cors(settings.cors_origins, headers)] if settings.cors_origins else []),
            problems_of(problem_types),
            admission.middleware,
            *service.middlewares,
        ],
        client_max_size=settings.max_body_bytes,  # of the parts of a form; the body's reader reads the whole
        handler_args={"auto_decompress": False},  # as the service's own server, for one of aiohttp in a test
    )
    api.on_response_prepare.append(admission.on_prepare)
    api.on_shutdown.append(streams.finish)
    api.on_cleanup.append(streams.abandon)
    body_reader = RequestBodyReader(settings.max_body_bytes, in_flight, BodyMemory(settings, routes))
    make_requests(api, request_class(body_reader))
    for route in routes:
        handle = endpoint(route, injector, settings, body_reader, streams, authentication)
        api.add_routes([web.RouteDef(route.method, route.path, handle, {})])
        admission.limit(handle, route.limits)
    secured, errors = bool(authentication), service.errors
    api.add_routes(docs_routes(lambda: openapi_document(routes, project(), authentication=secured, errors=errors)))
    for kind in injector.types:
        api[key_of(kind)] = Opened(kind, injector.values)

    async def run(_: web.Application) -> AsyncIterator[None]:
        log_moved_imports()
        log_unmapped_errors(routes, problem_types)
        async with (
            tracing or nullcontext(),
            client_session(settings.client_timeout_seconds, [tracing.of_calls] if tracing else []) as client,
            database,
        ):
            injector.values |= {Database: database, ClientSession: client}
            work = [
                _start(database, health, settings, resources, supervisor),
                measure_pool(database),
                measure_requests(),
                measure_event_loop_lag(),
            ]
            if authentication:
                work.append(authentication.keys.keep_fresh(client))
            else:
                log.warning("api_open", reason="OIDC_ISSUER is not set: whoever reaches the API may use it")
            tasks = [asyncio.create_task(each) for each in work]
            for task in tasks:
                task.add_done_callback(_log_failure)
            yield
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await supervisor.stop()
            await resources.close()

    api.cleanup_ctx.append(run)
    documented = set(api.router.resources())
    _configure(service, api, settings)
    if authentication and (others := set(api.router.resources()) - documented):
        log.warning("routes_without_token", routes=sorted(each.canonical for each in others))
    BUILD_INFO.labels(project().name, project().version).set(1)
    return Application(api, create_internal_api(health), health, settings, injector)


def _log_failure(task: "asyncio.Task[None]") -> None:
    """Log why a task has failed that should run until the service stops. Otherwise nobody would see its exception."""
    if not task.cancelled() and (error := task.exception()):
        log.error("unforeseen_error", exc_info=error)


def _configure(service: Service, api: web.Application, settings: Settings) -> None:
    if service.configure is None:
        return
    known = Injector({web.Application, *(kind for kind in type(settings).__mro__ if issubclass(kind, Settings))})
    known.values |= dict.fromkeys(known.types, settings) | {web.Application: api}
    service.configure(**known.arguments(known.parameters(service.configure)))


def _authentication(settings: Settings, in_flight: InFlightLimit) -> "Authentication | None":
    if not settings.oidc_issuer:
        return None
    from chassis.http.authentication import Authentication  # imported here because it is large

    return Authentication(settings, in_flight)


async def _start(
    database: Pool, health: Health, settings: Settings, resources: Resources, supervisor: Supervisor
) -> None:
    """Become ready, and from then on run background work, watch the resources, and delete expired idempotency keys."""
    schema = await _until_schema_fits(database)
    await resources.open_until_it_works()
    health.started()
    log.info("ready", database=database.address, schema=schema)
    supervisor.start()
    keep = timedelta(seconds=settings.idempotency_keep_seconds)
    async with asyncio.TaskGroup() as work:
        work.create_task(resources.watch())
        work.create_task(delete_expired(database, keep))


async def _until_schema_fits(database: Pool) -> str:
    """Wait until the database answers and its schema is not behind, and return the schema's state."""
    pause, logged = 0.05, ""
    while True:
        try:
            state = await schema_state(database)
            waiting_for = "" if state is not SchemaState.BEHIND else "migrations: run `python -m app migrate`"
        except MigrationError as error:
            waiting_for = f"the database: {error}"
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
    return state.value
