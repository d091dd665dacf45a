"""Traces (OpenTelemetry), where the usual OTEL_* variables ask for them; otherwise this module is not even loaded.

A request is a server span that continues the caller's trace (W3C Trace Context); the statements that it runs and the
calls to other services that it makes are spans below it, and the latter carry the trace on.
"""

import asyncio
import os
import threading
from typing import Self

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aiohttp_client import create_trace_config
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bind_contextvars

from chassis.project import project
from chassis.telemetry import method_of, route_of

log = structlog.get_logger()

_FLUSH_SECONDS = 2
# Not the baggage, which nothing here uses: where it is not well-formed, the library writes it into the log.
_FROM_CALLER = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans and sends them, as an asynchronous context manager that ends with what is still to be sent.

    Attributes:
        of_calls: tells an aiohttp session's calls to the trace.
    """

    def __init__(self, exporter: str) -> None:
        # The stable names of attributes; the libraries' default is still the older ones.
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
        named = Resource.create({"service.name": project().name, "service.version": project().version})
        self._provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
        self._tracer = self._provider.get_tracer("chassis")
        self._of_statements = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]
        self.of_calls = create_trace_config(
            url_filter=lambda url: str(url.with_query(None)), tracer_provider=self._provider
        )

    async def __aenter__(self) -> Self:
        self._of_statements.instrument(tracer_provider=self._provider)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._of_statements.uninstrument()
        # In a thread that the process does not wait for: the library's own bounds do not hold where a collector hangs.
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        await asyncio.to_thread(last.join, _FLUSH_SECONDS)
        if last.is_alive():
            log.warning("spans_lost", reason=f"the collector did not take the last ones within {_FLUSH_SECONDS} s")

    @property
    def middleware(self) -> Middleware:
        """Makes the request's span."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            method, route = method_of(request), route_of(request)
            # Where a header is not ASCII, the library raises.
            headers = {name.lower(): value for name, value in request.headers.items() if value.isascii()}
            with self._tracer.start_as_current_span(
                f"{method} {route}",
                context=_FROM_CALLER.extract(headers),
                kind=SpanKind.SERVER,
                attributes={"http.request.method": method, "http.route": route, "url.path": request.path},
            ) as span:
                bind_contextvars(trace_id=format_trace_id(span.get_span_context().trace_id))
                response = await handler(request)
                span.set_attribute("http.response.status_code", response.status)
                if response.status >= 500:
                    span.set_attribute("error.type", str(response.status))
                    span.set_status(StatusCode.ERROR)
                return response

        return middleware


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(formatter=lambda span: f"{span.to_json(indent=None)}\n")
    return OTLPSpanExporter()
