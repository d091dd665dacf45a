"""Gunicorn as the process manager: its worker runs the same server, with the same start and the same end."""

import asyncio
import os
import signal
import socket
from types import FrameType
from typing import Any

from aiohttp.worker import GunicornUVLoopWebWorker
from gunicorn.glogging import Logger as GunicornLogger
from prometheus_client.multiprocess import mark_process_dead

from chassis.server import Stop, raise_file_limit, serve


class Worker(GunicornUVLoopWebWorker):
    """aiohttp's worker, but for its end, which knows no drain, and its sockets, which all serve one application."""

    def init_process(self) -> None:
        """Runs in the worker's process before anything is loaded."""
        self._stop: Stop | None = None
        raise_file_limit()
        super().init_process()

    async def _run(self) -> None:
        application = self.wsgi()
        application.health.processes = self.cfg.workers
        ports: dict[bool, list[socket.socket]] = {True: [], False: []}
        for each in self.sockets:
            ports[each.getsockname()[1] == application.settings.internal_port].append(each)
        self._stop = Stop()
        self.booted = True
        beating = asyncio.create_task(self._beat())
        await serve(application, ports[False], ports[True], self._stop)
        beating.cancel()

    async def _beat(self) -> None:
        """Tells the master that the loop turns, and ends the worker when the master is gone."""
        while True:
            self.notify()
            if self.ppid != os.getppid():
                self._end(hurry=True)
            await asyncio.sleep(1)

    def handle_exit(self, *_: object) -> None:
        """SIGTERM: ends with a drain."""
        self._end(hurry=False)

    def handle_quit(self, *_: object) -> None:
        """SIGINT, SIGQUIT: ends without one."""
        self._end(hurry=True)

    def _end(self, *, hurry: bool) -> None:
        if self._stop is None:  # not serving yet
            raise SystemExit
        self._stop.request(hurry=hurry)


class Logger(GunicornLogger):  # type: ignore[misc]
    """Leaves the master's log lines to the service's own logging."""

    def setup(self, _: object) -> None:
        """Adds no handlers: the lines go up to the root logger."""
        self.error_log.propagate = True


def when_ready(master: Any) -> None:
    """Gunicorn's hook: the master serves nothing, and a second SIGTERM to it ends everything now."""
    mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]  # or it would count among the pod's processes

    def first(number: int, frame: FrameType | None) -> None:
        # While it waits for its workers, Gunicorn takes no second one.
        signal.signal(signal.SIGTERM, lambda *_: master.kill_workers(signal.SIGKILL))
        master.signal(number, frame)

    signal.signal(signal.SIGTERM, first)


def child_exit(_: object, worker: Any) -> None:
    """Gunicorn's hook: takes a dead worker out of the metrics and so out of the pod's readiness."""
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
