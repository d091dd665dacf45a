"""Each value reaches its place in an object, and is not there by default. One line a value."""

import json
import re
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from harness.chart_values.examples import IMAGE, MODES
from harness.repository import REPOSITORY
from tests.chart import custom_resources
from tests.chart.knobs import PLACES, PLACES_BESIDE, SAME
from tests.chart.rendering import KUBERNETES, Chart, Object, environment_of, of_kind, one

# Values that create all objects, in mode external.
ON: dict[str, Any] = {
    "ingress": {"enabled": True, "host": "items.example.com"},
    "httpRoute": {"enabled": True, "host": "items.example.org", "parentRefs": [{"name": "gateway"}]},
    "autoscaling": {"enabled": True},
    "serviceMonitor": {"enabled": True},
    "networkPolicy": {"internalFrom": [{"namespaceSelector": {}}]},
}

PULLED = "example-team/items-service:1.0.0"  # without the registry


def names(*of: str) -> list[dict[str, str]]:
    return [{"name": name} for name in of]


_MIGRATIONS: list[tuple[Any, ...]] = [
    ("migrations.annotations", {"a": "b"}, "Job", "metadata.annotations.a", "b"),
    ("migrations.podLabels", {"a": "b"}, "Job", "spec.template.metadata.labels.a", "b"),
    ("migrations.podAnnotations", {"a": "b"}, "Job", "spec.template.metadata.annotations", SAME),
    ("migrations.serviceAccountName", "migrator", "Job", "spec.template.spec.serviceAccountName", SAME),
    ("migrations.priorityClassName", "high", "Job", "spec.template.spec.priorityClassName", SAME),
    (
        "migrations.resources",
        {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}},
        "Job",
        "spec.template.spec.containers.0.resources",
        {"requests": {"cpu": "1", "memory": "96Mi"}, "limits": {"memory": "1Gi"}},
    ),
    ("migrations.hook", False, "Job", "metadata.annotations", None),
    ("migrations.hook", False, "NetworkPolicy/items-migration", "metadata.annotations", None),
    ("commonLabels", {"a": "b"}, "Job", "spec.template.metadata.labels.a", "b"),
]
_TEST: list[tuple[Any, ...]] = [
    ("test.podLabels", {"a": "b"}, "Pod", "metadata.labels.a", "b"),
    ("test.podAnnotations", {"a": "b"}, "Pod", "metadata.annotations.a", "b"),
    ("test.serviceAccountName", "tester", "Pod", "spec.serviceAccountName", SAME),
    ("test.priorityClassName", "low", "Pod", "spec.priorityClassName", SAME),
    ("test.resources", {"limits": {"memory": "1Gi"}}, "Pod", "spec.containers.0.resources.limits", {"memory": "1Gi"}),
]
_REWRITE = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}
_ROUTES: list[tuple[Any, ...]] = [
    ("ingress.host", "*.example.com", "Ingress", "spec.rules.0.host", SAME),
    ("ingress.hosts", [{"host": "*.example.net"}], "Ingress", "spec.rules.1.host", "*.example.net"),
    ("ingress.hosts", [{"host": "a.example"}], "Ingress", "spec.rules.1.http.paths.0.path", "/"),
    ("ingress.hosts", [{"host": "a", "paths": [{"path": "/b"}]}], "Ingress", "spec.rules.1.http.paths.0.path", "/b"),
    (
        "ingress.hosts",
        [{"host": "a", "paths": [{"path": "/b"}, {"path": "/c", "pathType": "Exact"}]}],
        "Ingress",
        "spec.rules.1.http.paths.1.pathType",
        "Exact",
    ),
    ("ingress.tls", [{"hosts": ["items.example.com"], "secretName": "a"}], "Ingress", "spec.tls", SAME),
    ("ingress.pathType", "Exact", "Ingress", "spec.rules.0.http.paths.0.pathType", SAME),
    ("httpRoute.host", "*.example.net", "HTTPRoute", "spec.hostnames", ["*.example.net"]),
    ("httpRoute.hostnames", ["no"], "HTTPRoute", "spec.hostnames", ["items.example.org", "no"]),
    ("httpRoute.annotations", {"a": "b"}, "HTTPRoute", "metadata.annotations", SAME),
    ("httpRoute.filters", [_REWRITE], "HTTPRoute", "spec.rules.0.filters", SAME),
    ("httpRoute.timeouts", {"request": "15s"}, "HTTPRoute", "spec.rules.0.timeouts", SAME),
]
_SERVICE = "spec.template.spec.containers.0"
_PODS: list[tuple[Any, ...]] = [
    ("startupProbe", {"failureThreshold": 9}, "Deployment", f"{_SERVICE}.startupProbe.failureThreshold", 9),
    ("startupProbe", {"initialDelaySeconds": 2}, "Deployment", f"{_SERVICE}.startupProbe.initialDelaySeconds", 2),
    ("livenessProbe", {"timeoutSeconds": 5}, "Deployment", f"{_SERVICE}.livenessProbe.timeoutSeconds", 5),
    ("readinessProbe", {"successThreshold": 2}, "Deployment", f"{_SERVICE}.readinessProbe.successThreshold", 2),
    ("strategy", {"rollingUpdate": {"maxSurge": "50%"}}, "Deployment", "spec.strategy.rollingUpdate.maxSurge", "50%"),
    ("strategy", {"type": "Recreate"}, "Deployment", "spec.strategy", {"type": "Recreate"}),
    ("minReadySeconds", 5, "Deployment", "spec.minReadySeconds", SAME),
    ("revisionHistoryLimit", 0, "Deployment", "spec.revisionHistoryLimit", SAME),
    ("progressDeadlineSeconds", 900, "Deployment", "spec.progressDeadlineSeconds", SAME),
    ("lifecycle", {"preStop": {"sleep": {"seconds": 7}}}, "Deployment", f"{_SERVICE}.lifecycle", SAME),
    (
        "lifecycle",
        {"preStop": {"sleep": {"seconds": 7}}},
        "Deployment",
        "spec.template.spec.terminationGracePeriodSeconds",
        7 + 25,
    ),
    *[
        row
        for kind, pod in (("Deployment", "spec.template."), ("Job", "spec.template."), ("Pod", ""))
        for row in (
            ("podSecurityContext", {"fsGroup": 7}, kind, f"{pod}spec.securityContext.fsGroup", 7),
            ("podSecurityContext", {"runAsUser": None}, kind, f"{pod}spec.securityContext.runAsUser", None),
            (
                "securityContext",
                {"readOnlyRootFilesystem": False},
                kind,
                f"{pod}spec.containers.0.securityContext.readOnlyRootFilesystem",
                False,
            ),
            (
                "securityContext",
                {"capabilities": {"add": ["NET_BIND_SERVICE"]}},
                kind,
                f"{pod}spec.containers.0.securityContext.capabilities",
                {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            ),
        )
    ],
]
_METRIC = {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "9"}}}
_SCALE: list[tuple[Any, ...]] = [
    ("podDisruptionBudget.maxUnavailable", "50%", "PodDisruptionBudget", "spec.maxUnavailable", SAME),
    ("podDisruptionBudget.minAvailable", 1, "PodDisruptionBudget", "spec.minAvailable", SAME),
    ("podDisruptionBudget.minAvailable", "50%", "PodDisruptionBudget", "spec.maxUnavailable", None),
    (
        "autoscaling.targetMemoryUtilizationPercentage",
        80,
        "HorizontalPodAutoscaler",
        "spec.metrics.1.containerResource",
        {"name": "memory", "container": "service", "target": {"type": "Utilization", "averageUtilization": 80}},
    ),
    ("autoscaling.metrics", [_METRIC], "HorizontalPodAutoscaler", "spec.metrics.1", _METRIC),
]
_TRIGGER = {
    "type": "cron",
    "metadata": {"timezone": "UTC", "start": "0 6 * * *", "end": "0 9 * * *", "desiredReplicas": "3"},
}
_KEDA = [
    ("keda.triggers", [_TRIGGER], "spec.triggers.1", _TRIGGER),
    ("keda.pollingInterval", 9, "spec.pollingInterval", SAME),
    ("keda.fallback", {"replicas": 3, "failureThreshold": 2}, "spec.fallback", SAME),
    ("keda.annotations", {"autoscaling.keda.sh/paused": "true"}, "metadata.annotations", SAME),
    ("autoscaling.minReplicas", 3, "spec.minReplicaCount", SAME),
    ("autoscaling.maxReplicas", 3, "spec.maxReplicaCount", SAME),
    (
        "autoscaling.behavior",
        {"scaleDown": {"stabilizationWindowSeconds": 60}},
        "spec.advanced.horizontalPodAutoscalerConfig.behavior",
        SAME,
    ),
    (
        "autoscaling.targetMemoryUtilizationPercentage",
        80,
        "spec.triggers.1",
        {"type": "memory", "metricType": "Utilization", "metadata": {"value": "80", "containerName": "service"}},
    ),
]
_RELABELINGS = [{"action": "labeldrop", "regex": "pod"}]
_BALANCED = {"type": "LoadBalancer"}
_SERVICES: list[tuple[Any, ...]] = [
    ("service", {**_BALANCED, "loadBalancerClass": "a/b"}, "Service", "spec.loadBalancerClass", "a/b"),
    (
        "service",
        {**_BALANCED, "loadBalancerSourceRanges": ["2001:db8::/32"]},
        "Service",
        "spec.loadBalancerSourceRanges",
        ["2001:db8::/32"],
    ),
    ("service", {**_BALANCED, "externalTrafficPolicy": "Local"}, "Service", "spec.externalTrafficPolicy", "Local"),
    ("service.trafficDistribution", "PreferClose", "Service", "spec.trafficDistribution", SAME),
    ("service.ipFamilyPolicy", "PreferDualStack", "Service", "spec.ipFamilyPolicy", SAME),
    ("service.ipFamilyPolicy", "PreferDualStack", "Service/items-internal", "spec.ipFamilyPolicy", SAME),
    ("service.ipFamilies", ["IPv4"], "Service", "spec.ipFamilies", SAME),
    ("service.ipFamilies", ["IPv4"], "Service/items-internal", "spec.ipFamilies", SAME),
    ("serviceMonitor.scrapeTimeout", "20s", "ServiceMonitor", "spec.endpoints.0.scrapeTimeout", SAME),
    ("serviceMonitor.relabelings", _RELABELINGS, "ServiceMonitor", "spec.endpoints.0.relabelings", SAME),
    ("serviceMonitor.metricRelabelings", _RELABELINGS, "ServiceMonitor", "spec.endpoints.0.metricRelabelings", SAME),
]
_ALIASES = [{"ip": "192.0.2.1", "hostnames": ["issuer.example.com"]}]
_SHARED: list[tuple[Any, ...]] = [
    *[
        row
        for kind, pod in (("Deployment", "spec.template.spec"), ("Job", "spec.template.spec"), ("Pod", "spec"))
        for row in (
            ("global.imageRegistry", "a.example", kind, f"{pod}.containers.0.image", f"a.example/{PULLED}"),
            ("global.imagePullSecrets", ["no", {"name": "b"}], kind, f"{pod}.imagePullSecrets", names("no", "b")),
            ("image.pullSecrets", names("a", "a"), kind, f"{pod}.imagePullSecrets", names("a")),
            ("hostAliases", _ALIASES, kind, f"{pod}.hostAliases", SAME),
            ("dnsConfig", {"options": [{"name": "ndots", "value": "1"}]}, kind, f"{pod}.dnsConfig", SAME),
            ("runtimeClassName", "gvisor", kind, f"{pod}.runtimeClassName", SAME),
        )
    ],
    ("configFiles", {"rules.yaml": "a: 1\n"}, "ConfigMap/items-files", "data", SAME),
    ("configFiles", {"a": ""}, "Deployment", "spec.template.spec.volumes.1.configMap.name", "items-files"),
    ("configFiles", {"a": ""}, "Deployment", f"{_SERVICE}.volumeMounts.1.mountPath", "/etc/service"),
    (
        "extraObjects",
        ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ include \"service.fullname\" . }}-more'}"],
        "ConfigMap",
        "metadata.name",
        "items-more",
    ),
]
KNOBS = [*_MIGRATIONS, *_TEST, *_ROUTES, *_PODS, *_SCALE, *_SERVICES, *_SHARED, *PLACES]


