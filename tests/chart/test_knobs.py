"""Each value reaches its place in an object, and is not there by default. One line a value."""

from functools import cache
from typing import Any

import kubernetes_validate
import pytest

from tests.chart.rendering import IMAGE, KUBERNETES, MODES, Chart, Object, of_kind, one
from tests.chart.test_objects import WITHOUT_SCHEMA

SAME: Any = object()  # what is expected at the place is the value itself
# Values that create all objects, in mode external.
ON: dict[str, Any] = {
    "ingress": {"enabled": True, "host": "items.example.com"},
    "httpRoute": {"enabled": True, "host": "items.example.org", "parentRefs": [{"name": "gateway"}]},
    "autoscaling": {"enabled": True},
    "serviceMonitor": {"enabled": True},
    "networkPolicy": {"internalFrom": [{"namespaceSelector": {}}]},
}

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
KNOBS = [*_MIGRATIONS, *_TEST, *_ROUTES]


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return the values that set one value."""
    for step in reversed(path.split(".")):
        value = {step: value}
    return dict(value)


def at(object_: Any, path: str) -> Any:
    """Return what is at a place of an object, such as `spec.ports.0.port`; None if there is nothing."""
    for step in path.split("."):
        if isinstance(object_, list):
            object_ = object_[int(step)] if int(step) < len(object_) else None
        else:
            object_ = (object_ or {}).get(step)
    return object_


def find(objects: list[Object], wanted: str) -> Object | None:
    """Return the object `Kind`, of the service's name if there are several, or `Kind/name`."""
    kind, _, name = wanted.partition("/")
    found = of_kind(objects, kind, name or None)
    return found[0] if len(found) == 1 else next((each for each in found if each["metadata"]["name"] == "items"), None)


@cache
def by_default(chart: Chart) -> list[Object]:
    return chart.render(IMAGE, MODES["external"], ON)


@pytest.mark.parametrize(
    ("path", "value", "wanted", "place", "expected"), KNOBS, ids=[f"{knob[0]} {knob[2]}" for knob in KNOBS]
)
def test_a_value_reaches_its_place(chart: Chart, path: str, value: Any, wanted: str, place: str, expected: Any) -> None:
    expected = value if expected is SAME else expected
    before = by_default(chart)
    after = chart.render(IMAGE, MODES["external"], ON, nested(path, value))
    assert at(find(before, wanted), place) != expected, "it is there without the value"
    assert at(find(after, wanted), place) == expected
    for each in after:
        if each["kind"] not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(each, KUBERNETES[-1], strict=True)


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
