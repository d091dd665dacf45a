"""Liveness, readiness and metrics, on the internal port.

Liveness says that the event loop turns, nothing else: a database outage must not restart every pod. Readiness says
started and not draining; a database that goes away later is a fast 503 a request and does not take the pod out.
"""

from enum import StrEnum

from aiohttp import web

from chassis.metrics import READY, exposition, registry


class State(StrEnum):
    """The states of a process, in their order."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class Health:
    """The state of this process, which moves forward only.

    Attributes:
        state: where this process is.
        processes: how many of them share the pod's ports.
    """

    def __init__(self) -> None:
        self.state = State.STARTING
        self.processes = 1
        READY.set(0)

    def started(self) -> None:
        """The pool works and the schema is not behind: requests may come."""
        if self.state is State.STARTING:
            self.state = State.READY
            READY.set(1)

    def drain(self) -> None:
        """The process is about to end: no new connections, please."""
        self.state = State.DRAINING
        READY.set(0)


def create_internal_api(health: Health) -> web.Application:
    """The application of the internal port: `/livez`, `/readyz`, `/metrics`."""

    async def livez(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        # Of several processes any may be asked, and all take requests: the pod is ready when each of them is.
        pod_ready = (registry().get_sample_value("service_ready") or 0) >= health.processes
        waiting = health.state is State.READY and not pod_ready
        status = "waiting for other processes" if waiting else health.state.value
        return web.json_response({"status": status}, status=200 if pod_ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        body, content_type = exposition()
        return web.Response(body=body, headers={"Content-Type": content_type})

    internal = web.Application()
    internal.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return internal
