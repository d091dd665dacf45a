"""Gunicorn as the process manager. Its workers run the same server, with the same startup and shutdown."""

import asyncio
import os
import signal
import socket
from types import FrameType
from typing import Any

from aiohttp.worker import GunicornUVLoopWebWorker
from gunicorn.glogging import Logger as GunicornLogger
from prometheus_client.multiprocess import mark_process_dead

from chassis.server.serve import serve
from chassis.server.signals import Shutdown
from chassis.server.sockets import raise_file_limit


class Worker(GunicornUVLoopWebWorker):
    """aiohttp's worker, extended by the drain at shutdown and by separate sockets for the internal port."""

    def init_process(self) -> None:
        self._shutdown: Shutdown | None = None
        raise_file_limit()
        super().init_process()

    async def _run(self) -> None:
        application = self.wsgi()
        application.health.processes = self.cfg.workers
        ports: dict[bool, list[socket.socket]] = {True: [], False: []}
        for each in self.sockets:
            ports[each.getsockname()[1] == application.settings.internal_port].append(each)
        self._shutdown = Shutdown()
        self.booted = True
        heartbeat = asyncio.create_task(self._heartbeat())
        await serve(application, ports[False], ports[True], self._shutdown)
        heartbeat.cancel()

    async def _heartbeat(self) -> None:
        """Send the master a heartbeat once a second, and shut down if the master is gone."""
        while True:
            self.notify()
            if self.ppid != os.getppid():
                self._end(immediate=True)
            await asyncio.sleep(1)

    def handle_exit(self, *_: object) -> None:
        """Handle SIGTERM: shut down with a drain."""
        self._end(immediate=False)

    def handle_quit(self, *_: object) -> None:
        """Handle SIGINT and SIGQUIT: shut down without a drain."""
        self._end(immediate=True)

    def _end(self, *, immediate: bool) -> None:
        if self._shutdown is None:  # not serving yet
            raise SystemExit
        self._shutdown.request(immediate=immediate)


class Logger(GunicornLogger):  # type: ignore[misc]
    """Passes the master's log lines to the root logger, instead of handlers of its own."""

    def setup(self, _: object) -> None:
        self.error_log.propagate = True


def when_ready(master: Any) -> None:
    """Gunicorn's hook: exclude the master from the metrics, and make a second SIGTERM kill all workers."""
    mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]  # so that it does not count as a process of the pod

    def first(number: int, frame: FrameType | None) -> None:
        # While Gunicorn waits for its workers, it does not handle a second signal.
        signal.signal(signal.SIGTERM, lambda *_: master.kill_workers(signal.SIGKILL))
        master.signal(number, frame)

    signal.signal(signal.SIGTERM, first)


def child_exit(_: object, worker: Any) -> None:
    """Gunicorn's hook: remove a dead worker from the metrics, and thereby from the pod's readiness."""
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
