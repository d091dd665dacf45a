"""What users write where the chart passes a part of a manifest on.

The chart's schema knows the types of the usual fields there. Other fields it leaves to Kubernetes, because a later
version may have them. The schema alone would draw little that Kubernetes takes, so these forms are drawn in its place.
"""

from typing import Any, NamedTuple


class Forms(NamedTuple):
    """Forms of a part of a manifest.

    Attributes:
        drawn: usual forms, and some that Kubernetes refuses, alone or beside others; the chart has to refuse these.
        wrong: the chart's schema refuses each of them.
    """

    drawn: list[Any]
    wrong: list[Any]


_SELECTOR = {"matchLabels": {"kubernetes.io/metadata.name": "no"}}
_CHOICE = {"matchExpressions": [{"key": "team", "operator": "In", "values": ["1e3", "on"]}]}
_PEERS = Forms(
    drawn=[
        {"namespaceSelector": {}},
        {"namespaceSelector": _SELECTOR, "podSelector": _CHOICE},
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
        {"ipBlock": {"cidr": "2001:db8::/32"}},
    ],
    wrong=[{}, {"ipBlock": {}}, {"ipBlock": {"cidr": "10.0.0.0"}}, {"podSelector": []}, "everyone"],
)
_RELABELINGS = Forms(
    drawn=[
        {"action": "labeldrop", "regex": "no"},
        {"sourceLabels": ["__meta_a"], "targetLabel": "a", "replacement": "1e3", "separator": ";"},
        {"action": "hashmod", "sourceLabels": ["a"], "modulus": 4, "targetLabel": "shard"},
    ],
    wrong=[{"action": "remove"}, {"regex": 5}, {"sourceLabels": "a"}, "a"],
)
_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}
_SIZED = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi", "cpu": 1}}
_CONTAINERS: list[Any] = [
    {"name": "no", "image": "example/no:1", "args": ["on", "1e3"], "env": [{"name": "A", "value": "yes"}]},
    {
        "name": "proxy",
        "image": "example/proxy:1",
        "securityContext": _SECURITY,
        "resources": _SIZED,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        "envFrom": [{"secretRef": {"name": "proxy", "optional": True}}],
    },
    {"name": "reader", "image": "a", "volumeMounts": [{"name": "config-files", "mountPath": "/etc/service"}]},
    {"name": "lost", "image": "a", "volumeMounts": [{"name": "nowhere", "mountPath": "/a"}]},
    {"name": "root", "image": "a", "securityContext": {"privileged": True}},
    {"name": "twice", "image": "a", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
    {"name": "admin", "image": "a", "securityContext": {"capabilities": {"add": ["CAP_SYS_ADMIN"]}}},
    {"name": "large", "image": "a", "resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}},
]
_PORTS = {
    "name": "web",
    "image": "example/web:1",
    "ports": [{"name": "admin", "containerPort": 9000, "protocol": "TCP"}],
}
_WRONG_CONTAINERS = [
    {"name": "a"},
    {"name": "A B", "image": "a"},
    {"name": "a", "image": "a", "args": "on"},
    {"name": "a", "image": "a", "command": [5]},
    {"name": "a", "image": "a", "env": [{"value": "x"}]},
    {"name": "a", "image": "a", "env": [{"name": "A", "value": 5}]},
    {"name": "a", "image": "a", "ports": [{"containerPort": "http"}]},
    {"name": "a", "image": "a", "ports": [{"name": "a-name-of-a-port-too-long", "containerPort": 80}]},
    {"name": "a", "image": "a", "volumeMounts": [{"name": "tmp"}]},
    {"name": "a", "image": "a", "resources": {"limits": {"memory": "lots"}}},
    {"name": "a", "image": "a", "securityContext": {"runAsUser": "postgres"}},
    "a",
]
_CRON = {"timezone": "UTC", "start": "0 6 * * *", "end": "0 9 * * *", "desiredReplicas": "3"}
_HEADERS = {"set": [{"name": "X-A", "value": "no"}], "remove": ["X-B"]}
_UTILIZATION = {"type": "Utilization", "averageUtilization": 60}

FORMS: dict[tuple[str, ...], Forms] = {
    ("extraEnv", "*", "valueFrom"): Forms(
        drawn=[
            {"secretKeyRef": {"name": "no", "key": "1e3"}},
            {"configMapKeyRef": {"name": "a", "key": "b", "optional": True}},
            {"fieldRef": {"fieldPath": "metadata.name"}},
            {"resourceFieldRef": {"resource": "limits.memory"}},
        ],
        wrong=[{}, {"secretKeyRef": {"name": "a"}}, {"secretKeyRef": {"key": 1, "name": "a"}}, {"fieldRef": {}}],
    ),
    ("extraEnvFrom", "*"): Forms(
        drawn=[{"configMapRef": {"name": "no"}}, {"prefix": "A_", "secretRef": {"name": "4711", "optional": True}}],
        wrong=[{}, {"configMapRef": "a"}, {"secretRef": {"name": 5}}, {"prefix": 5, "secretRef": {"name": "a"}}],
    ),
    ("autoscaling", "behavior"): Forms(
        drawn=[
            {"scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Disabled"}},
            {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}], "selectPolicy": "Max"}},
        ],
        wrong=[
            {"scaleDown": {"stabilizationWindowSeconds": 7200}},
            {"scaleUp": {"policies": [{"type": "Pods", "value": 4}]}},
            {"scaleUp": {"policies": [{"type": "Pod", "value": 4, "periodSeconds": 15}]}},
            {"scaleUp": []},
        ],
    ),
    ("autoscaling", "metrics", "*"): Forms(
        drawn=[
            {
                "type": "Pods",
                "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "9"}},
            },
            {
                "type": "External",
                "external": {
                    "metric": {"name": "queue", "selector": {"matchLabels": {"a": "on"}}},
                    "target": {"type": "Value", "value": 30},
                },
            },
            {
                "type": "ContainerResource",
                "containerResource": {"name": "memory", "container": "service", "target": _UTILIZATION},
            },
            {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": _UTILIZATION}},
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Value", "value": "1"}}},
        ],
        wrong=[{}, {"type": "CPU"}, {"type": "Pods"}, {"type": "Resource", "resource": {"name": "cpu"}}],
    ),
    ("httpRoute", "parentRefs", "*"): Forms(
        drawn=[
            {"name": "no"},
            {"name": "gateway", "namespace": "1e3", "sectionName": "https"},
            {"name": "other", "port": 8443, "kind": "Gateway", "group": "gateway.networking.k8s.io"},
            {"name": "no", "sectionName": "http"},
        ],
        wrong=[{}, {"name": 5}, {"name": "a", "port": "https"}, {"name": ""}],
    ),
    ("httpRoute", "filters", "*"): Forms(
        drawn=[
            {"type": "RequestHeaderModifier", "requestHeaderModifier": _HEADERS},
            {"type": "ResponseHeaderModifier", "responseHeaderModifier": _HEADERS},
            {
                "type": "URLRewrite",
                "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v2"}},
            },
            {
                "type": "ExtensionRef",
                "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": "on"},
            },
            {"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}},
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "X-C", "value": "d"}]}},
            {"type": "URLRewrite", "urlRewrite": {"hostname": "other.example"}},
        ],
        wrong=[
            {},
            {"type": "Rewrite"},
            {"type": "URLRewrite"},
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": {"X-A": "b"}}},
        ],
    ),
    **{("networkPolicy", name, "*"): _PEERS for name in ("apiFrom", "internalFrom", "databaseTo", "issuerTo")},
    ("networkPolicy", "tracingTo", "*"): _PEERS,
    ("networkPolicy", "extraEgress", "*"): Forms(
        drawn=[
            {},
            {"ports": [{"port": 443}, {"port": 8000, "endPort": 9000, "protocol": "UDP"}, {"port": "https"}]},
            {"ports": [{"port": 9000, "endPort": 8000}]},
            {"ports": [{"port": "https", "endPort": 8000}]},
            {"to": _PEERS.drawn},
        ],
        wrong=[{"ports": [{"port": 70000}]}, {"ports": {"port": 443}}, {"to": [{}]}, {"from": []}, "any"],
    ),
    ("serviceMonitor", "relabelings", "*"): _RELABELINGS,
    ("serviceMonitor", "metricRelabelings", "*"): _RELABELINGS,
    ("test", "requests", "*", "body"): Forms(
        drawn=[{"name": "no", "price": 1e3}, ["1e3", None], "on", 4711, True, None],
        wrong=[],  # any JSON
    ),
    ("tolerations", "*"): Forms(
        drawn=[
            {"operator": "Exists"},
            {"key": "no", "value": "on", "effect": "NoSchedule"},
            {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1000000},
        ],
        wrong=[
            {"key": "a", "value": True},
            {"key": "a", "effect": "Never", "operator": "Exists"},
            {"key": "a", "operator": "Exists", "value": "b"},
            {"operator": "Exists", "tolerationSeconds": 5},
            {"value": "a"},
            "a",
        ],
    ),
    ("affinity",): Forms(
        drawn=[
            {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_CHOICE]},
                    "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": _CHOICE}],
                }
            },
            {
                "podAntiAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 100,
                            "podAffinityTerm": {"labelSelector": _SELECTOR, "topologyKey": "kubernetes.io/hostname"},
                        }
                    ]
                }
            },
            {
                "podAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {"labelSelector": _CHOICE, "topologyKey": "a", "namespaces": ["no"]}
                    ]
                }
            },
        ],
        wrong=[
            {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [_CHOICE]}},
            {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": _CHOICE}]}},
            {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 0}]}},
            {"antiAffinity": {}},
        ],
    ),
    ("extraVolumes", "*"): Forms(
        drawn=[
            {"name": "no", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "more", "configMap": {"name": "1e3", "items": [{"key": "a", "path": "b/c"}], "defaultMode": 292}},
            {
                "name": "token",
                "projected": {"sources": [{"serviceAccountToken": {"path": "token", "audience": "on"}}]},
            },
            {"name": "disk", "persistentVolumeClaim": {"claimName": "4711", "readOnly": True}},
        ],
        wrong=[
            {"emptyDir": {}},
            {"name": "a_b", "emptyDir": {}},
            {"name": "a", "emptyDir": "memory"},
            {"name": "a", "emptyDir": {}, "configMap": {"name": "a"}},
            {"name": "a", "configMap": {"name": 5}},
            {"name": "tmp", "emptyDir": {}},
        ],
    ),
    ("extraVolumeMounts", "*"): Forms(
        drawn=[
            {"name": "tmp", "mountPath": "/no", "subPath": "1e3"},
            {"name": "tmp", "mountPath": "/var/cache", "readOnly": False},
            {"name": "tmp", "mountPath": "/no"},
            {"name": "nowhere", "mountPath": "/a"},
        ],
        wrong=[
            {"name": "tmp"},
            {"name": "tmp", "mountPath": ""},
            {"name": "tmp", "mountPath": "/a:b"},
            {"name": "tmp", "mountPath": "/a", "readOnly": "yes"},
            {"name": "tmp", "mountPath": "/a", "subPath": "../b"},
            {"name": "tmp", "mountPath": "/etc/service"},
        ],
    ),
    ("initContainers", "*"): Forms(
        drawn=[*_CONTAINERS, {**_PORTS, "restartPolicy": "Always", "startupProbe": {"tcpSocket": {"port": "admin"}}}],
        wrong=[*_WRONG_CONTAINERS, {"name": "service", "image": "a"}, {"name": "migrate", "image": "a"}],
    ),
    ("sidecars", "*"): Forms(
        drawn=[*_CONTAINERS, {**_PORTS, "readinessProbe": {"httpGet": {"path": "/on", "port": 9000}}}],
        wrong=[*_WRONG_CONTAINERS, {"name": "service", "image": "a"}],
    ),
    ("extraObjects", "*"): Forms(
        drawn=[
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "no"}, "data": {"a": "1e3"}},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "no"}, "data": {"a": "more"}},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "items-dashboard"}},
            'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include "service.fullname" . }}-more}',
            "{{ if .Values.missing }}\na: b\n{{ end }}",
            "on",
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": "more", "labels": {"a": "on"}},
                "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
            },
        ],
        wrong=[{}, {"kind": "ConfigMap", "metadata": {"name": "a"}}, {"apiVersion": 1, "kind": "A", "metadata": {}}, 5],
    ),
    ("lifecycle",): Forms(
        drawn=[
            {"preStop": {"sleep": {"seconds": 7}}},
            {"postStart": {"exec": {"command": ["no", "1e3"]}}},
            {"preStop": {"httpGet": {"path": "/a", "port": "internal", "httpHeaders": [{"name": "A", "value": "on"}]}}},
        ],
        wrong=[
            {"preStop": {}},
            {"preStop": {"sleep": 5}},
            {"preStop": {"sleep": {"seconds": -1}}},
            {"preStop": {"sleep": {"seconds": 5}, "exec": {"command": ["a"]}}},
            {"postStart": {"exec": {"command": "sleep 5"}}},
            {"preStart": {"sleep": {"seconds": 5}}},
        ],
    ),
    ("podSecurityContext",): Forms(
        drawn=[
            {"runAsUser": 1000650000, "fsGroup": None},
            {"seccompProfile": {"type": "Localhost", "localhostProfile": "no.json"}},
            {"seccompProfile": {"type": "Localhost"}},
            {"seccompProfile": {"type": "RuntimeDefault", "localhostProfile": "a.json"}},
            {"supplementalGroups": [7], "fsGroupChangePolicy": "OnRootMismatch"},
            {"seLinuxOptions": {"level": "s0:c1,c2"}, "sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]},
        ],
        wrong=[
            {"runAsUser": "10001"},
            {"runAsNonRoot": "yes"},
            {"runAsUser": -1},
            {"fsGroupChangePolicy": "Never"},
            {"seccompProfile": {"localhostProfile": "a.json"}},
            {"sysctls": [{"name": "net.core.somaxconn", "value": 1024}]},
        ],
    ),
    ("securityContext",): Forms(
        drawn=[
            {"readOnlyRootFilesystem": False, "runAsUser": 1000650000},
            {"capabilities": {"add": ["NET_BIND_SERVICE"]}},
            {"privileged": True, "allowPrivilegeEscalation": None},
            {"privileged": True},
            {"privileged": True, "allowPrivilegeEscalation": True},
            {"capabilities": {"add": ["CAP_SYS_ADMIN"]}},
            {"seccompProfile": {"type": "Localhost"}},
            {"seccompProfile": {"type": "Unconfined"}, "capabilities": None},
        ],
        wrong=[
            {"readOnlyRootFilesystem": "no"},
            {"capabilities": ["NET_ADMIN"]},
            {"capabilities": {"add": "NET_ADMIN"}},
            {"runAsGroup": "a"},
        ],
    ),
    ("keda", "triggers", "*"): Forms(
        drawn=[
            {"type": "cron", "metadata": _CRON},
            {
                "type": "prometheus",
                "name": "no",
                "metadata": {"serverAddress": "http://a:9090", "query": "a", "threshold": "1e3"},
                "authenticationRef": {"name": "a", "kind": "ClusterTriggerAuthentication"},
            },
        ],
        wrong=[
            {"metadata": _CRON},
            {"type": "cron"},
            {"type": "cron", "metadata": {"desiredReplicas": 3}},
            {"type": "", "metadata": {}},
        ],
    ),
    ("topologySpreadConstraints", "*"): Forms(
        drawn=[
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "DoNotSchedule",
                "minDomains": 2,
            },
            {"maxSkew": 2, "topologyKey": "no", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": _SELECTOR},
            {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway", "nodeTaintsPolicy": "Honor"},
            {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2},
            {"maxSkew": 3, "topologyKey": "on", "whenUnsatisfiable": "DoNotSchedule"},
        ],
        wrong=[
            {},
            {"maxSkew": 0, "topologyKey": "a", "whenUnsatisfiable": "ScheduleAnyway"},
            {"maxSkew": 1, "topologyKey": "a b", "whenUnsatisfiable": "ScheduleAnyway"},
            {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "Never"},
            {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "ScheduleAnyway", "skew": 1},
        ],
    ),
    ("hostAliases", "*"): Forms(
        drawn=[
            {"ip": "192.0.2.1", "hostnames": ["no", "a.example"]},
            {"ip": "2001:db8::1", "hostnames": ["b"]},
            {"ip": "192.0.2.1", "hostnames": ["c"]},
        ],
        wrong=[
            {},
            {"ip": "a.example", "hostnames": ["a"]},
            {"ip": "192.0.2.1", "hostnames": "a"},
            {"ip": "192.0.2.1", "hostnames": ["A B"]},
        ],
    ),
    ("dnsConfig",): Forms(
        drawn=[
            {"options": [{"name": "ndots", "value": "1"}, {"name": "on"}]},
            {"nameservers": ["192.0.2.1"], "searches": ["no.svc.cluster.local", "1e3"]},
            {"searches": ["A B"]},
        ],
        wrong=[
            {"options": [{"name": "ndots", "value": 1}]},
            {"nameservers": "192.0.2.1"},
            {"nameservers": ["dns.example"]},
            {"nameservers": ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]},
            {"searches": [5]},
        ],
    ),
}
