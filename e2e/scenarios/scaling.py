"""Autoscaling follows the CPU, and scaling in fails no request."""

import json
import time

from e2e.scenario import Scenario
from e2e.traffic import judge, load, traffic
from harness.cluster.bench import Bench
from harness.cluster.release import NAME, Release, deploy
from harness.row import Row

_FEWEST, _MOST = 2, 4
_BUSY, _CALM = 100, 5
_PATIENCE_SECONDS = 240
_VALUES = {
    "resources": {"requests": {"cpu": "30m"}},  # a fast machine needs all pods for the load, too
    "autoscaling": {
        "enabled": True,
        "minReplicas": _FEWEST,
        "maxReplicas": _MOST,
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 15}},
    },
}


async def out_and_in(bench: Bench) -> Row:
    """Loads the service until it has all its pods, and then hardly at all."""
    if not await bench.kubectl("get", "apiservice", "v1beta1.metrics.k8s.io", "--ignore-not-found", "--output=name"):
        return Row("autoscaling", not_run="the cluster has no metrics of its pods (metrics-server)")
    release, _ = await deploy(bench, _VALUES)
    row = Row(
        f"autoscaling from {_FEWEST} to {_MOST} pods and back",
        f"{load(_BUSY)}; then {_CALM} of them; `resources.requests.cpu=30m`, `scaleDown.stabilizationWindowSeconds=15`",
        promise="out under load, in without it; no failed request",
    )
    async with traffic(bench, _CALM) as record:
        await bench.until(lambda: _has_metrics(bench), "the first figures of the pods' CPU", _PATIENCE_SECONDS)
        begun = time.monotonic()
        async with traffic(bench, _BUSY) as busy:
            bench.status = "scaling out"
            await bench.until(lambda: _has(release, _MOST), f"{_MOST} pods", _PATIENCE_SECONDS)
            out = time.monotonic() - begun
        begun = time.monotonic()
        bench.status = "scaling in"
        await bench.until(lambda: _has(release, _FEWEST), f"{_FEWEST} pods", _PATIENCE_SECONDS)
        row.measured = (
            f"{_MOST} pods ready after {out:.0f} s, {_FEWEST} left {time.monotonic() - begun:.0f} s after the load"
        )
    record.outcomes += busy.outcomes
    record.errors += busy.errors
    judge(row, record)
    return row


async def _has_metrics(bench: Bench) -> bool:
    scaler = json.loads(await bench.kubectl("get", f"hpa/{NAME}", "--output=json"))
    metrics = scaler["status"].get("currentMetrics") or []
    return any(each.get("containerResource", {}).get("current") for each in metrics)


async def _has(release: Release, pods: int) -> bool:
    """Return whether this number of pods is ready, and none is starting or terminating."""
    return len(await release.ready_pods()) == len(await release.pods()) == pods


SCENARIOS: dict[str, Scenario] = {"scale.out-and-in": out_and_in}
