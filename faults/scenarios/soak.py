"""Promise 8: a million requests leak no resources."""

import asyncio
import json
from collections import Counter

from faults.bench import Bench, Scenario
from faults.footprint import GROWTH_PERCENT, footprint
from harness.http import Client, request
from harness.items import ITEM
from harness.row import Row

_CLIENTS = 16
_LIST = request("GET", "/v1/items?limit=5")
_POST = request("POST", "/v1/items", ITEM)


async def soak(bench: Bench) -> Row:
    """Creates, reads, lists, replaces and deletes."""
    total, early_total = bench.count(1_000_000, 20_000), bench.count(100_000, 5_000)
    database = await bench.postgres()
    service = await bench.running_service(database.url)
    sent, errors = 0, Counter[str]()

    async def use(client: Client, question: bytes) -> bytes | None:
        nonlocal sent
        sent += 1
        answer = await client.send(question)
        if answer.ok:
            return answer.body
        errors[answer.error or str(answer.status)] += 1
        return None

    async def use_until(count: int) -> None:
        client = Client(service.port)
        while sent < count:
            body = await use(client, _POST)
            if body is None:
                continue
            path = f"/v1/items/{json.loads(body)['id']}"
            await use(client, request("GET", path))
            await use(client, _LIST)
            await use(client, request("PUT", path, ITEM))
            await use(client, request("DELETE", path))
            bench.status = f"{sent:,} of {total:,} requests, {errors.total()} failures"
        client.close()

    async def use_together(count: int) -> None:
        async with asyncio.TaskGroup() as clients:
            for _ in range(_CLIENTS):
                clients.create_task(use_until(count))

    await use_together(early_total)
    early = await footprint(service, database)
    await use_together(total)
    late = await footprint(service, database)
    row = Row(
        f"none, {total:,} requests long",
        f"{_CLIENTS} keep-alive clients at full speed: POST, GET, list, PUT, DELETE",
        requests=sent,
        failures=errors.total(),
        measured=late.since(early),
        promise=f"memory grows {GROWTH_PERCENT} % or less after the first {early_total:,}; no descriptor or connection "
        "is left; no failed request",
    )
    row.hold(not errors, f"failed: {dict(errors)}")
    late.judge(row, early, judge_memory=not bench.quick)
    return row


SCENARIOS: dict[str, Scenario] = {"soak.requests": soak}
