"""The command line `python -m app [serve | migrate [--down-to REVISION] | openapi | …]`: `main(SERVICE)`.

The functions in `Service.commands` are further commands: `import_prices` is `python -m app import-prices`.
"""

import argparse
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import uvloop
from aiohttp import ClientSession

from chassis.application import create_application
from chassis.contract import Route
from chassis.database import Database
from chassis.errors import ServiceError
from chassis.http.client import client_session
from chassis.http.openapi import openapi_document
from chassis.migrations.run import migrate
from chassis.postgres.pool import Pool
from chassis.project import project
from chassis.resources.injection import Injector
from chassis.server.command_arguments import commands_of
from chassis.server.commands import Open, run_command
from chassis.server.serve import serve
from chassis.server.signals import shutdown_on_signals
from chassis.server.sockets import listen, raise_file_limit
from chassis.service import Service
from chassis.settings import Settings, SettingsError, load_settings
from chassis.telemetry.logs import configure_logs


def main(service: Service | type[Settings], routes: Sequence[Route] | None = None) -> None:
    """Run the command in `sys.argv`.

    On failure, print one message to stderr and exit with a status other than 0.

    Args:
        service: what the service is made of; or, as up to release 0.2, its settings.
        routes: the operations of the API, beside settings.

    Raises:
        TypeError: the signature of a command is none; the message names the function and the parameter.
        ValueError: two commands have one name.
    """
    made_of = service if isinstance(service, Service) else Service(settings=service, routes=routes or ())
    parser = argparse.ArgumentParser(prog="python -m app", description=project().description)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", help="serve the API (the default)")
    migration = commands.add_parser("migrate", help="bring the database to the newest revision")
    migration.add_argument("--down-to", metavar="REVISION", help="go back to REVISION (or to `base`) instead")
    commands.add_parser("openapi", help="print the OpenAPI document")
    own = {each.name: each for each in commands_of(made_of.commands, _injector(made_of), built_in=[*commands.choices])}
    for name, each in own.items():
        summary = each.summary.replace("%", "%%")
        each.add_to(commands.add_parser(name, help=summary, description=summary))
    arguments = parser.parse_args()
    if arguments.command == "openapi":
        sys.stdout.write(json.dumps(openapi_document(made_of.routes, project()), indent=2, ensure_ascii=False) + "\n")
        return
    command = own.get(arguments.command)
    values = command.arguments(arguments, commands.choices[command.name]) if command else {}
    try:
        settings = load_settings(made_of.settings)
        configure_logs(settings.log_level, settings.log_format)
        if command:
            opened = _opening(made_of, settings)
            sys.exit(uvloop.run(run_command(command, values, opened, settings.drain_seconds)))
        elif arguments.command == "migrate":
            uvloop.run(migrate(settings, arguments.down_to))
        else:
            _serve(settings, made_of.routes)
    except (SettingsError, ServiceError, OSError, asyncpg.PostgresError) as error:
        sys.exit(str(error))


def _injector(service: Service) -> Injector:
    return Injector({Database, Settings, service.settings, ClientSession})


def _opening(service: Service, settings: Settings) -> Open:
    """Return what opens the database and the client, for a command."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Injector]:
        injector = _injector(service)
        async with client_session(settings.client_timeout_seconds) as client, Pool(settings) as database:
            database.mark_schema_current()
            injector.values = {
                Database: database,
                Settings: settings,
                service.settings: settings,
                ClientSession: client,
            }
            yield injector

    return opened


def _serve(settings: Settings, routes: Sequence[Route]) -> None:
    with listen(settings.host, settings.port) as api, listen(settings.host, settings.internal_port) as internal:

        async def run() -> None:
            raise_file_limit()
            shutdown = shutdown_on_signals()
            await serve(create_application(routes, settings), [api], [internal], shutdown)

        uvloop.run(run())