def _extra(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return the values that set one value."""
    for step in reversed(path.split(".")):
        value = {step: value}
    return dict(value)


def at(object_: Any, path: str) -> Any:
    """Return what is at a place of an object, such as `spec.ports.0.port`; None if there is nothing.

    A step into a list is an index, or the name of an item: `spec.ports.http.port`.
    """
    for step in path.split("."):
        if isinstance(object_, list):
            found = [each for index, each in enumerate(object_) if step == str(index) or _name(each) == step]
            object_ = found[0] if found else None
        else:
            object_ = (object_ or {}).get(step)
    return object_


def _name(item: Any) -> Any:
    return item.get("name") if isinstance(item, dict) else None


def find(objects: list[Object], wanted: str) -> Object | None:
    """Return the object `Kind`, of the service's name if there are several, or `Kind/name`."""
    kind, _, name = wanted.partition("/")
    found = of_kind(objects, kind, name or None)
    return found[0] if len(found) == 1 else next((each for each in found if each["metadata"]["name"] == "items"), None)


def validate(objects: list[Object]) -> None:
    """Assert that Kubernetes and the operators would take the objects."""
    for each in objects:
        if each["kind"] in custom_resources.KINDS:
            assert not custom_resources.mistakes(each)
        else:
            kubernetes_validate.validate(each, KUBERNETES[-1], strict=True)


@cache
def by_default(chart: Chart) -> list[Object]:
    return chart.render(IMAGE, MODES["external"], ON)


@pytest.mark.parametrize(
    ("path", "value", "wanted", "place", "expected"), KNOBS, ids=[f"{knob[0]} {knob[2]}" for knob in KNOBS]
)
def test_a_value_reaches_its_place(chart: Chart, path: str, value: Any, wanted: str, place: str, expected: Any) -> None:
    expected = value if expected is SAME else expected
    after = chart.render(IMAGE, MODES["external"], ON, nested(path, value))
    assert at(find(by_default(chart), wanted), place) != expected, "it is there without the value"
    assert at(find(after, wanted), place) == expected
    validate(after)


@pytest.mark.parametrize(
    ("others", "path", "value", "wanted", "place", "expected"),
    PLACES_BESIDE,
    ids=[f"{knob[1]} {knob[3]}" for knob in PLACES_BESIDE],
)
def test_a_value_reaches_its_place_beside_others(
    chart: Chart, others: dict[str, Any], path: str, value: Any, wanted: str, place: str, expected: Any
) -> None:
    expected = value if expected is SAME else expected
    before, after = chart.render(IMAGE, ON, others), chart.render(IMAGE, ON, others, nested(path, value))
    assert at(find(before, wanted), place) != expected, "it is there without the value"
    assert at(find(after, wanted), place) == expected
    validate(after)


@pytest.mark.parametrize(("path", "value", "place", "expected"), _KEDA)
def test_a_value_reaches_the_scaled_object(chart: Chart, path: str, value: Any, place: str, expected: Any) -> None:
    objects = chart.render(IMAGE, MODES["external"], ON, {"keda": {"enabled": True}}, nested(path, value))
    assert at(one(objects, "ScaledObject"), place) == (value if expected is SAME else expected)
    assert not custom_resources.mistakes(one(objects, "ScaledObject"))
    assert not of_kind(objects, "HorizontalPodAutoscaler")
    assert "replicas" not in one(objects, "Deployment")["spec"]


def test_an_autoscaler_may_leave_the_cpu_out(chart: Chart) -> None:
    values = {"autoscaling": {"targetCPUUtilizationPercentage": "", "metrics": [_METRIC]}}
    objects = chart.render(IMAGE, MODES["external"], ON, values, {"resources": {"requests": {"cpu": None}}})
    assert one(objects, "HorizontalPodAutoscaler")["spec"]["metrics"] == [_METRIC]


def test_the_service_knows_the_time_that_a_hook_leaves_it(chart: Chart) -> None:
    objects = chart.render(IMAGE, MODES["external"], {"lifecycle": {"preStop": {"sleep": {"seconds": 7}}}})
    assert environment_of(objects)["TERMINATION_GRACE_PERIOD_SECONDS"] == "25"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"podDisruptionBudget": {"minAvailable": "51%"}},
            "podDisruptionBudget.minAvailable (51%) is all of the 2 pods",
        ),
        ({"podDisruptionBudget": {"minAvailable": 2}}, "podDisruptionBudget.minAvailable (2) is all of the 2 pods"),
        ({"podDisruptionBudget": {"maxUnavailable": "51%"}}, "maxUnavailable (51%) allows all of the 2 pods"),
        ({"podDisruptionBudget": {"maxUnavailable": "0%"}}, "podDisruptionBudget.maxUnavailable is 0"),
        ({"autoscaling": {"targetCPUUtilizationPercentage": ""}}, "there is nothing to scale by"),
        (
            {"autoscaling": {"targetMemoryUtilizationPercentage": 80}, "resources": {"requests": {"memory": None}}},
            "resources.requests.memory is not set",
        ),
        ({"keda": {"enabled": True}, "autoscaling": {"metrics": [_METRIC]}}, "move them to keda.triggers"),
        (
            {"keda": {"enabled": True}, "autoscaling": {"enabled": False}},
            "keda.enabled is true but autoscaling.enabled",
        ),
        ({"database": {"reserveConnections": 13}}, "13 in reserve = 101, and database.maxConnections is 100"),
        ({"minReadySeconds": 600}, "progressDeadlineSeconds (600) is not longer than minReadySeconds (600)"),
        ({"strategy": {"rollingUpdate": {"maxSurge": 0}}}, "neither a maxSurge nor a maxUnavailable"),
        ({"strategy": {"rollingUpdate": {"maxSurge": 3}}}, "strategy.rollingUpdate.maxSurge (3) is above the 2 pods"),
        ({"service": {"loadBalancerClass": "a"}}, "service.type is ClusterIP: set it to LoadBalancer"),
        ({"service": {"externalTrafficPolicy": "Local"}}, "service.externalTrafficPolicy is set but service.type"),
        ({"service": {"ipFamilies": ["IPv6", "IPv4"]}}, "service.ipFamilies has two families but"),
        ({"service": {"ipFamilies": ["IPv6"]}}, 'the pods listen on IPv4 only: set config.host to "::"'),
        ({"serviceMonitor": {"scrapeTimeout": "1m"}}, "serviceMonitor.scrapeTimeout (1m) is longer than"),
        ({"extraVolumes": [{"name": "config-files", "emptyDir": {}}]}, "extraVolumes"),
        ({"livenessProbe": {"successThreshold": 2}}, "livenessProbe"),
        ({"migrations": {"resources": {"limits": {"memory": "64"}}}}, "migrations.resources.limits.memory is 64"),
        ({"test": {"resources": {"requests": {"memory": "1Gi"}}}}, "test.resources.requests.memory (1Gi) is above"),
        ({"migrations": {"podLabels": {"a b": "c"}}}, 'migrations.podLabels has the key "a b"'),
        ({"httpRoute": {"hostnames": ["192.0.2.1"]}}, "httpRoute.hostnames has 192.0.2.1"),
        ({"ingress": {"hosts": [{"host": "192.0.2.1"}]}}, "ingress.hosts has 192.0.2.1"),
        ({"ingress": {"hosts": [{"host": "a", "paths": [{"path": "/b//c"}]}]}}, "ingress.hosts has the path /b//c"),
        ({"startupProbe": {"periodSeconds": 0}}, "startupProbe"),
        (
            {"resources": {"requests": {"example.com/gpu": 1}}},
            "resources.limits.example.com/gpu is not a whole number that equals resources.requests.example.com/gpu",
        ),
        ({"resources": {"limits": {"example.com/gpu": 0.5}}}, "resources.limits.example.com/gpu is not a whole number"),
        (
            {"resources": {"requests": None, "limits": {"memory": None, "hugepages-2Mi": "4Mi"}}},
            "resources has hugepages-2Mi without cpu or memory",
        ),
        ({"resources": {"limits": {"hugepages-2Mi": "3Mi"}}}, "hugepages-2Mi is not a whole number of 2Mi"),
        ({"resources": {"limits": {"disk": "1Gi"}}}, "disk"),
        (
            {"sidecars": [{"name": "a", "image": "a", "resources": {"limits": {"memory": "64"}}}]},
            "sidecars.a.resources.limits.memory is 64",
        ),
        (
            {"httpRoute": {"timeouts": {"request": "1s", "backendRequest": "1s1ms"}}},
            "httpRoute.timeouts.backendRequest (1s1ms) is longer than httpRoute.timeouts.request (1s)",
        ),
        (
            {"httpRoute": {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]}},
            "httpRoute.filters has a RequestRedirect",
        ),
        ({"httpRoute": {"filters": [_REWRITE, _REWRITE]}}, "httpRoute.filters has URLRewrite twice"),
        ({"httpRoute": {"parentRefs": names("a", "a")}}, "httpRoute.parentRefs has a twice"),
        (
            {"networkPolicy": {"extraEgress": [{"ports": [{"port": 9000, "endPort": 8000}]}]}},
            "networkPolicy.extraEgress has the port 9000 with the endPort 8000",
        ),
        ({"extraObjects": ["on"]}, "extraObjects has an item that is no object"),
        ({"extraObjects": [_extra("items-files")]}, "extraObjects has the ConfigMap items-files, whose name the chart"),
        ({"extraObjects": [_extra("a"), _extra("a")]}, "extraObjects has the ConfigMap a, which another item has, too"),
        ({"hostAliases": _ALIASES * 2}, "hostAliases has the ip 192.0.2.1 twice"),
        (
            {"initContainers": [{"name": "a", "image": "a", "volumeMounts": [{"name": "b", "mountPath": "/b"}]}]},
            "initContainers.a mounts the volume b, which its pods do not have",
        ),
        (
            {"sidecars": [{"name": "a", "image": "a", "env": [{"name": "B"}, {"name": "B"}]}]},
            "sidecars.a sets B twice",
        ),
        (
            {"securityContext": {"privileged": True}},
            "securityContext asks for privileged or CAP_SYS_ADMIN, but allowPrivilegeEscalation is false",
        ),
        (
            {
                "sidecars": [
                    {"name": "a", "image": "a", "securityContext": {"capabilities": {"add": ["CAP_SYS_ADMIN"]}}}
                ]
            },
            "set sidecars.a.securityContext.allowPrivilegeEscalation to true",
        ),
        ({"database": {"secretKey": ".."}}, "secretKey"),
        ({"serviceAccount": {"name": "a..b"}}, "name"),
        ({"podLabels": {"a..b/c": "d"}}, 'podLabels has the key "a..b/c"'),
        ({"service": {**_BALANCED, "loadBalancerSourceRanges": ["10.0.0.0/33"]}}, "loadBalancerSourceRanges"),
        ({"keda": {"fallback": {"replicas": 3}}}, "failureThreshold"),
    ],
)
def test_values_that_do_not_fit_each_other_are_named(chart: Chart, values: dict[str, Any], said: str) -> None:
    assert said in chart.refusal(IMAGE, MODES["external"], ON, values)


