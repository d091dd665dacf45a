"""The least values of each database mode, and values that enable all features."""

from typing import Any

IMAGE = {"image": {"repository": "ghcr.io/example-team/items-service", "tag": "1.0.0"}}
MODES: dict[str, dict[str, Any]] = {
    "external": {"database": {"mode": "external", "existingSecret": "items-database"}},
    "cnpg": {"database": {"mode": "cnpg"}},
    "evaluation": {
        "database": {"mode": "evaluation"},
        "databaseReplica": {"enabled": False},
        "evaluation": {"password": "development"},
    },
}
SIZED = {"resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}}}
_PROBED = {f"{of}Probe": {"tcpSocket": {"port": 9000}} for of in ("liveness", "readiness")}
# Values that enable all features.
EVERYTHING: dict[str, Any] = {
    "autoscaling": {"enabled": True, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}},
    "auth": {"issuer": "https://id.example.com", "audience": "items", "jwksUrl": "https://id.example.com:8443/keys"},
    "tracing": {"endpoint": "http://collector.observability:4318", "sampleRatio": 0.1},
    "database": {"sslMode": "verify-full", "caSecret": "items-database-ca"},
    "databaseReplica": {"enabled": True, "maxLagSeconds": 30},
    "ingress": {"enabled": True, "host": "items.example.com", "className": "nginx", "tlsSecretName": "items-tls"},
    "httpRoute": {"enabled": True, "host": "items.example.org", "parentRefs": [{"name": "gateway"}]},
    "networkPolicy": {
        "enabled": True,
        "apiFrom": [{"namespaceSelector": {}}],
        "internalFrom": [{"namespaceSelector": {}}],
        "databaseTo": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        "issuerTo": [{"ipBlock": {"cidr": "192.0.2.1/32"}}],
        "tracingTo": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "observability"}}}],
        "extraEgress": [{"ports": [{"port": 443}]}],
    },
    "gunicorn": {"available": True, "enabled": True},
    "podSecurity": {"level": "restricted"},
    "config": {
        "databasePoolSize": 5,
        "corsOrigins": ["https://example.com"],
        "idempotencyCallerHeader": "X-Consumer-ID",
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboard": {"enabled": True},
    "service": {"annotations": {"a": "b"}},
    "serviceAccount": {"annotations": {"a": "b"}},
    "deploymentAnnotations": {"reloader.stakater.com/auto": "true"},
    "commonLabels": {"team": "platform", "cost-centre": "42"},
    "podLabels": {"team": "example"},
    "podAnnotations": {"a": "b"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "extraEnv": [{"name": "CURRENCY", "value": "EUR"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    "migrations": {"existingSecret": "items-migrations", "connectTimeoutSeconds": 20},
    "initContainers": [{"name": "wait", "image": "example/wait:1", **SIZED}],
    "sidecars": [{"name": "proxy", "image": "example/proxy:1", **SIZED, **_PROBED}],
    "extraObjects": [{"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "more"}, "spec": {"limits": []}}],
}
# Values for the features that stand in for others: added to those that enable all features.
INSTEAD: dict[str, Any] = {
    "keda": {"enabled": True, "triggers": [{"type": "cron", "metadata": {"desiredReplicas": "3"}}]},
    "service": {"type": "LoadBalancer", "ipFamilyPolicy": "PreferDualStack"},
    "config": {"host": "::"},
    "migrations": {"hook": False},
}
