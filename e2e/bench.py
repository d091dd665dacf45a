"""What a scenario has at hand: a namespace of its own, kubectl, and how far it is."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from e2e.commands import run
from e2e.options import Options
from faults.row import Row

_LABEL = "e2e.example.com/scenario"
_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 120

Object: TypeAlias = dict[str, Any]


@dataclass
class Bench:
    """Where a scenario runs.

    Attributes:
        name: of the scenario.
        tools: the folder with helm, helm3 and kubectl.
        service: the baked service.
        logs: what is left to read when the namespace is gone.
        status: how far it is, shown now and again.
        started: what ends with the scenario.
    """

    name: str
    options: Options
    tools: Path
    service: Path
    logs: Path
    status: str = "starting"
    started: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def namespace(self) -> str:
        return f"e2e-{self.name.replace('.', '-')}"

    @property
    def host(self) -> str:
        """The host name by which its Ingress or route is asked."""
        return f"{self.namespace}.example.com"

    def count(self, full: int, quick: int) -> int:
        """How many: of the full run, or of the quick one."""
        return quick if self.options.quick else full

    async def kubectl(self, *arguments: str | Path, given: Object | None = None) -> str:
        """Runs kubectl in the namespace, with an object on its standard input where one is given.

        Raises:
            CommandError: its exit status is not 0.
        """
        text = None if given is None else json.dumps(given)
        return await run(self.tools / "kubectl", "--namespace", self.namespace, *arguments, given=text)

    async def objects(self, *arguments: str) -> list[Object]:
        """What `kubectl get` finds."""
        found: list[Object] = json.loads(await self.kubectl("get", *arguments, "--output=json"))["items"]
        return found

    async def apply(self, *objects: Object) -> None:
        """Makes or changes objects."""
        await self.kubectl("apply", "--filename=-", given={"apiVersion": "v1", "kind": "List", "items": objects})

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str, seconds: float = _PATIENCE_SECONDS) -> None:
        """Asks again and again until something holds.

        Raises:
            TimeoutError: it does not in time.
        """
        try:
            async with asyncio.timeout(seconds):
                while not await holds():
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"{what}: not within {seconds:g} s") from None

    async def make_namespace(self) -> None:
        """Makes the namespace, which ends with the scenario."""
        labels = {_LABEL: self.name, "pod-security.kubernetes.io/enforce": "restricted"}
        await self.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}}
        )
        self.started.push_async_callback(self._end)

    async def _end(self) -> None:
        folder = f"--output-directory={self.logs}"
        try:
            await self.kubectl("cluster-info", "dump", f"--namespaces={self.namespace}", folder, "--output=yaml")
            (self.logs / "describe.txt").write_text(await self.kubectl("describe", "all,job,ingress,pvc"))
        finally:
            await self.kubectl("delete", "namespace", self.namespace, "--wait=false")


Scenario: TypeAlias = Callable[[Bench], Awaitable[Row]]
"""A scenario; one that cannot go on raises."""


def in_namespace(scenario: Scenario) -> Scenario:
    """The scenario with its namespace around it."""

    async def within(bench: Bench) -> Row:
        await bench.make_namespace()
        return await scenario(bench)

    return within


async def remove_namespaces(tools: Path) -> None:
    """Removes what scenarios have left, and waits until it is gone."""
    await run(tools / "kubectl", "delete", "namespace", "--selector", _LABEL, "--wait", "--timeout=5m")