@pytest.mark.parametrize(
    ("image", "mirrored"),
    [
        ("docker.io/library/postgres:18-alpine", "mirror.example/hub/library/postgres:18-alpine"),
        ("localhost:5000/postgres:18", "mirror.example/hub/postgres:18"),
        ("library/postgres:18", "mirror.example/hub/library/postgres:18"),
        ("postgres:18", "mirror.example/hub/postgres:18"),
    ],
)
def test_databases_come_from_the_same_registry(chart: Chart, image: str, mirrored: str) -> None:
    shared = {"global": {"imageRegistry": "mirror.example/hub", "imagePullSecrets": ["a"]}}
    trial = chart.render(IMAGE, MODES["evaluation"], shared, {"evaluation": {"image": image}})
    pod = one(trial, "StatefulSet")["spec"]["template"]["spec"]
    assert (pod["containers"][0]["image"], pod["imagePullSecrets"]) == (mirrored, names("a"))
    cluster = one(chart.render(IMAGE, MODES["cnpg"], shared, {"cnpg": {"imageName": image}}), "Cluster")["spec"]
    assert (cluster["imageName"], cluster["imagePullSecrets"]) == (mirrored, names("a"))


def test_a_changed_config_file_rolls_the_pods_and_is_not_the_migrations(chart: Chart) -> None:
    def annotations(text: str) -> Any:
        objects = chart.render(IMAGE, MODES["external"], {"configFiles": {"a": text}, "podAnnotations": {"b": "c"}})
        assert "config-files" not in str(one(objects, "Job"))
        return one(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]

    assert annotations("1") != annotations("2")
    assert annotations("1") == annotations("1")
    assert annotations("1")["b"] == "c"


