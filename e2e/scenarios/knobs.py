"""Values that few services change, all at once: the API server takes them, and what they promise is there."""

import json
from functools import partial

from e2e.scenario import Scenario
from e2e.traffic import judge, load, traffic
from harness.cluster.bench import Bench
from harness.cluster.images import SERVICE_IMAGE
from harness.cluster.release import NAME, TEST_WRITES, Release, deploy
from harness.row import Row
from harness.values import Values, merge

_CLIENTS = 20
_REGISTRY, _, _IMAGE = SERVICE_IMAGE.partition("/")
_USER = 1000660000  # as OpenShift chooses one, in the group 0
_FILE = "plans: [basic, full]\n"
_MORE = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "service.fullname" . }}-more
data:
  port: {{ .Values.service.port | quote }}
"""

# Prints what a process in the pod finds there.
_PROBE = """
import json, os, pathlib, socket
socket.create_connection(("::1", 8080), 5).close()
print(json.dumps({
    "user": os.getuid(),
    "group": os.getgid(),
    "file": pathlib.Path("/etc/service/plans.yaml").read_text(),
    "address of a host alias": socket.gethostbyname("ledger.internal"),
    "options of DNS": [line for line in pathlib.Path("/etc/resolv.conf").read_text().splitlines() if "options" in line],
}))
"""


def _values(bench: Bench) -> Values:
    namespace, gateway = bench.options.gateway
    routed = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "X-Route", "value": "1"}]}}
    return {
        "global": {"imageRegistry": _REGISTRY, "imagePullSecrets": ["registry"]},
        "image": {"repository": f"registry.example.com/{_IMAGE}"},
        "config": {"host": "::", "keepAliveTimeoutSeconds": 120},
        "configFiles": {"plans.yaml": _FILE},
        "hostAliases": [{"ip": "192.0.2.7", "hostnames": ["ledger.internal"]}],
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
        "podSecurityContext": {"runAsUser": _USER, "runAsGroup": 0, "fsGroup": _USER},
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "50%"}},
        "minReadySeconds": 1,
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": 300,
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "readinessProbe": {"periodSeconds": 2, "initialDelaySeconds": 1},
        "podDisruptionBudget": {"maxUnavailable": "50%"},
        "autoscaling": {"enabled": True, "maxReplicas": 3, "targetMemoryUtilizationPercentage": 90},
        "service": {
            "ipFamilyPolicy": "PreferDualStack",
            "trafficDistribution": "PreferClose",
            "annotations": {"example.com/owner": "platform"},
        },
        "ingress": {
            "hosts": [
                {"host": f"more.{bench.host}", "paths": [{"path": "/v1/items", "pathType": "Exact"}]},
                {"host": f"*.all.{bench.host}"},
            ]
        },
        "httpRoute": {
            "enabled": True,
            "host": f"route.{bench.host}",
            "hostnames": [f"another.route.{bench.host}"],
            "parentRefs": [{"name": gateway, "namespace": namespace}],
            "filters": [routed],
            "annotations": {"example.com/owner": "platform"},
            "timeouts": {"request": "15s"},
        },
        "migrations": {
            "hook": False,
            "podLabels": {"sidecar.istio.io/inject": "false"},
            "podAnnotations": {"example.com/owner": "platform"},
            "resources": {"requests": {"cpu": "60m"}},
        },
        "test": {"podLabels": {"sidecar.istio.io/inject": "false"}, "resources": {"requests": {"cpu": "10m"}}},
        "commonLabels": {"team": "platform"},
        "extraObjects": [_MORE],
    }


async def every_knob(bench: Bench) -> Row:
    """Installs with all of these values, asks by each host, updates under load, and runs `helm test`."""
    release, _ = await deploy(bench, merge(_values(bench), TEST_WRITES))
    row = Row(
        "values that few services change, all at once: a registry shared with others, files, aliases, a user that the "
        "cluster chose in the group 0, `HOST=::`, several hosts and a wildcard, a route's filter, an autoscaler by "
        "memory, migrations that are no hook",
        load(_CLIENTS),
        promise="the API server takes them; each has its effect; an update fails no request; helm test is green",
    )
    await _in_the_pods(release, row)
    await _by_each_host(release, row)
    await _in_the_objects(bench, row)
    async with traffic(bench, _CLIENTS) as record:
        bench.status = "updating"
        await release.upgrade(over={"configFiles": {"plans.yaml": f"{_FILE}# changed\n"}})
        await release.until_settled()
    judge(row, record)
    for pod in await release.ready_pods():
        changed = await bench.kubectl("exec", pod["metadata"]["name"], "--", "cat", "/etc/service/plans.yaml")
        row.hold("# changed" in changed, "a pod runs with the file of before")
    tested = await release.test()
    row.hold(tested.startswith("0 of "), f"helm test says {tested}")
    row.measured = f"helm test: {tested}"
    return row


async def _in_the_pods(release: Release, row: Row) -> None:
    await release.bench.until(partial(_has_two_pods, release), "the pods that the autoscaler asks for")
    for pod in await release.ready_pods():
        probed = json.loads(await release.bench.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", _PROBE))
        expected = {
            "user": _USER,
            "group": 0,
            "file": _FILE,
            "address of a host alias": "192.0.2.7",
            "options of DNS": ["options ndots:2"],
        }
        row.hold(probed == expected, f"a pod is {probed}")


async def _has_two_pods(release: Release) -> bool:
    return len(await release.ready_pods()) >= 2


async def _by_each_host(release: Release, row: Row) -> None:
    host = release.bench.host
    for way in (host, f"more.{host}", f"any.all.{host}", f"route.{host}", f"another.route.{host}"):
        await release.bench.until(partial(_lists, release, way), f"an answer by {way}", 30)
    answer = await release.ask("GET", "/v1/items/1", host=f"more.{host}")
    row.hold(not answer.ok and b"problem+json" not in answer.head, "a path that is matched exactly has more below it")
    answer = await release.ask("GET", "/v1/items", host=f"route.{host}")
    row.hold(b"x-route: 1" in answer.head.lower(), "the route's filter has no effect")


async def _lists(release: Release, host: str) -> bool:
    return (await release.ask("GET", "/v1/items", host=host)).ok


async def _in_the_objects(bench: Bench, row: Row) -> None:
    [budget] = await bench.objects("poddisruptionbudgets")
    row.hold(budget["status"]["disruptionsAllowed"] == 1, f"the budget allows {budget['status']['disruptionsAllowed']}")
    [scaler] = await bench.objects("horizontalpodautoscalers")
    measured = {each["containerResource"]["name"] for each in scaler["spec"]["metrics"]}
    row.hold(measured == {"cpu", "memory"}, f"the autoscaler measures {measured}")
    service = json.loads(await bench.kubectl("get", f"service/{NAME}", "--output=json"))["spec"]
    row.hold(service["ipFamilyPolicy"] == "PreferDualStack", f"the Service is {service['ipFamilyPolicy']}")
    more = await bench.kubectl("get", f"configmap/{NAME}-more", "--output=jsonpath={.data.port}")
    row.hold(more == "80", f"the template in extraObjects became {more}")


SCENARIOS: dict[str, Scenario] = {"install.every-knob": every_knob}
