"""How single values of the chart change the rendered objects."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.chart_values.examples import EVERYTHING, IMAGE, MODES
from tests.chart.rendering import ENVIRONMENTS, Chart, environment_of, of_kind, one

EXTERNAL = MODES["external"]


def test_one_number_sets_the_drain_and_the_grace_period(chart: Chart) -> None:
    objects = chart.render(IMAGE, EXTERNAL, {"drainSeconds": 7, "config": {"requestTimeoutSeconds": 20}})
    assert environment_of(objects)["DRAIN_SECONDS"] == "7"
    assert one(objects, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 7 + 20 + 10


def test_replicas_are_left_to_the_autoscaler(chart: Chart) -> None:
    assert one(chart.render(IMAGE, EXTERNAL), "Deployment")["spec"]["replicas"] == 2
    scaled = chart.render(IMAGE, EXTERNAL, {"autoscaling": {"enabled": True, "minReplicas": 3}})
    assert "replicas" not in one(scaled, "Deployment")["spec"]
    assert one(scaled, "HorizontalPodAutoscaler")["spec"]["minReplicas"] == 3


def test_sidecars_without_a_cpu_request_do_not_stop_the_autoscaler(chart: Chart) -> None:
    """A `Resource` metric is unknown as soon as one container of the pod has no request."""
    values = {"autoscaling": {"enabled": True}, "sidecars": [{"name": "proxy", "image": "proxy:1"}]}
    objects = chart.render(IMAGE, EXTERNAL, values)
    [metric] = one(objects, "HorizontalPodAutoscaler")["spec"]["metrics"]
    measured = metric["containerResource"]
    assert (metric["type"], measured["name"]) == ("ContainerResource", "cpu")
    containers = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    [container] = [each for each in containers if each["name"] == measured["container"]]
    assert container["command"] == ["python", "-m", "app"]
    assert container["resources"]["requests"]["cpu"]


@pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1)])
def test_one_pod_alone_has_no_budget_that_would_block_a_drain(chart: Chart, replicas: int, budgets: int) -> None:
    assert len(of_kind(chart.render(IMAGE, EXTERNAL, {"replicas": replicas}), "PodDisruptionBudget")) == budgets


def test_an_update_takes_no_pod_away(chart: Chart) -> None:
    strategy = one(chart.render(IMAGE, EXTERNAL), "Deployment")["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_pods_are_spread_over_nodes_and_zones(chart: Chart) -> None:
    pod = one(chart.render(IMAGE, MODES["external"]), "Deployment")["spec"]["template"]
    spread = pod["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert {each["whenUnsatisfiable"] for each in spread} == {"ScheduleAnyway"}
    assert all(each["labelSelector"]["matchLabels"] == pod["metadata"]["labels"] for each in spread)


def test_probes_ask_the_internal_port_and_liveness_never_the_database(chart: Chart) -> None:
    [container] = one(chart.render(IMAGE, EXTERNAL), "Deployment")["spec"]["template"]["spec"]["containers"]
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {each["port"] for each in asked.values()} == {"internal"}
    assert [each["path"] for each in asked.values()] == ["/livez", "/livez", "/readyz"]


def test_the_internal_port_is_behind_neither_ingress_nor_route_nor_the_api_s_service(chart: Chart) -> None:
    objects = chart.render(IMAGE, EXTERNAL, EVERYTHING)
    assert [port["targetPort"] for port in one(objects, "Service", "items")["spec"]["ports"]] == ["http"]
    [path] = one(objects, "Ingress")["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "items", "port": {"name": "http"}}
    [backend] = one(objects, "HTTPRoute")["spec"]["rules"][0]["backendRefs"]
    assert backend == {"name": "items", "port": 80}
    assert one(objects, "Service", "items-internal")["spec"]["type"] == "ClusterIP"


@pytest.mark.parametrize(
    ("mode", "secret"),
    [
        ("external", {"name": "items-database", "key": "DATABASE_URL"}),
        ("cnpg", {"name": "items-database-app", "key": "uri"}),
        ("evaluation", {"name": "items-database-evaluation", "key": "DATABASE_URL"}),
    ],
)
def test_the_address_of_the_database_comes_from_a_secret(chart: Chart, mode: str, secret: dict[str, str]) -> None:
    objects = chart.render(IMAGE, MODES[mode])
    assert environment_of(objects)["DATABASE_URL"] == {"secretKeyRef": secret}
    [container] = one(objects, "Job")["spec"]["template"]["spec"]["containers"]
    assert container["env"][0] == {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": secret}}


@pytest.mark.parametrize(
    ("mode", "address"),
    [
        ("external", {"secretKeyRef": {"name": "items-database", "key": "DATABASE_REPLICA_URL"}}),
        ("cnpg", "postgresql://items-database-ro:5432/service"),  # the service adds the user and the password
    ],
)
def test_a_replica_has_its_address_in_the_secret_or_is_the_cluster_s(chart: Chart, mode: str, address: object) -> None:
    assert "DATABASE_REPLICA_URL" not in environment_of(chart.render(IMAGE, MODES[mode]))
    replica = {"databaseReplica": {"enabled": True, "maxLagSeconds": 2.5}}
    environment = environment_of(chart.render(IMAGE, MODES[mode], replica))
    assert environment["DATABASE_REPLICA_URL"] == address
    assert environment["DATABASE_REPLICA_MAX_LAG_SECONDS"] == "2.5"
    if mode == "external":
        other = environment_of(chart.render(IMAGE, MODES[mode], replica, {"databaseReplica": {"secretKey": "ro"}}))
        assert other["DATABASE_REPLICA_URL"]["secretKeyRef"]["key"] == "ro"


def test_migrations_may_have_a_secret_of_their_own(chart: Chart) -> None:
    objects = chart.render(IMAGE, EXTERNAL, {"migrations": {"existingSecret": "owner", "secretKey": "url"}})
    [container] = one(objects, "Job")["spec"]["template"]["spec"]["containers"]
    assert container["env"][0]["valueFrom"] == {"secretKeyRef": {"name": "owner", "key": "url"}}
    assert environment_of(objects)["DATABASE_URL"]["secretKeyRef"]["name"] == "items-database"


def test_migrations_read_the_same_environment_as_the_service(chart: Chart) -> None:
    """Both need the service's required settings and, for example, a certificate for the database."""
    values = {
        "extraEnv": [{"name": "CURRENCY", "value": "EUR"}],
        "extraEnvFrom": [{"secretRef": {"name": "more"}}],
        "extraVolumes": [{"name": "ca", "secret": {"secretName": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    }
    objects = chart.render(IMAGE, EXTERNAL, values)
    service, migration = (one(objects, kind)["spec"]["template"]["spec"] for kind in ("Deployment", "Job"))
    for key in ("env", "envFrom", "volumeMounts"):
        assert migration["containers"][0][key] == service["containers"][0][key]
    assert migration["volumes"] == service["volumes"]


def test_large_numbers_of_a_values_file_stay_whole_numbers(chart: Chart) -> None:
    large = {
        "config": {"maxInFlight": 1_000_000, "maxBodyBytes": 10_000_000},
        "database": {"maxConnections": 1_000_000},
    }
    objects = chart.render(IMAGE, MODES["evaluation"], large)
    environment = environment_of(objects)
    assert (environment["MAX_IN_FLIGHT"], environment["MAX_BODY_BYTES"]) == ("1000000", "10000000")
    [container] = one(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert "max_connections=1000000" in container["args"]


def test_a_failed_migration_leaves_its_log(chart: Chart) -> None:
    assert one(chart.render(IMAGE, EXTERNAL), "Job")["spec"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("mode", MODES)
def test_only_a_database_that_is_there_already_is_migrated_by_a_hook(chart: Chart, mode: str) -> None:
    job = one(chart.render(IMAGE, MODES[mode]), "Job")
    hook = job["metadata"].get("annotations", {}).get("helm.sh/hook", "")
    assert hook.split(",") == (["pre-install", "pre-upgrade", "pre-rollback"] if mode == "external" else [""])
    # A hook runs before Helm creates the release's service account, but an existing account can be used.
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]
    existing = {"serviceAccount": {"create": False, "name": "existing"}}
    own = one(chart.render(IMAGE, MODES[mode], existing), "Job")["spec"]["template"]["spec"]
    assert own["serviceAccountName"] == "existing"


@pytest.mark.parametrize(
    ("mode", "migrations", "seconds"),
    [
        ("external", {}, None),
        ("cnpg", {}, "120"),
        ("evaluation", {}, "120"),
        ("evaluation", {"timeoutSeconds": 5}, "2.5"),
        ("evaluation", {"timeoutSeconds": 86400}, "3600"),
        ("evaluation", {"connectTimeoutSeconds": 60}, "60"),
        ("external", {"connectTimeoutSeconds": 60}, "60"),
    ],
)
def test_a_database_that_starts_with_the_release_is_waited_for(
    chart: Chart, mode: str, migrations: dict[str, Any], seconds: str | None
) -> None:
    variables = environment_of(chart.render(IMAGE, MODES[mode], {"migrations": migrations}))
    assert variables.get("MIGRATION_CONNECT_TIMEOUT_SECONDS") == seconds


def test_another_image_makes_another_job_and_the_same_one_the_same(chart: Chart) -> None:
    def name(**values: Any) -> str:
        job: str = one(chart.render(IMAGE, EXTERNAL, values), "Job")["metadata"]["name"]
        return job

    assert name() == name(replicas=3)
    assert name() != name(image={"tag": "1.0.1"})


def test_the_chart_s_version_restarts_no_pod(chart: Chart) -> None:
    labels = one(chart.render(IMAGE, EXTERNAL), "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert not any("chart" in name or "version" in name for name in labels)


def test_gunicorn_is_another_command_and_the_number_of_its_workers(chart: Chart) -> None:
    def command(values: dict[str, Any]) -> list[str]:
        [container] = one(chart.render(IMAGE, EXTERNAL, values), "Deployment")["spec"]["template"]["spec"]["containers"]
        found: list[str] = container["command"]
        return found

    assert command({}) == ["python", "-m", "app"]
    gunicorn = {"gunicorn": {"available": True, "enabled": True, "workers": 2}}
    assert command(gunicorn) == ["gunicorn", "--config=guniconfig.py", "app_wsgi:app"]
    assert environment_of(chart.render(IMAGE, EXTERNAL, gunicorn))["WEB_CONCURRENCY"] == "2"
    assert "WEB_CONCURRENCY" not in environment_of(chart.render(IMAGE, EXTERNAL))


def test_a_digest_wins_over_the_tag(chart: Chart) -> None:
    digest = "sha256:" + "0" * 64
    objects = chart.render(IMAGE, EXTERNAL, {"image": {"digest": digest}})
    [container] = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"ghcr.io/example-team/items-service@{digest}"


def test_a_production_database_outlives_its_release(chart: Chart) -> None:
    cluster = one(chart.render(IMAGE, MODES["cnpg"]), "Cluster")
    assert cluster["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_cluster_test_can_be_left_out(chart: Chart) -> None:
    assert not of_kind(chart.render(IMAGE, EXTERNAL, {"test": {"enabled": False}}), "Pod")
    pod = one(chart.render(IMAGE, EXTERNAL), "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"


def test_the_cluster_test_writes_only_where_it_is_told_to(
    chart: Chart, environment: Callable[[str], list[Path]]
) -> None:
    def writes(name: str) -> str:
        [container] = one(chart.render({"image": {"tag": "1"}}, files=environment(name)), "Pod")["spec"]["containers"]
        variables = {each["name"]: each["value"] for each in container["env"]}
        assert "POST" in variables["REQUESTS"]
        return str(variables["WRITES"])

    assert {name: writes(name) for name in ENVIRONMENTS} == {
        "development": "true",
        "staging": "false",
        "production": "false",
    }


def test_containers_of_the_user_s_have_the_chart_s_security_context_unless_they_say_otherwise(chart: Chart) -> None:
    own = {"name": "b", "image": "b:1", "securityContext": {"readOnlyRootFilesystem": False}}
    values = {"initContainers": [{"name": "a", "image": "a:1"}], "sidecars": [own]}
    objects = chart.render(IMAGE, EXTERNAL, values)
    pod, job = (one(objects, kind)["spec"]["template"]["spec"] for kind in ("Deployment", "Job"))
    service, sidecar = pod["containers"]
    assert pod["initContainers"][0]["securityContext"] == service["securityContext"]
    assert sidecar["securityContext"] == {**service["securityContext"], "readOnlyRootFilesystem": False}
    # A sidecar that does not end would keep a Job from completing. A sidecar among the init containers does not.
    assert job["initContainers"] == pod["initContainers"]
    assert len(job["containers"]) == 1


def test_the_ca_of_the_database_is_mounted_where_the_service_looks(chart: Chart) -> None:
    objects = chart.render(IMAGE, EXTERNAL, {"database": {"sslMode": "verify-full", "caSecret": "ca"}})
    environment = environment_of(objects)
    assert environment["PGSSLMODE"] == "verify-full"
    for kind in ("Deployment", "Job"):
        pod = one(objects, kind)["spec"]["template"]["spec"]
        [mount] = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "database-ca"]
        assert f"{mount['mountPath']}/ca.crt" == environment["PGSSLROOTCERT"]
        [volume] = [each for each in pod["volumes"] if each["name"] == "database-ca"]
        assert volume["secret"]["secretName"] == "ca"


def test_the_namespace_is_the_release_s_only_where_it_is_labelled(chart: Chart) -> None:
    assert not of_kind(chart.render(IMAGE, EXTERNAL), "Namespace")
    labelled = chart.render(IMAGE, EXTERNAL, {"podSecurity": {"level": "restricted"}}, namespace="shop")
    namespace = one(labelled, "Namespace", "shop")["metadata"]
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["annotations"]["helm.sh/resource-policy"] == "keep"


def test_a_setting_that_is_empty_is_left_to_the_service(chart: Chart) -> None:
    environment = environment_of(chart.render(IMAGE, EXTERNAL))
    assert not environment.keys() & {"OIDC_ISSUER", "CORS_ORIGINS", "OTEL_EXPORTER_OTLP_ENDPOINT", "PGSSLROOTCERT"}
    origins = {"config": {"corsOrigins": ["https://a.example", "https://b.example"], "requireIfMatch": True}}
    environment = environment_of(chart.render(IMAGE, EXTERNAL, origins))
    assert environment["CORS_ORIGINS"] == "https://a.example,https://b.example"
    assert environment["REQUIRE_IF_MATCH"] == "true"


def test_labels_of_a_team_are_on_every_object_and_on_the_pods(chart: Chart) -> None:
    objects = chart.render(IMAGE, MODES["external"], EVERYTHING)
    own = [each for each in objects if each["kind"] not in {"Namespace", "LimitRange"}]
    assert len(own) >= 12
    assert [each["kind"] for each in own if each["metadata"]["labels"].get("cost-centre") != "42"] == []
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert (labels["cost-centre"], labels["team"]) == ("42", "example")  # a label of the pod has precedence
    selector = one(objects, "Deployment")["spec"]["selector"]["matchLabels"]
    assert "cost-centre" not in selector
