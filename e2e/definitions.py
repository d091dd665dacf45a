"""Defines custom resources in the cluster, for as long as a scenario runs."""

import json
from pathlib import Path

from harness.cluster.bench import Bench


async def define(bench: Bench, name: str, file: Path) -> None:
    """Create a CustomResourceDefinition from a file, unless the cluster has one of this name, and wait for it.

    The definition is deleted at the end of the scenario.
    """
    if await bench.kubectl("get", "crd", name, "--ignore-not-found", "--output=name"):
        return
    await bench.kubectl("apply", "--server-side", f"--filename={file}")
    bench.started.push_async_callback(bench.kubectl, "delete", "crd", name)
    await bench.until(lambda: _is_established(bench, name), f"{name} established")


async def _is_established(bench: Bench, name: str) -> bool:
    definition = json.loads(await bench.kubectl("get", f"crd/{name}", "--output=json"))
    conditions = definition.get("status", {}).get("conditions") or []  # kubectl wait fails while there are none
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
