"""Metrics and spans of a service's own."""

import asyncio
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from chassis.observability import counter, gauge, histogram, span
from chassis.project import ROOT
from chassis.testing.processes import PATIENCE_SECONDS, service_process
from tests.chassis.test_tracing import Collector, attributes_of, collector

__all__ = ["collector"]  # a fixture

OBSERVED = [sys.executable, "-m", "tests.chassis.observed"]
_NONE: Mapping[str, str] = MappingProxyType({})


async def ended(code: str, *argv: str, environment: Mapping[str, str] = _NONE) -> str:
    """Run code in a process of its own, and return its output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *argv, cwd=ROOT, stdout=asyncio.subprocess.PIPE, env=dict(environment)
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def test_metrics_of_one_s_own_are_in_the_metrics(database_url: str) -> None:
    async with service_process(database_url, OBSERVED) as service, aiohttp.ClientSession() as client:
        for seconds in (1, 30):
            assert (await client.post(f"{service.api}/orders/{seconds}")).status == 204
        lines = (await (await client.get(f"{service.internal}/metrics")).text()).splitlines()
    for line in (
        'orders_total{channel="web"} 2.0',
        "orders_queued 2.0",
        "orders_known 7.0",
        'order_picking_seconds_bucket{le="1.0"} 1.0',
        'order_picking_seconds_bucket{le="60.0"} 2.0',
        "order_picking_seconds_sum 31.0",
        "# HELP orders_total Orders that were placed, by channel.",
        "service_ready 1.0",
    ):
        assert line in lines
    # As the contract test of the chart finds metrics.
    assert {"orders_total", "orders_queued"} <= set(re.findall(r"^(\w+)[{ ]", "\n".join(lines), re.MULTILINE))


async def test_metrics_add_up_over_processes(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from chassis.observability import counter, gauge, histogram\n"
        "number = int(sys.argv[1])\n"
        "counter('orders', 'Orders.').inc(number)\n"
        "for how in ('sum', 'max', 'min', 'latest'):\n"
        "    gauge(f'{how}_of_orders', 'Orders.', processes=how).set(number)\n"
        "histogram('order_seconds', 'Time.', buckets=[5]).observe(number)\n"
        "from chassis.telemetry.metrics import exposition\n"
        "print(exposition()[0].decode())\n"
    )
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    await ended(code, "4", environment=environment)
    shown = (await ended(code, "7", environment=environment)).splitlines()
    for line in (
        "orders_total 11.0",
        "sum_of_orders 11.0",
        "max_of_orders 7.0",
        "min_of_orders 4.0",
        "latest_of_orders 7.0",
        'order_seconds_bucket{le="5.0"} 1.0',
        "order_seconds_sum 11.0",
    ):
        assert line in shown


@pytest.mark.parametrize(
    ("define", "rule"),
    [
        (lambda: counter("Orders", "Orders."), "lower-case letters, digits and underscores, beginning with a letter"),
        (lambda: counter("", "Orders."), "beginning with a letter"),
        (lambda: counter("1st", "Orders."), "beginning with a letter"),
        (lambda: counter("orders-placed", "Orders."), "beginning with a letter"),
        (lambda: counter("orders\n", "Orders."), "beginning with a letter"),
        (lambda: gauge("orders_count", "Orders."), "should not end with _total, _count,"),
        (lambda: gauge("orders_total", "Orders."), "should not end with _total, _count,"),
        (lambda: histogram("order_sum", "Orders."), "should not end with _total, _count,"),
        (lambda: counter("orders", " "), "say in `help` what it is"),
        (lambda: counter("orders", "Orders.", ["Channel"]), "its label 'Channel' should be lower-case letters"),
        (lambda: counter("orders", "Orders.", ["__name"]), "its label '__name' should be lower-case letters"),
        (lambda: histogram("order_size", "Orders.", ["le"]), "its label 'le' should be"),
        (lambda: counter("orders", "Orders.", ["a", "a"]), "it should have each label once"),
        (lambda: histogram("order_size", "Orders.", buckets=[]), "the bounds of its buckets should ascend"),
        (lambda: histogram("order_size", "Orders.", buckets=[1, 1]), "the bounds of its buckets should ascend"),
        (lambda: gauge("orders_q", "Orders.", processes="all"), "`processes` should be one of sum, max, min, latest"),  # type: ignore[arg-type]
        (lambda: gauge("service_ready", "Ready."), "its name is taken"),
        (lambda: counter("log_lines_dropped_total", "Lines."), "its name is taken"),
    ],
)
def test_a_wrong_definition_says_the_rule(define: Callable[[], Any], rule: str) -> None:
    with pytest.raises(ValueError, match=r"^The (counter|gauge|histogram) '") as raised:
        define()
    assert rule in str(raised.value)


async def test_the_names_of_the_chassis_are_taken_whatever_is_imported_first() -> None:
    code = (
        "from chassis.observability import gauge\n"
        "try:\n"
        "    gauge('service_ready', 'Ready.')\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    assert "its name is taken" in await ended(code)


def test_a_metric_that_is_defined_twice_is_one_or_an_error() -> None:
    one = counter("parcels_total", "Parcels.", ["country"])
    assert counter("parcels", "Parcels.", ("country",)) is one
    for define in (
        lambda: counter("parcels", "Parcels."),
        lambda: counter("parcels", "Others.", ["country"]),
        lambda: gauge("parcels", "Parcels.", ["country"]),
    ):
        with pytest.raises(ValueError, match="a metric of this name is defined in another way"):
            define()


def test_without_tracing_a_span_is_nothing() -> None:
    assert span("one", number=1) is span("two")
    with span("one") as started:
        started.set(number=1)
    with pytest.raises(KeyError), span("one"):
        raise KeyError


async def test_without_tracing_no_tracing_library_is_loaded() -> None:
    code = (
        "import sys\n"
        "from chassis.observability import span\n"
        "with span('one', number=1): pass\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    assert (await ended(code)).strip() == "[]"


async def test_a_span_is_part_of_the_request_s_trace(database_url: str, collector: Collector) -> None:
    async with (
        service_process(database_url, OBSERVED, environment=collector.environment) as service,
        aiohttp.ClientSession() as client,
    ):
        assert (await client.post(f"{service.api}/orders/1")).status == 204
        assert (await client.post(f"{service.api}/failures")).status == 500
        service.process.terminate()
        assert await service.until_ended() == 0
    assert not [line for line in service.lines if "Invalid type" in line["event"]]  # OpenTelemetry's warning
    servers = {each.span_id: each for each in collector.spans if each.kind == Span.SPAN_KIND_SERVER}
    own = {servers[each.parent_span_id].name: each for each in collector.spans if each.name == "reserve stock"}
    assert own.keys() == {"POST /orders/{seconds}", "POST /failures"}
    made, failed = own["POST /orders/{seconds}"], own["POST /failures"]
    statements = [each for each in collector.spans if each.parent_span_id == made.span_id]
    assert [attributes_of(each)["db.query.text"] for each in statements] == ["SELECT 1"]
    values = {each.key: each.value for each in made.attributes}
    assert (values["channel"].string_value, values["lines"].int_value) == ("web", 3)
    assert values["price"].string_value == "1.5"
    assert values["reserved"].bool_value
    assert [each.string_value for each in values["parts"].array_value.values] == ["a", "1"]
    assert "nothing" not in values
    assert made.status.code == 0
    assert failed.status.code == 2
    [event] = failed.events
    recorded = {each.key: each.value.string_value for each in event.attributes}
    assert (event.name, recorded["exception.type"], recorded["exception.message"]) == (
        "exception",
        "RuntimeError",
        "out of stock",
    )
