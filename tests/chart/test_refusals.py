"""Invalid values are rejected before they reach the cluster, with the value, the rule and a correction."""

from typing import Any

import pytest

from harness.chart_values.examples import IMAGE, MODES
from tests.chart.rendering import Chart, RenderError

EXTERNAL = MODES["external"]
_SPREAD = {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway"}


def test_without_a_mode_one_sentence_names_the_three(chart: Chart) -> None:
    message = chart.refusal(IMAGE)
    assert "database.mode is not set: choose external" in message
    assert all(mode in message for mode in MODES)
    assert message.count(" is not set") == 1


def test_all_mistakes_are_told_at_once(chart: Chart) -> None:
    message = chart.refusal({"ingress": {"enabled": True}})
    for value in ("database.mode", "image.repository", "image.tag", "ingress.host"):
        assert f"{value} is not set" in message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"image": {"tag": "latest"}}, "image.tag is latest"),
        ({"image": {"tag": ""}}, "image.tag is not set"),
        ({"database": {"existingSecret": ""}}, "database.existingSecret is not set"),
        ({"database": {"mode": "evaluation"}}, "evaluation.password is not set"),
        ({"gunicorn": {"enabled": True}}, "gunicorn.enabled is true but gunicorn.available is false"),
        ({"ingress": {"enabled": True}}, "ingress.host is not set"),
        ({"httpRoute": {"enabled": True, "host": "a.example"}}, "httpRoute.parentRefs is empty"),
        ({"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]}}, "httpRoute.host is not set"),
        ({"autoscaling": {"enabled": True, "minReplicas": 7}}, "autoscaling.minReplicas (7) is above"),
        (
            {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}},
            "resources.requests.cpu is not set",
        ),
        ({"prometheusRule": {"enabled": True}}, "serviceMonitor.enabled is false"),
        ({"serviceMonitor": {"enabled": True}}, "networkPolicy.internalFrom is empty"),
        (
            {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": "1500m"}}},
            "autoscaling.targetCPUUtilizationPercentage (70) of resources.requests.cpu (1500m) is more than the CPU",
        ),
        ({"podDisruptionBudget": {"maxUnavailable": 0}}, "podDisruptionBudget.maxUnavailable is 0"),
        ({"podDisruptionBudget": {"maxUnavailable": 2}}, "maxUnavailable (2) allows all of the 2 pods"),
        (
            {"ingress": {"enabled": True, "host": "a.example", "annotations": {"cert-manager.io/issuer": "acme"}}},
            "ingress.tlsSecretName is not set but ingress.annotations ask cert-manager",
        ),
        (
            {
                "ingress": {"enabled": True, "host": "a.example"},
                "httpRoute": {"enabled": True, "host": "a.example", "parentRefs": [{"name": "gateway"}]},
            },
            "ingress.host and httpRoute.host are both a.example",
        ),
        ({"auth": {"issuer": "https://id.example.com"}}, "auth.issuer, auth.audience and auth.jwksUrl are not all set"),
        ({"database": {"sslMode": "verify-ca"}}, "database.sslMode is verify-ca but database.caSecret is empty"),
        (
            {**MODES["evaluation"], "evaluation": {"password": "development", "image": "registry:5000/postgres"}},
            "evaluation.image is registry:5000/postgres: without a version",
        ),
        ({"extraEnv": [{"name": "DRAIN_SECONDS", "value": "60"}]}, "from its own values: set drainSeconds instead"),
        ({"extraEnv": [{"name": "TERMINATION_GRACE_PERIOD_SECONDS", "value": "1"}]}, "sets itself: leave it out"),
        ({"extraEnv": [{"name": "OIDC_ISSUER", "value": "x"}]}, "set auth.issuer instead"),
        ({"extraEnv": [{"name": "PORT", "value": "1"}]}, "extraEnv sets PORT, which the chart sets"),
        ({"extraEnv": [{"name": "DATABASE_URL", "value": "x"}]}, "extraEnv sets DATABASE_URL, which"),
        ({"extraEnv": [{"name": "DATABASE_REPLICA_URL", "value": "x"}]}, "set databaseReplica instead"),
        (
            {**MODES["evaluation"], "databaseReplica": {"enabled": True}},
            "databaseReplica.enabled is true but database.mode is evaluation",
        ),
        (
            {**MODES["cnpg"], "cnpg": {"instances": 1}, "databaseReplica": {"enabled": True}},
            "databaseReplica.enabled is true but cnpg.instances is 1: the Cluster has no standby",
        ),
        ({"extraEnv": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, "extraEnv sets A twice"),
        (
            {"config": {"databaseStatementTimeoutSeconds": 6, "requestTimeoutSeconds": 5}},
            "config.databaseCommandTimeoutSeconds (5) is not longer than config.databaseStatementTimeoutSeconds (6)",
        ),
        (
            {"config": {"requestTimeoutSeconds": 5}},
            "config.databaseConnectTimeoutSeconds + config.databaseCommandTimeoutSeconds (6.15)",
        ),
        (
            {"config": {"databaseLockTimeoutSeconds": 4}},
            "config.databaseStatementTimeoutSeconds (4) is not longer than config.databaseLockTimeoutSeconds (4)",
        ),
        (
            {"config": {"bodyTimeoutSeconds": 10}},
            "config.requestTimeoutSeconds (10) is not longer than config.bodyTimeoutSeconds (10)",
        ),
        ({"replicas": 5}, "2 × 5 pods (in an update old and new pods run at the same time) × 1 workers × 11"),
        (
            {"config": {"databasePoolSize": 3, "databaseStreamPoolSize": 20}},
            "config.databasePoolSize (3) and config.databaseStreamPoolSize (20) are too large",
        ),
        (
            {"migrations": {"connectTimeoutSeconds": 240}},
            "migrations.connectTimeoutSeconds (240) is not shorter than migrations.timeoutSeconds (240)",
        ),
        (
            {"gunicorn": {"available": True, "enabled": True, "workers": 11}},
            "× 11 workers × 11 connections + 10 in reserve = 494",
        ),
        (
            {**MODES["evaluation"], "podSecurity": {"setIds": False}},
            "podSecurity.setIds is false but database.mode is evaluation",
        ),
        (
            {"resources": {"requests": {"memory": "512Mi"}}},
            "resources.requests.memory (512Mi) is above resources.limits.memory (256Mi)",
        ),
        (
            {"resources": {"requests": {"cpu": 1.5}, "limits": {"cpu": "1200m"}}},
            "resources.requests.cpu (1.5) is above resources.limits.cpu (1200m)",
        ),
        (
            {"resources": {"requests": {"ephemeral-storage": "2G"}, "limits": {"ephemeral-storage": "1Gi"}}},
            "resources.requests.ephemeral-storage (2G) is above",
        ),
        ({"resources": {"limits": {"memory": -5}}}, "resources.limits.memory is -5: a quantity is above 0"),
        ({"resources": {"limits": {"cpu": 0}}}, "resources.limits.cpu is 0: a quantity is above 0"),
        ({"resources": {"limits": {"memory": "256m"}}}, "resources.limits.memory is 256m, which is 0.256 bytes"),
        ({"resources": {"requests": {"memory": "128"}}}, "resources.requests.memory is 128, which is 128 bytes"),
        ({**MODES["cnpg"], "cnpg": {"storageSize": "10m"}}, "cnpg.storageSize is 10m: no PostgreSQL starts with less"),
        (
            {**MODES["evaluation"], "evaluation": {"password": "development", "storageSize": "1e3"}},
            "evaluation.storageSize is 1e3: no PostgreSQL starts",
        ),
        (
            {"topologySpreadConstraints": [_SPREAD, {**_SPREAD, "maxSkew": 2}]},
            "topologySpreadConstraints has rack with ScheduleAnyway twice",
        ),
        (
            {"topologySpreadConstraints": [{**_SPREAD, "minDomains": 2}]},
            "needs whenUnsatisfiable: DoNotSchedule",
        ),
        ({"commonLabels": {"cost centre": "1"}}, 'commonLabels has the key "cost centre"'),
        ({"podAnnotations": {"a/b/c": "1"}}, 'podAnnotations has the key "a/b/c"'),
        ({"ingress": {"annotations": {"-a": "1"}}}, 'ingress.annotations has the key "-a"'),
        ({"serviceMonitor": {"labels": {"Example.com/a": "1"}}}, 'serviceMonitor.labels has the key "Example.com/a"'),
        ({"podLabels": {"a" * 64: "1"}}, "podLabels has the key"),
        ({"ingress": {"path": "//"}}, "ingress.path is //: a path has no empty step"),
        ({"httpRoute": {"path": "/a{b}"}}, "httpRoute.path is /a{b}: a path has only characters that a URL may have"),
        ({"httpRoute": {"path": "/a/../b"}}, "httpRoute.path is /a/../b: a path has no empty step, no step . or .."),
        ({"ingress": {"path": "/a/.."}}, "ingress.path is /a/..: a path has no"),
        ({"ingress": {"path": "/a%2Fb"}}, "ingress.path is /a%2Fb: a path has no"),
        ({"ingress": {"path": "/a%"}}, "ingress.path is /a%: a path has only characters"),
        ({"ingress": {"host": "10.0.0.1"}}, "ingress.host is 10.0.0.1: a host is a DNS name and not an address"),
        ({"tracing": {"endpoint": "http://a:70000"}}, "tracing.endpoint is http://a:70000: a port is 1 to 65535"),
        (
            {"initContainers": [{"name": "a", "image": "a"}], "sidecars": [{"name": "a", "image": "a"}]},
            "initContainers and sidecars have the name a twice",
        ),
        ({"extraVolumes": [{"name": "a"}, {"name": "a"}]}, "extraVolumes has the name a twice"),
        ({"extraVolumeMounts": [{"name": "a", "mountPath": "/a"}]}, "names the volume a, which is not in extraVolumes"),
        (
            {"extraVolumeMounts": [{"name": "tmp", "mountPath": "/a"}, {"name": "tmp", "mountPath": "/a"}]},
            "extraVolumeMounts has the mountPath /a twice",
        ),
        (
            {"extraEnv": [{"name": "A", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "a"}}}]},
            "sets A by value and by valueFrom",
        ),
    ],
)
def test_values_that_do_not_fit_each_other_are_named(chart: Chart, values: dict[str, Any], said: str) -> None:
    assert said in chart.refusal(IMAGE, EXTERNAL, values)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"replica": 3}, "replica"),
        ({"image": {"tags": "1"}}, "tags"),
        ({"image": {"tag": 1.1}}, "tag"),
        ({"replicas": "two"}, "replicas"),
        ({"database": {"mode": "mysql"}}, "mode"),
        ({"evaluation": {"password": "a@b:c/d!"}}, "password"),
        ({"evaluation": {"password": "short"}}, "password"),
        ({"config": {"logLevel": "loud"}}, "logLevel"),
        ({"prometheusRule": {"errorRatio": 1}}, "errorRatio"),
        ({"ingress": {"host": "Not A Host"}}, "host"),
        ({"test": {"requests": [{"method": "GET", "path": "items", "status": 200}]}}, "path"),
        ({"extraEnv": [{"name": "A", "value": 5}]}, "value"),
        ({"podLabels": {"app.kubernetes.io/name": "x"}}, "podLabels"),
        ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "extraVolumes"),
        ({"image": {"repository": "ghcr.io/a/b:1.0"}}, "repository"),
        ({"drainSeconds": None}, "drainSeconds"),
        ({"config": {"databasePoolSize": None}}, "databasePoolSize"),
        ({"config": {"databaseStreamPoolSize": 0}}, "databaseStreamPoolSize"),
        ({"databaseReplica": {"maxLagSeconds": 0}}, "maxLagSeconds"),
        ({"migrations": None}, "migrations"),
        ({"config": {"maxBodyBytes": 1e19}}, "maxBodyBytes"),
        ({"podDisruptionBudget": {"maxUnavailable": 1e19}}, "maxUnavailable"),
        ({"serviceMonitor": {"interval": "5s5m"}}, "interval"),
        ({"serviceMonitor": {"interval": "0s"}}, "interval"),
        ({"extraEnv": [{"name": "A B", "value": "1"}]}, "name"),
        ({"resources": {"limits": {"memory": "-5"}}}, "memory"),
        ({"migrations": {"connectTimeoutSeconds": "long"}}, "connectTimeoutSeconds"),
    ],
)
def test_a_value_that_is_none_is_named_by_the_schema(chart: Chart, values: dict[str, Any], path: str) -> None:
    assert path in chart.refusal(IMAGE, EXTERNAL, values)


