"""The API is reachable through the Ingress controller and the Gateway; the internal port is not."""

from functools import partial
from typing import Any

from e2e.scenario import Scenario
from harness.cluster.bench import Bench
from harness.cluster.release import Release, deploy
from harness.items import ITEM
from harness.row import Row
from harness.values import Values

_ORIGIN = "https://shop.example.com"
_NGINX = {
    "nginx.ingress.kubernetes.io/enable-cors": "true",
    "nginx.ingress.kubernetes.io/cors-allow-origin": _ORIGIN,
    "nginx.ingress.kubernetes.io/proxy-body-size": "1m",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "15",
}


async def crud(bench: Bench) -> Row:
    """Creates, reads, replaces and deletes an item by each way in."""
    namespace, gateway = bench.options.gateway
    ways: dict[str, Values] = {
        "Ingress, default class": {},
        "Ingress, class nginx": {"ingress": {"className": "nginx", "annotations": _NGINX}},
        "HTTPRoute": {
            "ingress": {"enabled": False},
            "httpRoute": {
                "enabled": True,
                "host": f"route.{bench.host}",
                "parentRefs": [{"name": gateway, "namespace": namespace}],
            },
        },
    }
    hosts = dict(zip(ways, (bench.host, f"nginx.{bench.host}", f"route.{bench.host}"), strict=True))
    row = Row(
        "create, read, list, replace, delete through a real controller",
        "an Ingress of the default class, one of class nginx with ingress-nginx's annotations, an HTTPRoute",
        promise="each request answered as documented; health and metrics not reached",
    )
    release, _ = await deploy(bench)
    requests = 0
    for way, over in ways.items():
        bench.status = way
        release.values = {**release.values, "ingress": {"enabled": True, "host": hosts[way]}}
        await release.upgrade(over=over)
        await bench.until(partial(_is_served, release, hosts[way]), f"an answer by {way}", 30)
        requests += await _tour(release, hosts[way], way, row)
        if way == "Ingress, class nginx":
            answer = await release.ask("GET", "/v1/items", host=hosts[way], Origin=_ORIGIN)
            allowed = f"access-control-allow-origin: {_ORIGIN}".encode() in answer.head
            row.hold(allowed, "ingress-nginx's annotation enable-cors has no effect")
    row.requests, row.failures = requests, len(row.broken)
    return row


async def _is_served(release: Release, host: str) -> bool:
    return (await release.ask("GET", "/openapi.json", host=host)).ok


async def _tour(release: Release, host: str, way: str, row: Row) -> int:
    """Create, read, replace and delete an item, and return the number of requests."""
    created = await release.ask("POST", "/v1/items", ITEM, host=host)
    item = created.head.partition(b"\r\nlocation: ")[2].partition(b"\r")[0].decode()
    steps: list[tuple[str, str, Any, int]] = [
        ("GET", item, None, 200),
        ("GET", "/v1/items?limit=1", None, 200),
        ("PUT", item, {**ITEM, "name": "Candle"}, 200),
        ("DELETE", item, None, 204),
        ("GET", item, None, 404),
        ("GET", "/livez", None, 404),
        ("GET", "/readyz", None, 404),
        ("GET", "/metrics", None, 404),
    ]
    row.hold(created.status == 201, f"{way}: POST was answered with {created.status or created.error}")
    for method, path, body, status in steps:
        answer = await release.ask(method, path, body, host=host)
        row.hold(answer.status == status, f"{way}: {method} {path} was answered with {answer.status or answer.error}")
    return 1 + len(steps)


SCENARIOS: dict[str, Scenario] = {"access.crud": crud}
