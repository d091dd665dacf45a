"""The environment of a scenario: a separate namespace, kubectl, and a progress message."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from harness.cluster.options import Options
from harness.commands import run_command
from harness.experiments import Place
from harness.repository import TOOLS
from harness.waiting import until

_LABEL = "e2e.example.com/scenario"
_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 120

Object: TypeAlias = dict[str, Any]


@dataclass
class Bench(Place):
    """The environment of a scenario. Its logs are kept when the namespace is deleted.

    Attributes:
        name: the name of the scenario.
        service: the folder of the baked service.
    """

    name: str
    options: Options
    service: Path

    @property
    def namespace(self) -> str:
        return f"e2e-{self.name.replace('.', '-')}"

    @property
    def host(self) -> str:
        """The host name of the scenario's Ingress or route."""
        return f"{self.namespace}.example.com"

    async def kubectl(self, *arguments: str | Path, given: Object | None = None) -> str:
        """Run kubectl in the namespace, with the given object, if any, on standard input.

        Raises:
            CommandError: kubectl failed.
        """
        text = None if given is None else json.dumps(given)
        return await run_command(TOOLS / "kubectl", "--namespace", self.namespace, *arguments, given=text)

    async def objects(self, *arguments: str) -> list[Object]:
        """Return the objects that `kubectl get` lists."""
        found: list[Object] = json.loads(await self.kubectl("get", *arguments, "--output=json"))["items"]
        return found

    async def apply(self, *objects: Object) -> None:
        """Create or update objects."""
        await self.kubectl("apply", "--filename=-", given={"apiVersion": "v1", "kind": "List", "items": objects})

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str, seconds: float = _PATIENCE_SECONDS) -> None:
        """Poll until the condition holds.

        Raises:
            TimeoutError: it did not hold in time.
        """
        await until(holds, what, seconds, _POLL_SECONDS)

    async def make_namespace(self) -> None:
        """Create the namespace, and delete it at the end of the scenario."""
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


async def remove_namespaces() -> None:
    """Delete the namespaces that scenarios have left, and wait until they are gone."""
    await run_command(TOOLS / "kubectl", "delete", "namespace", "--selector", _LABEL, "--wait", "--timeout=5m")
