"""Where the chart puts its values, for test_knobs: (value, set to, object, place, what is expected there)."""

import json
from typing import Any

from harness.chart_values.examples import MODES

SAME: Any = object()  # what is expected at the place is the value itself
POD = "spec.template.spec"
SERVICE = f"{POD}.containers.service"
MIGRATE = f"{POD}.containers.migrate"

# Settings of the service: (what the value is set to, the environment variable).
_SETTINGS: dict[str, tuple[Any, str]] = {
    "drainSeconds": (8, "DRAIN_SECONDS"),
    "config.databasePoolSize": (8, "DATABASE_POOL_SIZE"),
    "config.databaseStreamPoolSize": (1, "DATABASE_STREAM_POOL_SIZE"),
    "config.databaseStreamIdleTimeoutSeconds": (30, "DATABASE_STREAM_IDLE_TIMEOUT_SECONDS"),
    "config.databaseCoalesceReads": (False, "DATABASE_COALESCE_READS"),
    "config.databaseAcquireTimeoutSeconds": (0.25, "DATABASE_ACQUIRE_TIMEOUT_SECONDS"),
    "config.databaseConnectTimeoutSeconds": (2, "DATABASE_CONNECT_TIMEOUT_SECONDS"),
    "config.databaseLockTimeoutSeconds": (1, "DATABASE_LOCK_TIMEOUT_SECONDS"),
    "config.databaseStatementTimeoutSeconds": (3, "DATABASE_STATEMENT_TIMEOUT_SECONDS"),
    "config.databaseCommandTimeoutSeconds": (6, "DATABASE_COMMAND_TIMEOUT_SECONDS"),
    "config.headerTimeoutSeconds": (4, "HEADER_TIMEOUT_SECONDS"),
    "config.bodyTimeoutSeconds": (4, "BODY_TIMEOUT_SECONDS"),
    "config.bodyMinBytesPerSecond": (100, "BODY_MIN_BYTES_PER_SECOND"),
    "config.clientTimeoutSeconds": (4, "CLIENT_TIMEOUT_SECONDS"),
    "config.resourceTimeoutSeconds": (1, "RESOURCE_TIMEOUT_SECONDS"),
    "config.requestTimeoutSeconds": (12, "REQUEST_TIMEOUT_SECONDS"),
    "config.maxInFlight": (50, "MAX_IN_FLIGHT"),
    "config.maxStreams": (50, "MAX_STREAMS"),
    "config.streamIdleTimeoutSeconds": (30, "STREAM_IDLE_TIMEOUT_SECONDS"),
    "config.streamSendTimeoutSeconds": (5, "STREAM_SEND_TIMEOUT_SECONDS"),
    "config.maxBodyBytes": (4096, "MAX_BODY_BYTES"),
    "config.requireIfMatch": (True, "REQUIRE_IF_MATCH"),
    "config.idempotencyKeepSeconds": (60, "IDEMPOTENCY_KEEP_SECONDS"),
    "config.idempotencyCallerHeader": ("X-Consumer-ID", "IDEMPOTENCY_CALLER_HEADER"),
    "config.keepAliveTimeoutSeconds": (620, "KEEP_ALIVE_TIMEOUT_SECONDS"),
    "config.host": ("::", "HOST"),
    "config.logLevel": ("DEBUG", "LOG_LEVEL"),
    "config.logFormat": ("console", "LOG_FORMAT"),
    "database.sslMode": ("require", "PGSSLMODE"),
    "databaseReplica.maxLagSeconds": (3, "DATABASE_REPLICA_MAX_LAG_SECONDS"),
    "tracing.endpoint": ("http://collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT"),
}
_PEERS = [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]
_PORT = [{"port": 6379}]
_PULLED = "ghcr.io/example-team/items-service"
_VOLUME = {"name": "ca", "configMap": {"name": "ca"}}
_MOUNT = {"name": "ca", "mountPath": "/ca"}
_SIDECAR = {"name": "proxy", "image": "example/proxy:1", "resources": {"limits": {"memory": "32Mi"}}}
_TOLERATION = {"key": "a", "operator": "Exists"}
_LABELS = {"name": "items", "instance": "items", "component": "service"}
_SPREAD = {"maxSkew": 2, "topologyKey": "example.com/rack", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2}
_SPREAD_OF_SERVICE = {
    **_SPREAD,
    "labelSelector": {"matchLabels": {f"app.kubernetes.io/{key}": value for key, value in _LABELS.items()}},
    "matchLabelKeys": ["pod-template-hash"],
}
_OWN_SPREAD = {**_SPREAD, "labelSelector": {"matchLabels": {"a": "b"}}}
_READ = {"method": "GET", "path": "/a", "status": 200}

