"""A scenario: a function that runs in a namespace of its own and returns a row of docs/e2e.md."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from harness.cluster.bench import Bench
from harness.row import Row

Scenario: TypeAlias = Callable[[Bench], Awaitable[Row]]
"""A scenario. It raises an exception if it cannot continue."""


def in_namespace(scenario: Scenario) -> Scenario:
    """Wrap a scenario, so that it runs in a new namespace."""

    async def within(bench: Bench) -> Row:
        await bench.make_namespace()
        return await scenario(bench)

    return within
