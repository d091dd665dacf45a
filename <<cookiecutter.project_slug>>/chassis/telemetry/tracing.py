"""OpenTelemetry traces. This module is imported only if the OTEL_* variables enable tracing.

Each request is a server span in the caller's trace (W3C Trace Context). SQL statements and calls to other services are
child spans, and calls propagate the trace. So are the service's own spans: see `chassis.observability`.
"""

import asyncio
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from opentelemetry.trace import Span as SdkSpan
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bind_contextvars

from chassis.project import project
from chassis.telemetry.labels import method_of, route_of
from chassis.telemetry.spans import Span, attribute_of, started_by
from chassis.telemetry.stream_record import RECORD

log = structlog.get_logger()

_FLUSH_SECONDS = 2
# Without baggage: nothing uses it, and the library logs its content if it is malformed.
_PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans and exports them; an asynchronous context manager that exports the last spans on exit.

    Attributes:
        of_calls: the trace config for aiohttp client sessions.
    """

    def __init__(self, exporter: str) -> None:
        # Use the stable attribute names; the libraries still default to the old ones.
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
        named = Resource.create({"service.name": project().name, "service.version": project().version})
        self._provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
        self._tracer = self._provider.get_tracer("chassis")
        self._sql_instrumentor = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]
        self.of_calls = create_trace_config(
            url_filter=lambda url: str(url.with_query(None)), tracer_provider=self._provider
        )

    async def __aenter__(self) -> Self:
        self._sql_instrumentor.instrument(tracer_provider=self._provider)
        started_by(self._start_span)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sql_instrumentor.uninstrument()
        started_by(None)
        # In a daemon thread, because the library's own timeouts do not work if the collector hangs.
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        await asyncio.to_thread(last.join, _FLUSH_SECONDS)
        if last.is_alive():
            log.warning("spans_lost", reason=f"the collector did not take the last ones within {_FLUSH_SECONDS} s")

    @contextmanager
    def _start_span(self, name: str, attributes: Mapping[str, object]) -> Iterator[Span]:
        with self._tracer.start_as_current_span(name) as started:
            span = _Span(started)
            span.set(**attributes)
            yield span

    @property
    def middleware(self) -> Middleware:
        """Make the middleware that starts the server span of each request."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            method, route = method_of(request), route_of(request)
            # The library fails on headers that are not ASCII.
            headers = {name.lower(): value for name, value in request.headers.items() if value.isascii()}
            with self._tracer.start_as_current_span(
                f"{method} {route}",
                context=_PROPAGATOR.extract(headers),
                kind=SpanKind.SERVER,
                attributes={"http.request.method": method, "http.route": route, "url.path": request.path},
            ) as span:
                bind_contextvars(trace_id=format_trace_id(span.get_span_context().trace_id))
                error = ""
                try:
                    response = await handler(request)
                    span.set_attribute("http.response.status_code", response.status)
                    error = str(response.status) if response.status >= 500 else ""
                    return response
                finally:
                    if (stream := request.get(RECORD)) and stream.aborted:
                        error = stream.aborted
                    if error:
                        span.set_attribute("error.type", error)
                        span.set_status(StatusCode.ERROR)

        return middleware


class _Span(Span):
    def __init__(self, span: SdkSpan) -> None:
        self._span = span

    def set(self, **attributes: object) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(name, attribute_of(value))


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter(formatter=lambda span: f"{span.to_json(indent=None)}\n")
    return OTLPSpanExporter()