@pytest.mark.parametrize("families", [{"ipFamilies": ["IPv6"]}, {"ipFamilyPolicy": "RequireDualStack"}])
def test_pods_of_ipv6_listen_on_all_addresses(chart: Chart, families: dict[str, Any]) -> None:
    objects = chart.render(IMAGE, MODES["external"], {"service": families, "config": {"host": "::"}})
    assert environment_of(objects)["HOST"] == "::"
    assert "HOST" not in environment_of(by_default(chart))


def test_objects_that_are_no_strings_are_not_rendered(chart: Chart) -> None:
    more = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "{{ now }}"}}
    assert one(chart.render(IMAGE, MODES["external"], {"extraObjects": [more]}), "ConfigMap") == more


def test_what_is_whole_may_be_a_limit_alone(chart: Chart) -> None:
    sized = {"resources": {"limits": {"example.com/gpu": 1}}}
    container = at(one(chart.render(IMAGE, MODES["external"], sized), "Deployment"), _SERVICE)
    assert container["resources"]["limits"]["example.com/gpu"] == 1


def test_a_sidecar_may_read_the_config_files_and_be_privileged(chart: Chart) -> None:
    free = {"privileged": True, "allowPrivilegeEscalation": True}
    mounts = [{"name": "config-files", "mountPath": "/etc/service"}]
    sidecar = {"name": "a", "image": "a", "securityContext": free, "volumeMounts": mounts}
    objects = chart.render(IMAGE, MODES["external"], {"configFiles": {"a": "b"}, "sidecars": [sidecar]})
    rendered = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][1]
    assert rendered["volumeMounts"] == mounts
    assert rendered["securityContext"]["privileged"] is True


