"""`python -m e2e [NAME …]`: runs the scenarios whose names start with one of the arguments; without arguments, all."""

import asyncio
import json
import os
import sys
import time

from e2e.scenario import in_namespace
from e2e.scenarios import QUICK, SCENARIOS
from e2e.variants import VARIANTS
from harness.baking import bake_for_gunicorn
from harness.cluster.bench import Bench, remove_namespaces
from harness.cluster.images import build_and_load
from harness.cluster.options import Options, require_cluster
from harness.commands import run_command
from harness.console import say
from harness.experiments import chosen, run
from harness.helm import fetch_helm
from harness.report import Report
from harness.repository import BUILD, REPOSITORY, TOOLS

_OUTPUT = BUILD / "e2e"
_HEAD = """# On a real cluster

`make e2e` writes this page. It generates a service, builds its image, and runs each scenario with Helm on the cluster
that KUBECONFIG names.

- `make e2e ONLY=upgrade` runs the scenarios whose names start with `upgrade` and replaces their rows. `QUICK=1` scales
  the scenarios down and does not change the page.
- A failed request got no response, or one with a status other than 2xx. Clients do not retry.
- Recovery time: from the loss of the pod, or from the uncordon of the drained node, until all pods are ready again.
- The service requests 100m of CPU, so that all pods fit on a small machine. Unless a row names other values, the
  chart's defaults apply.
- `–`: not measured. A scenario that cannot run on the cluster is marked `not run`, with the reason.
"""
_COLUMNS = ("load", "requests", "failures", "recovery time", "also measured", "promise", "verdict")


async def main() -> int:
    """Run the scenarios. Return 1 if a promise did not hold."""
    require_cluster("make e2e")
    quick = bool(os.environ.get("QUICK"))
    options = Options.from_environment()
    names = chosen(SCENARIOS, sys.argv[1:] or ([*QUICK] if quick else []))
    fetch_helm()
    begun = time.monotonic()
    say("Baking a service, building its images and loading them …")
    service = bake_for_gunicorn(_OUTPUT / "service")
    await build_and_load(options, service, VARIANTS)
    await remove_namespaces()
    say(f"The images are loaded after {time.monotonic() - begun:.0f} s.")
    page = (_OUTPUT if quick else REPOSITORY / "docs") / "e2e.md"
    report = Report(page, _HEAD, "scenario", _COLUMNS, await _versions(options))
    try:
        return await run(
            {name: in_namespace(scenario) for name, scenario in SCENARIOS.items()},
            names,
            lambda name: Bench(name, options, service, logs=_OUTPUT / "logs" / name, quick=quick),
            report,
        )
    finally:
        await remove_namespaces()
        say(f"e2e took {time.monotonic() - begun:.0f} s.")


async def _versions(options: Options) -> str:
    kubernetes = json.loads(await run_command(TOOLS / "kubectl", "version", "--output=json"))["serverVersion"]
    helms = [await run_command(TOOLS / helm, "version", "--template={{.Version}}") for helm in ("helm", "helm3")]
    return f"Kubernetes {kubernetes['gitVersion']}, Helm {' and '.join(helms)}, {options.postgres_image}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
