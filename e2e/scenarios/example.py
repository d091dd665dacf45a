"""The order desk, examples/order-desk, as the tutorial's reader would deploy it."""

import asyncio
import json
import shutil
import time
from asyncio.subprocess import PIPE
from pathlib import Path

from e2e.scenario import Scenario
from harness import other_services
from harness.cluster.bench import Bench
from harness.cluster.database import CONTAINER_SECURITY, pod_security, secret
from harness.cluster.images import SERVICE_IMAGE, build_and_load, unchanged
from harness.cluster.release import NAME, TEST_WRITES, Release, deploy, image
from harness.environments import python_for
from harness.example import bake_example
from harness.repository import REPOSITORY
from harness.row import Row

_TAG = "order-desk"
_SECRET = "for the cluster"
_UID = 10001
_OUTBOX_SECONDS = 90  # a new pod takes the lease over after up to 16 s, and an event is tried again after up to 64


async def order_desk(bench: Bench) -> Row:
    """Deploy the order desk, use each feature through the Ingress controller, and update it under open streams."""
    row = Row(
        "the order desk: image, chart, prices imported by its command, `helm test`, each feature, a rolling update",
        "a client through the Ingress controller, with a stream of events and a chat that stay open through the update",
        promise="each request answered as documented; each event sent once; the chat goes on after the update",
    )
    begun = time.monotonic()
    client_python = python_for(bench.service)
    bench.status = "building the image"
    shutil.rmtree(bench.logs / "service", ignore_errors=True)
    bench.service = bake_example(bench.logs / "service")
    await build_and_load(bench.options, bench.service, {_TAG: unchanged})
    await bench.apply(secret("order-desk-webhook", WEBHOOK_SECRET=_SECRET))
    await _start_other_services(bench)
    release, database = await deploy(bench, image(_TAG) | TEST_WRITES)
    deployed = time.monotonic() - begun
    await _import_prices(bench, release)
    bench.status = "helm test"
    told = await release.test()
    row.hold(told.startswith("0 of "), f"helm test: {told}")
    bench.status = "using each feature"
    arguments = bench.options.ingress_port, bench.host, _SECRET
    client = await asyncio.create_subprocess_exec(
        *map(str, (client_python, "-m", "e2e.order_desk_client", *arguments)), cwd=REPOSITORY, stdin=PIPE, stdout=PIPE
    )
    assert client.stdin
    assert client.stdout
    try:
        row.hold(await client.stdout.readline() == b"ready\n", "the client was not ready")
        bench.status = "updating"
        await bench.kubectl("rollout", "restart", f"deployment/{NAME}")
        await bench.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=3m")
        await release.until_settled()
        client.stdin.write(b"\n")
        report = json.loads(await client.stdout.readline())
    finally:
        if client.returncode is None:
            client.terminate()
        await client.communicate()
    row.requests, row.failures = report["requests"], len(report["errors"])
    row.hold(not report["errors"], "; ".join(report["errors"]))
    row.hold(report["streams"] > 1 and report["chats"] > 1, f"the streams were not connected anew: {report}")
    bench.status = "waiting for the outbox"

    async def all_sent() -> bool:
        return await database.query("SELECT count(*), count(due_at) FROM order_events") == ["2|0"]

    await bench.until(all_sent, "two events, both sent to the warehouse", _OUTBOX_SECONDS)
    row.measured = f"from nothing to the deployed order desk {deployed:.0f} s; in all {time.monotonic() - begun:.0f} s"
    return row


async def _start_other_services(bench: Bench) -> None:
    """Start what the order desk calls: one pod, with a Service for each name."""
    program = Path(other_services.__file__).read_text("utf-8")
    container = {
        "name": "other-services",
        "image": f"{SERVICE_IMAGE}:{_TAG}",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "/program/other_services.py", "8080"],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "program", "mountPath": "/program"}],
    }
    labels = {"app": "other-services"}
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": pod_security(_UID),
        "containers": [container],
        "volumes": [{"name": "program", "configMap": {"name": "other-services"}}],
    }
    named = {"metadata": {"name": "other-services", "labels": labels}}
    await bench.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", **named, "data": {"other_services.py": program}},
        {"apiVersion": "v1", "kind": "Pod", **named, "spec": pod},
        *(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"selector": labels, "ports": [{"port": 8080}]},
            }
            for name in ("payments", "warehouse")
        ),
    )


async def _import_prices(bench: Bench, release: Release) -> None:
    """Import prices by the command, in a pod of the service."""
    bench.status = "importing prices"
    [pod, *_] = await release.ready_pods()
    program = "printf 'LAMP,19.99\\nDESK,250\\n' >/tmp/prices.csv && python -m app import-prices /tmp/prices.csv"
    await bench.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", program)


SCENARIOS: dict[str, Scenario] = {"example.order-desk": order_desk}
