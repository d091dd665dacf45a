"""Every pod complies with the restricted Pod Security Standard, and the check detects violations of each rule."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.values import merge
from tests.chart.pod_security import violations
from tests.chart.rendering import Chart, Object, pods, releases

CONTEXT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}
# A compliant pod: all required settings, and some of the optional ones that the standard allows.
FITTING: Object = {
    "metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/main": "localhost/strict"}},
    "spec": {
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "Localhost"},
            "appArmorProfile": {"type": "RuntimeDefault"},
            "seLinuxOptions": {"type": "container_t", "level": "s0:c1,c2"},
            "sysctls": [{"name": "net.ipv4.tcp_keepalive_time", "value": "60"}],
        },
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "settings", "configMap": {"name": "settings"}}],
        "containers": [
            {
                "name": "main",
                "securityContext": CONTEXT,
                "ports": [{"containerPort": 8080, "hostPort": 0}],
                "livenessProbe": {"httpGet": {"path": "/livez", "port": 8080}},
            }
        ],
    },
}


def test_every_pod_fits_the_restricted_pod_security_standard_and_more(
    chart: Chart, environment: Callable[[str], list[Path]]
) -> None:
    for release, objects in releases(chart, environment).items():
        found = dict(pods(objects))
        assert len(found) == (4 if release.startswith(("evaluation", "development")) else 3), release
        for name, pod in found.items():
            assert not list(violations(pod)), (release, name)
            assert pod["spec"]["automountServiceAccountToken"] is False
            assert pod["spec"]["securityContext"]["runAsUser"] > 0  # not left to the image
            for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
                assert container["securityContext"]["readOnlyRootFilesystem"] is True
                assert container["resources"]["limits"].keys() == {"memory"}
                assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def of_pod(**context: Any) -> Object:
    """Return a compliant pod with this security context."""
    return merge(FITTING, {"spec": {"securityContext": context}})


def of_container(settings: Object, kind: str = "containers") -> Object:
    """Return a compliant pod with one more container, of one of the three kinds."""
    return merge(FITTING, {"spec": {kind: [{"name": "bad", "securityContext": CONTEXT, **settings}]}})


def in_container(**context: Any) -> Object:
    """Return a compliant pod with one more container, with these changes to its security context."""
    return of_container({"securityContext": {**CONTEXT, **context}})


def without(name: str) -> Object:
    """Return a compliant pod, but without one field of its security context."""
    context = {key: value for key, value in FITTING["spec"]["securityContext"].items() if key != name}
    return {"spec": {**FITTING["spec"], "securityContext": context}}


UNCONFINED = {"type": "Unconfined"}
APPARMOR = "container.apparmor.security.beta.kubernetes.io/main"
REFUSED: list[tuple[Object, str]] = [
    (merge(FITTING, {"metadata": {"annotations": {APPARMOR: "unconfined"}}}), "AppArmor profile unconfined"),
    *[(merge(FITTING, {"spec": {name: True}}), f"{name} is on") for name in ("hostNetwork", "hostPID", "hostIPC")],
    (merge(FITTING, {"spec": {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}}), "a is a hostPath"),
    (merge(FITTING, {"spec": {"volumes": [{"name": "a", "nfs": {"server": "a", "path": "/"}}]}}), "a is a nfs"),
    (of_pod(sysctls=[{"name": "kernel.msgmax", "value": "1"}]), "sysctl kernel.msgmax"),
    (of_pod(windowsOptions={"hostProcess": True}), "The pod is a process of the host"),
    (of_pod(runAsNonRoot=False), "The pod sets runAsNonRoot to false"),
    (of_pod(runAsUser=0), "The pod sets runAsUser to 0"),
    (of_pod(appArmorProfile=UNCONFINED), "The pod sets the appArmorProfile Unconfined"),
    (of_pod(seccompProfile=UNCONFINED), "The pod sets the seccompProfile Unconfined"),
    (of_pod(seLinuxOptions={"type": "spc_t"}), "The pod sets the SELinux type spc_t"),
    (of_pod(seLinuxOptions={"user": "system_u"}), "The pod sets an SELinux user"),
    (of_pod(seLinuxOptions={"role": "system_r"}), "The pod sets an SELinux role"),
    (without("runAsNonRoot"), "Container main has no runAsNonRoot"),
    (without("seccompProfile"), "Container main has no seccompProfile"),
    (in_container(windowsOptions={"hostProcess": True}), "Container bad is a process of the host"),
    (in_container(runAsNonRoot=False), "Container bad sets runAsNonRoot to false"),
    (in_container(runAsUser=0), "Container bad sets runAsUser to 0"),
    (in_container(appArmorProfile=UNCONFINED), "Container bad sets the appArmorProfile Unconfined"),
    (in_container(seccompProfile=UNCONFINED), "Container bad sets the seccompProfile Unconfined"),
    (in_container(seLinuxOptions={"type": "spc_t"}), "Container bad sets the SELinux type spc_t"),
    (in_container(privileged=True), "Container bad is privileged"),
    (in_container(allowPrivilegeEscalation=True), "does not set allowPrivilegeEscalation to false"),
    (of_container({"securityContext": {"capabilities": {"drop": ["ALL"]}}}), "allowPrivilegeEscalation to false"),
    (in_container(procMount="Unmasked"), "procMount Unmasked"),
    (in_container(capabilities={"drop": ["NET_RAW"]}), "does not drop ALL"),
    (in_container(capabilities={}), "does not drop ALL"),
    (in_container(capabilities={"drop": ["ALL"], "add": ["CHOWN"]}), "adds the capability CHOWN"),
    (of_container({"ports": [{"containerPort": 80, "hostPort": 80}]}), "takes port 80 of the host"),
    *[
        (of_container({name: {"tcpSocket": {"host": "10.0.0.1", "port": 1}}}), "10.0.0.1 asked")
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    ],
    *[
        (of_container({"lifecycle": {name: {"httpGet": {"host": "10.0.0.1", "port": 1}}}}), "10.0.0.1 asked")
        for name in ("postStart", "preStop")
    ],
    *[
        (of_container({"securityContext": {**CONTEXT, "privileged": True}}, kind), "Container bad is privileged")
        for kind in ("initContainers", "ephemeralContainers")
    ],
]


def test_a_fitting_pod_is_let_through() -> None:
    assert list(violations(FITTING)) == []
    own = in_container(runAsNonRoot=True, seccompProfile={"type": "RuntimeDefault"})
    del own["spec"]["securityContext"]  # containers may set what their pod leaves out
    assert list(violations(own)) == []


@pytest.mark.parametrize(("pod", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_each_rule_of_the_standard_refuses_what_breaks_it(pod: Object, reason: str) -> None:
    [violation] = violations(pod)
    assert reason in violation