def test_an_item_of_extra_objects_may_hold_several_objects_or_none(chart: Chart) -> None:
    text = "# two\n---\n" + "\n---\n".join(json.dumps(_extra(name)) for name in ("a", "b"))
    objects = chart.render(IMAGE, MODES["external"], {"extraObjects": [text, "{{ if false }}\na: b\n{{ end }}"]})
    assert [each["metadata"]["name"] for each in of_kind(objects, "ConfigMap")] == ["a", "b"]
    other = {**_extra("items-files"), "metadata": {"name": "items-files", "namespace": "other"}}
    assert one(chart.render(IMAGE, MODES["external"], {"extraObjects": [other]}), "ConfigMap") == other


def test_hosts_may_stand_in_the_lists_alone(chart: Chart) -> None:
    lists = {
        "ingress": {"host": "", "hosts": [{"host": "a.example"}], "tls": [{"hosts": ["a.example"], "secretName": "a"}]},
        "httpRoute": {"host": "", "hostnames": ["b.example"]},
    }
    objects = chart.render(IMAGE, MODES["external"], ON, lists)
    assert [rule["host"] for rule in one(objects, "Ingress")["spec"]["rules"]] == ["a.example"]
    assert one(objects, "HTTPRoute")["spec"]["hostnames"] == ["b.example"]
    mixed = {"ingress": {"tlsSecretName": "b"}, "httpRoute": {"hostnames": ["a.example"]}}
    message = chart.refusal(IMAGE, MODES["external"], ON, lists, mixed)
    assert "ingress.tlsSecretName is the certificate of ingress.host, which is not set" in message
    assert "are both a.example" in message


