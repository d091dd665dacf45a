"""Network policies: only the peers named in the values can connect, if the cluster enforces policies."""

from e2e.scenario import Scenario
from harness.cluster.bench import Bench, Object
from harness.cluster.database import CONTAINER_SECURITY, pod_security
from harness.cluster.images import SERVICE_IMAGE
from harness.cluster.release import NAME, TEST_WRITES, deploy
from harness.commands import CommandError
from harness.row import Row

_CLIENT, _TARGET = "client", "target"
_TARGET_PORT = 8000
_WHAT = "a pod of no concern asks the service"


async def internal_port(bench: Bench) -> Row:
    """Asks the API and the internal port from a pod that no value names."""
    server = f"import http.server as h; h.HTTPServer(('', {_TARGET_PORT}), h.SimpleHTTPRequestHandler).serve_forever()"
    await bench.apply(
        _pod(_CLIENT, "import signal; signal.pause()"),
        _pod(_TARGET, server),
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": _TARGET},
            "spec": {"podSelector": {"matchLabels": {"app": _TARGET}}, "policyTypes": ["Ingress"]},
        },
    )
    await bench.kubectl("wait", "--for=condition=Ready", f"pod/{_CLIENT}", f"pod/{_TARGET}", "--timeout=1m")
    address = await bench.kubectl("get", f"pod/{_TARGET}", "--output=jsonpath={.status.podIP}")
    if await _reaches(bench, address, _TARGET_PORT):
        return Row(_WHAT, not_run="the cluster's network does not enforce NetworkPolicies")
    release, _ = await deploy(bench, TEST_WRITES)
    row = Row(_WHAT, promise="the API is reached, the internal port is not; helm test reaches both")
    pod = (await release.ready_pods())[0]["status"]["podIP"]
    row.hold(await _reaches(bench, NAME, 80), "the API is not reached")
    row.hold(not await _reaches(bench, pod, 8081), "the internal port is reached")
    row.measured = f"helm test: {await release.test()}"
    return row


async def _reaches(bench: Bench, host: str, port: int) -> bool:
    ask = f"import socket; socket.create_connection(('{host}', {port}), 5)"
    try:
        await bench.kubectl("exec", _CLIENT, "--", "python", "-c", ask)
    except CommandError as error:
        if "TimeoutError" in str(error) or "ConnectionRefusedError" in str(error):
            return False
        raise
    return True


def _pod(name: str, code: str) -> Object:
    container = {
        "name": name,
        "image": f"{SERVICE_IMAGE}:1",
        "command": ["python", "-c", code],
        "securityContext": CONTAINER_SECURITY,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "securityContext": pod_security(10001),
            "containers": [container],
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
        },
    }


SCENARIOS: dict[str, Scenario] = {"isolate.internal-port": internal_port}
