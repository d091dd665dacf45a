"""CloudNativePG: uses the cluster's operator if there is one; otherwise installs its CRDs and imitates the operator."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from e2e.definitions import define as define_resource
from harness.cluster.bench import Bench
from harness.cluster.database import Postgres, secret
from harness.cluster.release import NAME
from harness.commands import CommandError, run_command

CLUSTER = f"{NAME}-database"
MODULE = "github.com/cloudnative-pg/cloudnative-pg@v1.27.0"
_DEFINITION = "clusters.postgresql.cnpg.io"


async def is_there(bench: Bench) -> bool:
    """Return whether the operator runs in the cluster."""
    label = "app.kubernetes.io/name=cloudnative-pg"
    return bool(await bench.kubectl("get", "deployments", "--all-namespaces", "--selector", label, "--output=name"))


async def define(bench: Bench) -> str:
    """Install the CRD until the scenario ends. Return the reason if that is impossible, otherwise an empty string."""
    try:
        module = json.loads(await run_command("go", "mod", "download", "-json", MODULE))
    except (CommandError, OSError):
        return f"no operator of CloudNativePG, and the Go module {MODULE} with its resource definitions cannot be had"
    file = Path(module["Dir"], "config", "crd", "bases", "postgresql.cnpg.io_clusters.yaml")
    await define_resource(bench, _DEFINITION, file)
    return ""


@asynccontextmanager
async def played(bench: Bench, database: Postgres) -> AsyncIterator[None]:
    """Imitate the operator: once the Cluster exists, create its Secret with the address of a running server."""

    async def play() -> None:
        await bench.kubectl("wait", "--for=create", f"cluster.postgresql.cnpg.io/{CLUSTER}", "--timeout=2m")
        await bench.apply(secret(f"{CLUSTER}-app", uri=database.url()))

    playing = asyncio.create_task(play())
    try:
        yield
        await playing
    finally:
        playing.cancel()
