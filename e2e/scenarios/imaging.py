"""The image passes the tests, with the packages and the operating system that it has."""

from e2e.scenario import Scenario
from harness.cluster.bench import Bench
from harness.cluster.database import CONTAINER_SECURITY, Postgres, pod_security
from harness.cluster.images import build_and_load_tests
from harness.row import Row

_POD = "tests"
_USER = 10001  # of the service's Dockerfile
_PYTEST = ("python", "-m", "pytest", "-m", "not development", "-p", "no:cacheprovider", "--numprocesses=2", "--quiet")
# Those that an operating system or another Python is most likely to break. All run outside the image as well.
_QUICK = ("tests/app", *(f"tests/chassis/test_{name}.py" for name in ("commands", "connection", "server", "tls")))


async def tests(bench: Bench) -> Row:
    """Runs the service's own tests and the chassis' in a pod, as the chart runs the service."""
    row = Row(
        "the service's own tests and the chassis' in the image",
        "a pod with a read-only root, an ordinary user and a PostgreSQL beside it",
        promise="all pass",
    )
    bench.status = "building the image with the tests"
    image = await build_and_load_tests(bench.options, bench.service)
    postgres = Postgres(bench)
    await postgres.start()
    container = {
        "name": _POD,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [*_PYTEST, *(_QUICK if bench.quick else ())],
        "env": [{"name": "DATABASE_URL", "value": postgres.url()}],
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": pod_security(_USER),
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    await bench.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": _POD}, "spec": spec})

    async def ended() -> bool:
        [pod] = await bench.objects("pods", f"--field-selector=metadata.name={_POD}")
        bench.status = str(pod["status"].get("phase"))
        return bench.status in {"Succeeded", "Failed"}

    await bench.until(ended, "the end of the tests", 1200)
    said = await bench.kubectl("logs", _POD)
    (bench.logs / "pytest.txt").write_text(said)
    row.measured = said.strip().splitlines()[-1]
    row.hold(bench.status == "Succeeded", f"{row.measured}: see {bench.logs.name}/pytest.txt")
    return row


SCENARIOS: dict[str, Scenario] = {"image.tests": tests}
