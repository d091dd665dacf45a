"""With the values for OpenShift, every pod is admitted by the SecurityContextConstraints `restricted-v2`."""

from collections.abc import Iterator
from typing import Any

import pytest

from harness.chart_values.examples import EVERYTHING, IMAGE, MODES
from harness.values import merge
from tests.chart.pod_security import VOLUMES, violations
from tests.chart.rendering import Chart, Object, one, pods

OPENSHIFT = {"podSecurity": {"setIds": False}, "networkPolicy": {"dnsPorts": [53, 5353]}}


def refusals(pod: Object) -> Iterator[str]:
    """Yield what restricted-v2 refuses in a pod: IDs outside of the range of its namespace, which nobody knows before.

    Its other rules are part of the restricted Pod Security Standard, which allows some fields more.
    """
    spec = pod["spec"]
    yield from violations(pod)
    contexts = {"The pod": spec["securityContext"]}
    for kind in ("initContainers", "containers"):
        contexts |= {each["name"]: each["securityContext"] for each in spec.get(kind, [])}
    for whose, context in contexts.items():
        for name in ("runAsUser", "fsGroup", "supplementalGroups", "seLinuxOptions"):
            if name in context:
                yield f"{whose} sets {name}"
        if context.get("seccompProfile", {}).get("type", "RuntimeDefault") != "RuntimeDefault":
            yield f"{whose} sets another seccompProfile"
    for volume in spec.get("volumes", []):
        if not volume.keys() & VOLUMES:
            yield f"{volume['name']} is of a kind that is not allowed"


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["least", "everything"])
@pytest.mark.parametrize("mode", ["external", "cnpg"])
def test_every_pod_is_admitted(chart: Chart, mode: str, values: dict[str, Any]) -> None:
    found = dict(pods(chart.render(IMAGE, values, MODES[mode], OPENSHIFT)))
    assert len(found) == 3
    for name, pod in found.items():
        assert not list(refusals(pod)), name
        assert "runAsGroup" not in pod["spec"]["securityContext"]  # the files of the image are of group 0
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


def test_a_field_may_be_set_while_the_cluster_sets_the_ids(chart: Chart) -> None:
    values = {"podSecurityContext": {"supplementalGroups": [7], "runAsNonRoot": None}}
    pod = one(chart.render(IMAGE, MODES["external"], OPENSHIFT, values), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"supplementalGroups": [7], "seccompProfile": {"type": "RuntimeDefault"}}


def test_ids_that_are_set_are_refused(chart: Chart) -> None:
    pod = one(chart.render(IMAGE, MODES["external"]), "Deployment")["spec"]["template"]
    assert list(refusals(pod)) == ["The pod sets runAsUser", "The pod sets fsGroup"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"securityContext": {"seLinuxOptions": {"level": "s0"}}}, "The pod sets seLinuxOptions"),
        ({"securityContext": {"seccompProfile": {"type": "Localhost"}}}, "The pod sets another seccompProfile"),
        ({"volumes": [{"name": "a", "image": {}}]}, "Volume a is a image."),
    ],
)
def test_each_rule_refuses_what_breaks_it(chart: Chart, change: dict[str, Any], said: str) -> None:
    pod = one(chart.render(IMAGE, MODES["external"], OPENSHIFT), "Deployment")["spec"]["template"]
    assert said in list(refusals(merge(pod, {"spec": change})))
