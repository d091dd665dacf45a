"""Traces go to a real collector, set by the standard variables. Without these, no tracing library is loaded."""

import asyncio
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from chassis.project import project
from chassis.telemetry.tracing import _FLUSH_SECONDS
from chassis.testing.processes import service_process
from tests.chassis.processes import example_process

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"


class Collector:
    """Accepts spans as the OpenTelemetry Collector does, and answers calls as another service."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, str] = {}
        self.called_with = ""
        self.hangs = False
        application = web.Application()
        application.add_routes([web.post("/v1/traces", self._take), web.get("/other", self._be_called)])
        self.server = TestServer(application)

    async def _take(self, request: web.Request) -> web.Response:
        if self.hangs:
            await asyncio.Event().wait()
        for group in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            self.resource = {each.key: each.value.string_value for each in group.resource.attributes}
            self.spans += [span for scope in group.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    async def _be_called(self, request: web.Request) -> web.Response:
        self.called_with = request.headers.get("traceparent", "")
        return web.json_response("hello")

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a service send its spans here."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": str(self.server.make_url("/"))}


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """A running collector."""
    made = Collector()
    async with made.server:
        yield made


def attributes_of(span: Span) -> dict[str, str | int]:
    """Return a span's attributes that are text or whole numbers."""
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


async def test_a_request_is_a_span_of_its_caller_s_trace_with_all_that_it_did(
    database_url: str, collector: Collector
) -> None:
    async with (
        example_process(database_url, environment=collector.environment) as service,
        aiohttp.ClientSession(headers={"traceparent": TRACEPARENT, "baggage": "the password hunter2"}) as client,
    ):
        other = str(collector.server.make_url("/other"))
        await client.get(f"{service.api}/transaction")
        assert (await service.until_logged("request"))["trace_id"] == TRACE_ID
        await client.get(f"{service.api}/call", params={"word": other})
        await client.get(f"{service.api}/broken")
        service.process.terminate()
        assert await service.until_ended() == 0
    spans = [span for span in collector.spans if span.trace_id.hex() == TRACE_ID]
    servers = {span.name: span for span in spans if span.kind == Span.SPAN_KIND_SERVER}
    assert servers.keys() == {"GET /transaction", "GET /call", "GET /broken"}
    assert {span.parent_span_id.hex() for span in servers.values()} == {PARENT_ID}
    assert attributes_of(servers["GET /call"]) == {
        "http.request.method": "GET",
        "http.route": "/call",
        "url.path": "/call",
        "http.response.status_code": 200,
    }
    assert servers["GET /broken"].status.code == 2
    clients = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
    [call] = [span for span in clients if span.parent_span_id == servers["GET /call"].span_id]
    assert collector.called_with == f"00-{TRACE_ID}-{call.span_id.hex()}-01"
    assert "hunter2" not in str(service.lines)
    statements = [attributes_of(span) for span in clients if span.parent_span_id == servers["GET /transaction"].span_id]
    assert "INSERT INTO numbers VALUES (1), (2)" in [each["db.query.text"] for each in statements]
    assert (collector.resource["service.name"], collector.resource["service.version"]) == (
        project().name,
        project().version,
    )


@pytest.mark.parametrize("path", ["/%ff", "/%ed%a0%80", "/%00", "/pool-size?a=%ff"])
async def test_no_header_and_no_path_breaks_the_trace(database_url: str, collector: Collector, path: str) -> None:
    odd = "".join(
        f"{name}: \xff=\xfe\r\n" for name in ("traceparent", "tracestate", "baggage", "User-Agent", "X-Request-ID")
    )
    async with example_process(database_url, environment=collector.environment) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{odd}\r\n".encode("latin-1"))
        assert (await reader.read()).split()[1] in {b"404", b"422"}
        writer.close()
        service.process.terminate()
        assert await service.until_ended() == 0
    assert [span.name for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER]


async def test_a_collector_that_hangs_holds_up_no_answer_and_hardly_the_end(
    database_url: str, collector: Collector
) -> None:
    collector.hangs = True
    environment = {**collector.environment, "OTEL_BSP_SCHEDULE_DELAY": "10"}
    async with example_process(database_url, environment=environment) as service, aiohttp.ClientSession() as client:
        assert (await client.get(f"{service.api}/transaction")).status == 200
        service.process.terminate()
        async with asyncio.timeout(_FLUSH_SECONDS + 5):
            assert await service.until_ended() == 0
        assert [line["event"] for line in service.lines if line["level"] == "warning"][-1] == "spans_lost"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
async def test_where_nobody_asks_for_it_nothing_of_it_is_loaded(database_url: str, environment: dict[str, str]) -> None:
    code = (
        "import sys; from tests.chassis import example; from chassis import command_line;"
        "command_line.serve = lambda application, *_: probe();\n"
        "async def probe():\n"
        "    print([name for name in ('opentelemetry', 'jwt', 'cryptography', 'alembic') if name in sys.modules])\n"
        "sys.argv = ['app']; command_line.main(example.Settings, example.ROUTES)"
    )
    command = [sys.executable, "-c", code]
    async with service_process(database_url, command, ready=False, environment=environment) as service:
        output, errors = await service.process.communicate()
        assert output.decode().strip() == "[]", errors


async def test_the_caller_s_trace_is_in_the_log_also_where_none_is_made(database_url: str) -> None:
    async with example_process(database_url) as service, aiohttp.ClientSession() as client:
        await client.get(f"{service.api}/pool-size", headers={"traceparent": TRACEPARENT})
        assert (await service.until_logged("request"))["trace_id"] == TRACE_ID
        for malformed in (
            "",
            "00-x",
            TRACEPARENT + '"}',
            f"ff{TRACEPARENT[2:]}",
            TRACEPARENT.replace(TRACE_ID, "0" * 32),
        ):
            await client.get(f"{service.api}/pool-size", headers={"traceparent": malformed})
            assert "trace_id" not in await service.until_logged("request")


async def test_a_way_of_sending_that_is_not_there_stops_the_start(database_url: str) -> None:
    environment = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRACES_EXPORTER": "zipkin"}
    async with example_process(database_url, ready=False, environment=environment) as service:
        _, errors = await service.process.communicate()
        assert service.process.returncode == 1
    assert b"OTEL_EXPORTER_OTLP_PROTOCOL: input should be 'http/protobuf'" in errors
    assert b"OTEL_TRACES_EXPORTER: input should be" in errors


async def test_spans_can_be_looked_at_without_a_collector(database_url: str) -> None:
    async with (
        example_process(database_url, environment={"OTEL_TRACES_EXPORTER": "console"}) as service,
        aiohttp.ClientSession() as client,
    ):
        await client.get(f"{service.api}/pool-size")
        service.process.terminate()
        output, _ = await service.process.communicate()
    assert b'"name": "GET /pool-size"' in output