PLACES: list[tuple[Any, ...]] = [
    ("fullnameOverride", "other", "Deployment/other", "metadata.name", SAME),
    ("image.repository", "quay.io/a/b", "Deployment", f"{SERVICE}.image", "quay.io/a/b:1.0.0"),
    ("image.tag", "2.0.0", "Deployment", f"{SERVICE}.image", f"{_PULLED}:2.0.0"),
    ("image.digest", f"sha256:{'a' * 64}", "Deployment", f"{SERVICE}.image", f"{_PULLED}@sha256:{'a' * 64}"),
    ("image.pullPolicy", "Always", "Deployment", f"{SERVICE}.imagePullPolicy", SAME),
    *[
        (
            path,
            value,
            "Deployment",
            f"{SERVICE}.env.{name}.value",
            value if isinstance(value, str) else json.dumps(value),
        )
        for path, (value, name) in _SETTINGS.items()
    ],
    ("drainSeconds", 8, "Deployment", f"{POD}.terminationGracePeriodSeconds", 28),
    (
        "config.corsOrigins",
        ["https://a", "https://b"],
        "Deployment",
        f"{SERVICE}.env.CORS_ORIGINS.value",
        "https://a,https://b",
    ),
    ("extraEnv", [{"name": "CURRENCY", "value": "EUR"}], "Deployment", f"{SERVICE}.env.CURRENCY.value", "EUR"),
    ("extraEnv", [{"name": "CURRENCY", "value": "EUR"}], "Job", f"{MIGRATE}.env.CURRENCY.value", "EUR"),
    ("extraEnvFrom", [{"configMapRef": {"name": "more"}}], "Deployment", f"{SERVICE}.envFrom", SAME),
    ("resources.requests", {"cpu": "300m"}, "Deployment", f"{SERVICE}.resources.requests.cpu", "300m"),
    ("resources.limits", {"memory": "512Mi"}, "Deployment", f"{SERVICE}.resources.limits.memory", "512Mi"),
    ("podDisruptionBudget.enabled", False, "PodDisruptionBudget", "kind", None),
    ("service.type", "NodePort", "Service", "spec.type", SAME),
    ("service.port", 8000, "Service", "spec.ports.http.port", SAME),
    ("service.annotations", {"a": "b"}, "Service", "metadata.annotations", SAME),
    ("ingress.className", "nginx", "Ingress", "spec.ingressClassName", SAME),
    ("ingress.path", "/v1", "Ingress", "spec.rules.0.http.paths.0.path", SAME),
    ("ingress.tlsSecretName", "a", "Ingress", "spec.tls.0.secretName", SAME),
    ("ingress.annotations", {"a": "b"}, "Ingress", "metadata.annotations", SAME),
    ("httpRoute.parentRefs", [{"name": "other"}], "HTTPRoute", "spec.parentRefs", SAME),
    ("httpRoute.path", "/v1", "HTTPRoute", "spec.rules.0.matches.0.path.value", SAME),
    ("networkPolicy.enabled", False, "NetworkPolicy", "kind", None),
    ("networkPolicy.dnsPorts", [5353], "NetworkPolicy", "spec.egress.0.ports.0.port", 5353),
    ("networkPolicy.apiFrom", _PEERS, "NetworkPolicy", "spec.ingress.0.from.1", _PEERS[0]),
    ("networkPolicy.internalFrom", _PEERS, "NetworkPolicy", "spec.ingress.1.from.1", _PEERS[0]),
    ("networkPolicy.databaseTo", _PEERS, "NetworkPolicy", "spec.egress.1.to", SAME),
    ("networkPolicy.databasePorts", [6432], "NetworkPolicy", "spec.egress.1.ports.0.port", 6432),
    ("networkPolicy.extraEgress", [{"ports": _PORT}], "NetworkPolicy", "spec.egress.2.ports", _PORT),
    ("podSecurity.level", "restricted", "Namespace", "metadata.name", "default"),
    ("podSecurity.setIds", False, "Deployment", f"{POD}.securityContext.runAsUser", None),
    ("serviceAccount.create", False, "ServiceAccount", "kind", None),
    ("serviceAccount.name", "other", "Deployment", f"{POD}.serviceAccountName", SAME),
    ("serviceAccount.annotations", {"a": "b"}, "ServiceAccount", "metadata.annotations", SAME),
    ("database.existingSecret", "other", "Deployment", f"{SERVICE}.env.DATABASE_URL.valueFrom.secretKeyRef.name", SAME),
    ("database.secretKey", "url", "Deployment", f"{SERVICE}.env.DATABASE_URL.valueFrom.secretKeyRef.key", SAME),
    ("database.caSecret", "ca", "Deployment", f"{POD}.volumes.database-ca.secret.secretName", SAME),
    ("migrations.enabled", False, "Job", "kind", None),
    ("migrations.existingSecret", "ddl", "Job", f"{MIGRATE}.env.DATABASE_URL.valueFrom.secretKeyRef.name", SAME),
    ("migrations.lockTimeoutSeconds", 1, "Job", f"{MIGRATE}.env.MIGRATION_LOCK_TIMEOUT_SECONDS.value", "1"),
    ("migrations.connectTimeoutSeconds", 5, "Job", f"{MIGRATE}.env.MIGRATION_CONNECT_TIMEOUT_SECONDS.value", "5"),
    ("migrations.timeoutSeconds", 100, "Job", "spec.activeDeadlineSeconds", SAME),
    ("serviceMonitor.enabled", False, "ServiceMonitor", "kind", None),
    ("serviceMonitor.interval", "20s", "ServiceMonitor", "spec.endpoints.0.interval", SAME),
    ("serviceMonitor.labels", {"release": "a"}, "ServiceMonitor", "metadata.labels.release", "a"),
    ("prometheusRule.enabled", True, "PrometheusRule", "kind", "PrometheusRule"),
    ("dashboard.enabled", True, "ConfigMap/items-dashboard", "metadata.labels.grafana_dashboard", "1"),
    ("test.enabled", False, "Pod", "kind", None),
    ("test.writes", True, "Pod", "spec.containers.test.env.WRITES.value", "true"),
    (
        "test.requests",
        [_READ],
        "Pod",
        "spec.containers.test.env.REQUESTS.value",
        '[{"method":"GET","path":"/a","status":200}]',
    ),
    ("commonLabels", {"a": "b"}, "Service", "metadata.labels.a", "b"),
    ("deploymentAnnotations", {"a": "b"}, "Deployment", "metadata.annotations", SAME),
    ("podLabels", {"a": "b"}, "Deployment", "spec.template.metadata.labels.a", "b"),
    ("podAnnotations", {"a": "b"}, "Deployment", "spec.template.metadata.annotations", SAME),
    ("nodeSelector", {"a": "b"}, "Deployment", f"{POD}.nodeSelector", SAME),
    ("tolerations", [_TOLERATION], "Deployment", f"{POD}.tolerations", SAME),
    ("affinity", {"nodeAffinity": {}}, "Deployment", f"{POD}.affinity", SAME),
    ("topologySpreadConstraints", [_SPREAD], "Deployment", f"{POD}.topologySpreadConstraints", [_SPREAD_OF_SERVICE]),
    ("topologySpreadConstraints", [_OWN_SPREAD], "Deployment", f"{POD}.topologySpreadConstraints", SAME),
    ("topologySpreadConstraints", [], "Deployment", f"{POD}.topologySpreadConstraints", None),
    ("priorityClassName", "high", "Deployment", f"{POD}.priorityClassName", SAME),
    ("extraVolumes", [_VOLUME], "Deployment", f"{POD}.volumes.ca", _VOLUME),
    ("initContainers", [_SIDECAR], "Job", f"{POD}.initContainers.proxy.image", "example/proxy:1"),
    ("sidecars", [_SIDECAR], "Deployment", f"{POD}.containers.proxy.image", "example/proxy:1"),
]

