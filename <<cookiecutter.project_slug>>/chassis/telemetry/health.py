"""Liveness, readiness and metrics, on the internal port.

Liveness succeeds while the event loop runs: a database outage must not restart every pod. Readiness succeeds after the
start and until the drain: during a later outage, the pod stays ready and requests fail fast with 503.
"""

import asyncio
from enum import StrEnum

from aiohttp import web

from chassis.telemetry.metrics import READY, exposition, registry
from chassis.telemetry.request_metrics import REQUESTS


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class Health:
    """The state of this process, which moves forward only: starting, ready, draining.

    Attributes:
        processes: the number of processes that share the pod's ports.
        draining: set when the drain begins.
    """

    def __init__(self) -> None:
        self.state = State.STARTING
        self.processes = 1
        self.draining = asyncio.Event()
        self._missing = set[str]()
        self._started = asyncio.Event()
        READY.set(0)

    @property
    def waiting_for(self) -> str:
        """What a started process that is not ready waits for."""
        return ", ".join(sorted(self._missing)) or "other processes"

    def started(self) -> None:
        """Report readiness: the database works and its schema is not behind the code."""
        if self.state is State.STARTING:
            self.state = State.READY
            self._started.set()
            READY.set(not self._missing)

    async def until_started(self) -> None:
        """Wait until `started` was called."""
        await self._started.wait()

    def need(self, name: str, *, healthy: bool) -> None:
        """Fail readiness while something that the service needs is not healthy.

        Args:
            name: of what is needed.
            healthy: whether it works now.
        """
        (self._missing.discard if healthy else self._missing.add)(name)
        if self.state is State.READY:
            READY.set(not self._missing)

    def drain(self) -> None:
        """Fail readiness, so that load balancers stop sending new connections."""
        self.state = State.DRAINING
        self.draining.set()
        READY.set(0)


def create_internal_api(health: Health) -> web.Application:
    """Make the application of the internal port: `/livez`, `/readyz`, `/metrics`."""

    async def livez(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        # Any process may answer the probe, so each reports whether all of them are ready.
        pod_ready = (registry().get_sample_value("service_ready") or 0) >= health.processes
        waiting = health.state is State.READY and not pod_ready
        status = f"waiting for {health.waiting_for}" if waiting else health.state.value
        return web.json_response({"status": status}, status=200 if pod_ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        REQUESTS.update()
        body, content_type = exposition()
        return web.Response(body=body, headers={"Content-Type": content_type})

    internal = web.Application()
    internal.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return internal