@pytest.mark.parametrize("release", ["1st", "12345", "a.b"])
def test_a_release_whose_name_no_service_can_have_is_told_so(chart: Chart, release: str) -> None:
    message = chart.refusal(IMAGE, EXTERNAL, release=release)
    assert f"{release} cannot be the name of a Service" in message
    assert "fullnameOverride" in message


def test_pools_that_just_fit_are_taken(chart: Chart) -> None:
    try:
        chart.render(IMAGE, EXTERNAL, {"replicas": 4, "database": {"maxConnections": 98}})
    except RenderError as error:
        raise AssertionError(f"2 × 4 × (9 + 2) + 10 is 98: {error}") from error
    assert "= 98, and database.maxConnections is 97" in chart.refusal(
        IMAGE, EXTERNAL, {"replicas": 4, "database": {"maxConnections": 97}}
    )


def test_watching_the_primary_for_a_replica_takes_a_connection(chart: Chart) -> None:
    values = {"replicas": 4, "databaseReplica": {"enabled": True}}
    chart.render(IMAGE, EXTERNAL, values, {"database": {"maxConnections": 106}})
    assert "× 12 connections (one of them for databaseReplica) + 10 in reserve = 106" in chart.refusal(
        IMAGE, EXTERNAL, values, {"database": {"maxConnections": 105}}
    )


@pytest.mark.parametrize(
    ("request_", "limit"),
    [
        ("1Gi", "1Gi"), ("1Gi", "1.1G"), (1024**3, "1Gi"), ("1024Mi", "1Gi"), ("1e9", "1G"), ("1E", "1Ei"),
        ("999999k", "1G"), ("512000000000m", "1Gi"),
    ],
)  # fmt: skip
def test_quantities_are_compared_and_not_their_text(chart: Chart, request_: object, limit: object) -> None:
    chart.render(IMAGE, EXTERNAL, {"resources": {"requests": {"memory": request_}, "limits": {"memory": limit}}})