_EXTERNAL, _CNPG, _TRIAL = MODES["external"], MODES["cnpg"], MODES["evaluation"]
_FIXED = {**_EXTERNAL, "autoscaling": {"enabled": False}}
_SMALL = {**_EXTERNAL, "config": {"databasePoolSize": 4}}
_REPLICA = {**_SMALL, "databaseReplica": {"enabled": True}}
_DDL = {**_EXTERNAL, "migrations": {"existingSecret": "ddl"}}
_GUNICORN = {**_SMALL, "gunicorn": {"available": True, "enabled": True}, "autoscaling": {"enabled": False}}
_MADE_WITH = {**_EXTERNAL, "gunicorn": {"available": True}}
_AUTH = {"issuer": "https://id.example.com", "audience": "items", "jwksUrl": "https://id.example.com/keys"}
_SECURED = {**_EXTERNAL, "auth": _AUTH}
_TRACED = {**_EXTERNAL, "tracing": {"endpoint": "http://collector:4318"}}
_ALERTS = {**_EXTERNAL, "prometheusRule": {"enabled": True}}
_DASHBOARD = {**_EXTERNAL, "dashboard": {"enabled": True}}
_VOLUMES = {**_EXTERNAL, "extraVolumes": [_VOLUME]}
_CLAIM = "spec.volumeClaimTemplates.0.spec.resources.requests.storage"
# The same where a value needs others: those others first.
PLACES_BESIDE: list[tuple[Any, ...]] = [
    (_FIXED, "replicas", 3, "Deployment", "spec.replicas", SAME),
    (_FIXED, "autoscaling.enabled", True, "HorizontalPodAutoscaler", "spec.maxReplicas", 4),
    (_EXTERNAL, "autoscaling.minReplicas", 3, "HorizontalPodAutoscaler", "spec.minReplicas", SAME),
    (_EXTERNAL, "autoscaling.maxReplicas", 3, "HorizontalPodAutoscaler", "spec.maxReplicas", SAME),
    (
        _EXTERNAL,
        "autoscaling.targetCPUUtilizationPercentage",
        50,
        "HorizontalPodAutoscaler",
        "spec.metrics.0.containerResource.target.averageUtilization",
        SAME,
    ),
    (_EXTERNAL, "keda.enabled", True, "ScaledObject", "spec.scaleTargetRef.name", "items"),
    (_MADE_WITH, "gunicorn.enabled", True, "Deployment", f"{SERVICE}.command.0", "gunicorn"),
    (_GUNICORN, "gunicorn.workers", 2, "Deployment", f"{SERVICE}.env.WEB_CONCURRENCY.value", "2"),
    ({**_EXTERNAL, "ingress": {"enabled": False}}, "ingress.enabled", True, "Ingress", "metadata.name", "items"),
    ({**_EXTERNAL, "httpRoute": {"enabled": False}}, "httpRoute.enabled", True, "HTTPRoute", "metadata.name", "items"),
    (_SECURED, "auth.issuer", "https://b.example", "Deployment", f"{SERVICE}.env.OIDC_ISSUER.value", SAME),
    (_SECURED, "auth.audience", "others", "Deployment", f"{SERVICE}.env.OIDC_AUDIENCE.value", SAME),
    (_SECURED, "auth.jwksUrl", "https://b.example/k", "Deployment", f"{SERVICE}.env.OIDC_JWKS_URL.value", SAME),
    (_SECURED, "networkPolicy.issuerTo", _PEERS, "NetworkPolicy", "spec.egress.2.to", SAME),
    (_TRACED, "tracing.sampleRatio", 0.5, "Deployment", f"{SERVICE}.env.OTEL_TRACES_SAMPLER_ARG.value", "0.5"),
    (_TRACED, "networkPolicy.tracingTo", _PEERS, "NetworkPolicy", "spec.egress.2.to", SAME),
    (_VOLUMES, "extraVolumeMounts", [_MOUNT], "Deployment", f"{SERVICE}.volumeMounts.ca", _MOUNT),
    (
        _SMALL,
        "databaseReplica.enabled",
        True,
        "Deployment",
        f"{SERVICE}.env.DATABASE_REPLICA_URL.valueFrom.secretKeyRef.name",
        "items-database",
    ),
    (
        _REPLICA,
        "databaseReplica.secretKey",
        "replica",
        "Deployment",
        f"{SERVICE}.env.DATABASE_REPLICA_URL.valueFrom.secretKeyRef.key",
        SAME,
    ),
    (_DDL, "migrations.secretKey", "url", "Job", f"{MIGRATE}.env.DATABASE_URL.valueFrom.secretKeyRef.key", SAME),
    (_CNPG, "database.maxConnections", 200, "Cluster", "spec.postgresql.parameters.max_connections", "200"),
    (_CNPG, "cnpg.instances", 5, "Cluster", "spec.instances", SAME),
    (_CNPG, "cnpg.storageSize", "20Gi", "Cluster", "spec.storage.size", SAME),
    (_CNPG, "cnpg.imageName", "example/postgresql:18", "Cluster", "spec.imageName", SAME),
    (_TRIAL, "evaluation.image", "example/postgres:18", "StatefulSet", f"{POD}.containers.0.image", SAME),
    (_TRIAL, "evaluation.password", "another1", "Secret", "stringData.POSTGRES_PASSWORD", SAME),
    (_TRIAL, "evaluation.storageSize", "2Gi", "StatefulSet", _CLAIM, SAME),
    (_EXTERNAL, "database.mode", "cnpg", "Cluster", "metadata.name", "items-database"),
    (_ALERTS, "prometheusRule.labels", {"release": "a"}, "PrometheusRule", "metadata.labels.release", "a"),
    (
        _ALERTS,
        "prometheusRule.runbookUrl",
        "https://wiki.example.com/a",
        "PrometheusRule",
        "spec.groups.0.rules.0.annotations.runbook_url",
        "https://wiki.example.com/a#serviceerrors",
    ),
    (_DASHBOARD, "dashboard.labels", {"a": "b"}, "ConfigMap", "metadata.labels.a", "b"),
]
