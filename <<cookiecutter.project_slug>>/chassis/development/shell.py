"""`make shell`: a Python prompt with the database, settings and resources of the service, where `await` works."""

import ast
import asyncio
import code
import concurrent.futures
import inspect
import os
import readline
import rlcompleter
import signal
import sys
from contextlib import suppress
from types import CodeType, FrameType, FunctionType
from typing import Any

from aiohttp import ClientSession

from chassis.database import Database
from chassis.development.database import development_database
from chassis.development.postgres import EmbeddedPostgresError
from chassis.resources.injection import Injector
from chassis.resources.lifetime import type_of
from chassis.server.opening import open_once
from chassis.service import Resource, Service, find_service
from chassis.settings import Settings, SettingsError, load_settings
from chassis.telemetry.logs import configure_logs


class Console(code.InteractiveConsole):
    """A prompt in a thread of its own. What is typed runs in the event loop, which goes on while the prompt waits.

    Args:
        names: what is there at the prompt, by name.
        loop: the event loop, which runs in another thread.
    """

    def __init__(self, names: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._loop = loop
        self._task: asyncio.Task[object] | None = None

    def runcode(self, code: CodeType) -> None:
        """Run a statement in the event loop, and wait for it."""
        done = concurrent.futures.Future[None]()
        self._loop.call_soon_threadsafe(self._begin, code, done)
        try:
            done.result()
        except SystemExit:
            raise
        except concurrent.futures.CancelledError:
            self.write("\nKeyboardInterrupt\n")
        except BaseException:
            self.showtraceback()

    def on_interrupt(self, *_: int | FrameType | None) -> None:
        """Handle Ctrl-C: end the statement that runs."""
        if self._task is None:
            self.write("\nCtrl-D ends the shell.\n")
        elif asyncio.current_task(self._loop) is self._task:  # it blocks the event loop
            raise KeyboardInterrupt
        else:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def _begin(self, code: CodeType, done: "concurrent.futures.Future[None]") -> None:
        self._task = self._loop.create_task(self._run(code, done))

    async def _run(self, code: CodeType, done: "concurrent.futures.Future[None]") -> None:
        try:
            result = FunctionType(code, self.locals)()
            if inspect.iscoroutine(result):
                await result
            done.set_result(None)
        except asyncio.CancelledError:
            done.cancel()
        except BaseException as error:  # whatever it is, SystemExit included: the prompt deals with it
            done.set_exception(error)
        finally:
            self._task = None


def names_of(service: Service, settings: Settings, injector: Injector) -> dict[str, Any]:
    """Return what is there at the prompt: `settings`, `database`, `client`, resources by their functions' names.

    Args:
        service: what the service is made of.
        settings: its settings.
        injector: has what is open.
    """
    functions = [each.open if isinstance(each, Resource) else each for each in service.resources]
    resources = {function.__name__: injector.values[type_of(function)] for function in functions}
    values = injector.values
    given = {"settings": settings, "database": values[Database], "client": values[ClientSession]}
    return given | resources | {"asyncio": asyncio}


async def _interact(service: Service, settings: Settings) -> None:
    async with open_once(service, settings) as injector:
        names = names_of(service, settings, injector)
        console = Console(names, asyncio.get_running_loop())
        signal.signal(signal.SIGINT, console.on_interrupt)
        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
        banner = f"There is: {', '.join(names)}. Example: await database.fetchval('SELECT 1'). Ctrl-D ends the shell."
        await asyncio.to_thread(_prompt, console, banner)


def _prompt(console: Console, banner: str) -> None:
    with suppress(SystemExit):  # of exit()
        console.interact(banner, "")


def main() -> None:
    """Open what the service's functions are given, and prompt until the end of the input."""
    os.environ.setdefault("LOG_FORMAT", "console")
    service = find_service("app")
    try:
        with development_database() as migrate:
            if not migrate():
                sys.exit(1)
            settings = load_settings(service.settings)
            configure_logs(settings.log_level, settings.log_format)
            asyncio.run(_interact(service, settings))
    except (EmbeddedPostgresError, SettingsError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
