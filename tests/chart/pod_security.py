"""The restricted Pod Security Standard, including the baseline, as of Kubernetes 1.37.

Rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/. The exceptions for Windows and for user
namespaces are refused here, because the chart makes no such pods.
"""

from collections.abc import Iterator

from tests.chart.rendering import Object

CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
PROFILES = {"RuntimeDefault", "Localhost"}
SELINUX_TYPES = {"container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
}
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def violations(pod: Object) -> Iterator[str]:
    """Yield one sentence for each violation of the standard in a pod or a pod template."""
    spec = pod["spec"]
    for name, profile in pod.get("metadata", {}).get("annotations", {}).items():
        allowed = profile == "runtime/default" or profile.startswith("localhost/")
        if name.startswith(APPARMOR_ANNOTATION) and not allowed:
            yield f"The annotation {name} sets the AppArmor profile {profile}."
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"{name} is on."
    for volume in spec.get("volumes", []):
        for kind in volume.keys() - {"name"} - VOLUMES:
            yield f"Volume {volume['name']} is a {kind}."
    context = spec.get("securityContext", {})
    for sysctl in context.get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            yield f"The sysctl {sysctl['name']} is set."
    yield from _of_context("The pod", context)
    for container in (container for kind in CONTAINERS for container in spec.get(kind, [])):
        yield from _of_container(f"Container {container['name']}", container, context)


def _of_context(whose: str, context: Object) -> Iterator[str]:
    """Yield the violations that can occur in the security context of a pod and of a container."""
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{whose} is a process of the host."
    if context.get("runAsNonRoot") is False:
        yield f"{whose} sets runAsNonRoot to false."
    if context.get("runAsUser") == 0:
        yield f"{whose} sets runAsUser to 0."
    for kind in ("appArmorProfile", "seccompProfile"):
        if kind in context and context[kind].get("type") not in PROFILES:
            yield f"{whose} sets the {kind} {context[kind].get('type')}."
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type") and selinux["type"] not in SELINUX_TYPES:
        yield f"{whose} sets the SELinux type {selinux['type']}."
    for name in ("user", "role"):
        if selinux.get(name):
            yield f"{whose} sets an SELinux {name}."


def _of_container(whose: str, container: Object, pod_context: Object) -> Iterator[str]:
    """Yield the violations of a container. A required setting may come from its pod."""
    context = container.get("securityContext", {})
    yield from _of_context(whose, context)
    for name in ("runAsNonRoot", "seccompProfile"):
        if name not in pod_context and name not in context:
            yield f"{whose} has no {name}."
    if context.get("privileged"):
        yield f"{whose} is privileged."
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{whose} does not set allowPrivilegeEscalation to false."
    if context.get("procMount", "Default") != "Default":
        yield f"{whose} sets the procMount {context['procMount']}."
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield f"{whose} does not drop ALL capabilities."
    for name in set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"{whose} adds the capability {name}."
    for port in container.get("ports", []):
        if port.get("hostPort"):
            yield f"{whose} takes port {port['hostPort']} of the host."
    hooks = [container.get(name, {}) for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    for hook in [*hooks, *container.get("lifecycle", {}).values()]:
        for action in ("httpGet", "tcpSocket"):
            if host := hook.get(action, {}).get("host"):
                yield f"{whose} has {host} asked by the kubelet."