def test_the_migrations_without_a_hook_run_at_each_revision(chart: Chart) -> None:
    """A Job that is not a hook is an object of the release, which Helm deletes if its name changes."""
    job = one(chart.render(IMAGE, MODES["external"], {"migrations": {"hook": False}}), "Job")
    assert "ttlSecondsAfterFinished" not in job["spec"]
    hook = one(chart.render(IMAGE, MODES["external"]), "Job")
    assert job["spec"]["template"] == hook["spec"]["template"]
    assert job["metadata"]["name"] != hook["metadata"]["name"]


def test_a_hook_cannot_run_as_an_account_that_does_not_exist_yet(chart: Chart) -> None:
    mine = {"migrations": {"serviceAccountName": "items"}}
    assert "migrations.serviceAccountName is items, which this release creates" in chart.refusal(
        IMAGE, MODES["external"], mine
    )
    for more in ({"migrations": {"hook": False}}, MODES["cnpg"]):
        job = one(chart.render(IMAGE, MODES["external"], mine, more), "Job")
        assert job["spec"]["template"]["spec"]["serviceAccountName"] == "items"


def test_common_labels_are_on_every_pod(chart: Chart) -> None:
    labels = {"team": "platform"}
    objects = chart.render(IMAGE, MODES["evaluation"], {"commonLabels": labels})
    templates = [each["spec"]["template"] for each in objects if "template" in each.get("spec", {})]
    assert len(templates) == 3
    assert all(each["metadata"]["labels"]["team"] == "platform" for each in templates)
    cluster = one(chart.render(IMAGE, MODES["cnpg"], {"commonLabels": labels}), "Cluster")
    assert cluster["spec"]["inheritedMetadata"]["labels"] == labels


def recipes() -> list[Any]:
    """Return the values that the README shows."""
    text = (REPOSITORY / "chart" / "README.md").read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize("values", recipes(), ids=str)
def test_the_readme_s_values_render(chart: Chart, values: dict[str, Any]) -> None:
    objects = chart.render(IMAGE, MODES["external"], values)
    for more in values.get("extraObjects", []):
        assert more in objects
        # The source of the Secret and the Job are of the same release: neither waits for the other.
        assert more["metadata"]["name"] == values["database"]["existingSecret"]
        assert not at(one(objects, "Job"), "metadata.annotations")
    assert bool(of_kind(objects, "ScaledObject")) == ("keda" in values)
    assert ("HOST" in environment_of(objects)) == ("config" in values)
