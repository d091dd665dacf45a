"""A release of the chart, managed by Helm."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.cluster.bench import Bench, Object
from harness.cluster.database import Postgres, secret
from harness.cluster.images import SERVICE_IMAGE
from harness.commands import run_command
from harness.http import Answer, Client, request
from harness.repository import TOOLS
from harness.values import Values, merge

NAME = "items"
PODS = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=service"
SECRET = "items-database"
VOLUME = f"data-{NAME}-database-0"

# Lets all pods of a rolling update fit on a small machine. All other values are the chart's defaults.
_SMALL: Values = {"resources": {"requests": {"cpu": "100m"}}}
EXTERNAL: Values = {"database": {"mode": "external", "existingSecret": SECRET}}
# For `helm test`, whose requests create and delete items.
TEST_WRITES: Values = {"test": {"writes": True}}


def evaluation(bench: Bench) -> Values:
    """Return the values for mode evaluation, with the configured PostgreSQL image."""
    return {
        "database": {"mode": "evaluation"},
        "evaluation": {"password": "development", "image": bench.options.postgres_image},
    }


def image(tag: str) -> Values:
    """Return the values that select an image by its tag."""
    return {"image": {"repository": SERVICE_IMAGE, "tag": tag}}


@dataclass
class Release:
    """A release of the chart in the scenario's namespace.

    Attributes:
        values: they override the values of the service's deploy/values.yaml.
        helm: `helm`, which is Helm 4, or `helm3`.
    """

    bench: Bench
    values: Values = field(default_factory=dict)
    helm: str = "helm"

    async def install(self) -> None:
        """Install the release, and wait until it is ready."""
        await self._run("install", NAME, self._chart, "--wait", "--timeout=3m", given=self._values())

    async def upgrade(self, *flags: str, over: Values | None = None) -> None:
        """Upgrade, and wait until the release is ready. The values in `over` override the release's own.

        Raises:
            CommandError: the upgrade failed.
        """
        flags = flags or ("--timeout=3m",)
        await self._run("upgrade", NAME, self._chart, "--wait", *flags, given=self._values(over))

    async def rollback(self, *revision: str) -> None:
        """Roll back to a revision, or to the previous one."""
        await self._run("rollback", NAME, *revision, "--wait", "--timeout=3m")

    async def uninstall(self) -> str:
        """Uninstall the release, and return Helm's output."""
        return await self._run("uninstall", NAME, "--wait", "--timeout=2m")

    async def rendered(self) -> list[Object]:
        """Return the objects that an installation would create."""
        rendered = await self._run("template", NAME, self._chart, given=self._values())
        return [each for each in yaml.safe_load_all(rendered) if each]

    async def test(self) -> str:
        """Run `helm test`, and return the last line of the test's output.

        Raises:
            CommandError: the test failed.
        """
        told = await self._run("test", NAME, "--logs", "--timeout=1m")
        return next(line for line in told.splitlines() if line.endswith(" failed"))

    async def status(self) -> str:
        """Return the status that Helm reports: deployed, failed, …"""
        told = json.loads(await self._run("status", NAME, "--output=json"))
        return str(told["info"]["status"])

    async def history(self) -> list[Object]:
        """Return the revisions, oldest first, with their `revision` and `status`."""
        found: list[Object] = json.loads(await self._run("history", NAME, "--output=json"))
        return found

    async def pods(self) -> list[Object]:
        """Return the service's pods, including terminating ones."""
        return await self.bench.objects("pods", "--selector", PODS)

    async def ready_pods(self) -> list[Object]:
        """Return the pods that are ready and not terminating."""
        return [pod for pod in await self.pods() if _is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]

    async def until_settled(self) -> None:
        """Wait until all pods are ready, and terminating ones are gone."""

        async def settled() -> bool:
            pods = await self.pods()
            return len(pods) > 0 and len(pods) == len(await self.ready_pods())

        await self.bench.until(settled, "all pods ready, and no other one there")

    async def deployment(self) -> Object:
        found: Object = json.loads(await self.bench.kubectl("get", f"deployment/{NAME}", "--output=json"))
        return found

    async def ask(self, method: str, path: str, body: Any = None, host: str = "", **headers: str) -> Answer:
        """Send a request through the Ingress controller."""
        client = Client(self.bench.options.ingress_port)
        answer = await client.send(request(method, path, body, Host=host or self.bench.host, **headers))
        client.close()
        return answer

    async def until_served(self) -> None:
        """Wait until the Ingress controller forwards requests to the service."""

        async def served() -> bool:
            return (await self.ask("GET", "/openapi.json")).ok

        await self.bench.until(served, "an answer through the Ingress controller", 30)

    @property
    def _chart(self) -> Path:
        return self.bench.service / "chart"

    def _values(self, over: Values | None = None) -> Values:
        file = self.bench.service / "deploy" / "values.yaml"
        own: Values = yaml.safe_load(file.read_text(encoding="utf-8"))
        ingress = {"ingress": {"enabled": True, "host": self.bench.host}}
        under = merge(merge(own, merge(_SMALL, image("1"))), merge(ingress, self.values))
        return merge(under, over or {})

    async def _run(self, command: str, *arguments: str | Path, given: Values | None = None) -> str:
        values = [] if given is None else ["--values", "-"]
        text = None if given is None else json.dumps(given)
        return await run_command(
            TOOLS / self.helm, "--namespace", self.bench.namespace, command, *arguments, *values, given=text
        )


async def deploy(bench: Bench, values: Values | None = None, helm: str = "helm") -> tuple[Release, Postgres]:
    """Deploy a release with a separate PostgreSQL, as in production; wait until the Ingress controller reaches it."""
    bench.status = "starting PostgreSQL"
    database = Postgres(bench)
    await database.start()
    await bench.apply(secret(SECRET, DATABASE_URL=database.url()))
    bench.status = "installing"
    release = Release(bench, merge(EXTERNAL, values or {}), helm)
    await release.install()
    await release.until_served()
    return release, database


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
