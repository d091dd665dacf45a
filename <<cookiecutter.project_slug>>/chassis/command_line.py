"""The command line `python -m app [serve | migrate [--down-to REVISION] | openapi | …]`: `main(SERVICE)`.

The functions in `Service.commands` are further commands: `import_prices` is `python -m app import-prices`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial

import asyncpg
import uvloop

from chassis.application import create_application
from chassis.contract import Route
from chassis.errors import ServiceError
from chassis.http.openapi import openapi_document
from chassis.migrations.run import migrate
from chassis.project import project
from chassis.resources.opening import injector_of
from chassis.server.command_arguments import commands_of
from chassis.server.commands import run_command
from chassis.server.opening import open_once
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
    known = injector_of(made_of)
    own = {each.name: each for each in commands_of(made_of.commands, known, built_in=[*commands.choices])}
    for name, each in own.items():
        summary = each.summary.replace("%", "%%")
        each.add_to(commands.add_parser(name, help=summary, description=summary))
    arguments = parser.parse_args()
    if arguments.command == "openapi":
        document = openapi_document(made_of.routes, project(), errors=made_of.errors)
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    command = own.get(arguments.command)
    values = command.arguments(arguments, commands.choices[command.name]) if command else {}
    try:
        settings = load_settings(made_of.settings)
        configure_logs(settings.log_level, settings.log_format)
        if command:
            opened = partial(open_once, made_of, settings)
            sys.exit(uvloop.run(run_command(command, values, opened, settings.drain_seconds)))
        elif arguments.command == "migrate":
            uvloop.run(migrate(settings, arguments.down_to))
        else:
            _serve(settings, made_of)
    except (SettingsError, ServiceError, OSError, asyncpg.PostgresError) as error:
        sys.exit(str(error))


def _serve(settings: Settings, service: Service) -> None:
    with listen(settings.host, settings.port) as api, listen(settings.host, settings.internal_port) as internal:

        async def run() -> None:
            raise_file_limit()
            shutdown = shutdown_on_signals()
            await serve(create_application(service, settings), [api], [internal], shutdown)

        uvloop.run(run())
