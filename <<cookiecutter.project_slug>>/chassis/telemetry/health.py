"""Liveness, readiness and metrics, on the internal port.

Liveness succeeds while the event loop runs: a database outage must not restart every pod. Readiness succeeds after the
start and until the drain: during a later outage, the pod stays ready and requests fail fast with 503.
"""

from enum import StrEnum

from aiohttp import web

from chassis.telemetry.metrics import READY, exposition, registry


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


class Health:
    """The state of this process, which moves forward only: starting, ready, draining.

    Attributes:
        processes: the number of processes that share the pod's ports.
    """

    def __init__(self) -> None:
        self.state = State.STARTING
        self.processes = 1
        READY.set(0)

    def started(self) -> None:
        """Report readiness: the database works and its schema is not behind the code."""
        if self.state is State.STARTING:
            self.state = State.READY
            READY.set(1)

    def drain(self) -> None:
        """Fail readiness, so that load balancers stop sending new connections."""
        self.state = State.DRAINING
        READY.set(0)


def create_internal_api(health: Health) -> web.Application:
    """Make the application of the internal port: `/livez`, `/readyz`, `/metrics`."""

    async def livez(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        # Any process may answer the probe, so each reports whether all of them are ready.
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
