"""The rendered chart can run the service: its containers run as their manifests say, on a real database."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.chart_values.examples import EVERYTHING, MODES
from harness.environments import python_for
from tests import services
from tests.chart.monitoring import metrics_asked, queries
from tests.chart.rendering import Chart
from tests.chart.sandbox import Object, run, way_in

USER = 10001
VALUES: dict[str, dict[str, Any]] = {
    "direct": {"test": {"writes": True}},
    "gunicorn": {"gunicorn": {"enabled": True, "workers": 2}, "config": {"databasePoolSize": 5}},
    "openshift": {"podSecurity": {"setIds": False}, "test": {"writes": True}},
    "auth": {"auth": EVERYTHING["auth"], "drainSeconds": 1, "test": {"writes": True}},
}
MONITORED = {name: EVERYTHING[name] for name in ("serviceMonitor", "prometheusRule", "dashboard", "networkPolicy")}
_DATABASE = """
import sys
from chassis.development.postgres import embedded_postgres
with embedded_postgres() as url:
    print(url.partition("?host=")[2], flush=True)
    sys.stdin.read()
"""


def ids(values: str) -> tuple[int, int]:
    """Return the user and the group of a pod. OpenShift takes a random user, of group 0."""
    return (1000680000, 0) if values == "openshift" else (USER, USER)


def way_for(values: str) -> list[str]:
    """Return the command prefix that creates namespaces on this machine."""
    found = way_in(*ids(values))
    if found is None:
        reason = "this user gets no namespaces here: neither root, nor sudo without a password, nor user namespaces"
        if "REQUIRE_SANDBOX" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module", params=VALUES)
def seen(
    request: pytest.FixtureRequest,
    new_service: Callable[..., Path],
    tools: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Object:
    """Run a release of a baked service from its migrations to its shutdown, and return the observations."""
    way = way_for(request.param)
    service = new_service(gunicorn="yes" if request.param == "gunicorn" else "no")
    python = python_for(service)
    services.run(service, tools, str(python), "-m", "chassis.migrations.render")  # as in the image build
    objects = Chart(tools / "helm", service / "chart").render(
        {"image": {"tag": "1.0.0"}},
        MODES["external"],
        MONITORED,
        VALUES[request.param],
        files=[service / "deploy" / "values.yaml"],
    )
    image = image_of(service, python, tmp_path_factory.mktemp("image"))
    image |= dict(zip(("user", "group"), ids(request.param), strict=True))
    with database(service, python) as folder:
        image["mounts"]["/database"] = folder
        secrets = {"items-database": {"DATABASE_URL": "postgresql://postgres@/postgres?host=/database"}}
        what_was_seen = run(way, {"objects": objects, "secrets": secrets, "image": image})
        return {"values": request.param, "objects": objects, **what_was_seen}


@contextmanager
def database(service: Path, python: Path) -> Iterator[str]:
    """Start an empty database that every user of this machine can connect to; yield the folder of its socket."""
    command = [str(python), "-c", _DATABASE]
    with subprocess.Popen(command, cwd=service, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        folder = server.stdout.readline().strip()
        assert folder, "PostgreSQL did not start"
        try:
            Path(folder).chmod(0o711)
            yield folder
        finally:
            assert server.stdin
            server.stdin.close()


def image_of(service: Path, python: Path, scratch: Path) -> Object:
    """Assemble the image that the Dockerfile describes from the service and its environment."""
    dockerfile = (service / "Dockerfile").read_text(encoding="utf-8")
    said = dict(re.findall(r"^(ENV|WORKDIR|USER) (.*)$", dockerfile, re.MULTILINE))
    assert said["USER"] == f"{USER}:{USER}"
    environment = dict(pair.split("=") for pair in said["ENV"].split())
    environment["PATH"] = environment["PATH"].replace("$PATH", "/usr/local/bin:/usr/bin:/bin")
    mounts = {said["WORKDIR"]: str(service), "/venv": str(python.parents[1])}
    gunicorn = python.with_name("gunicorn")
    if gunicorn.exists():  # its first line contains the absolute path of the environment's Python
        moved = scratch / "gunicorn"
        moved.write_text(gunicorn.read_text(encoding="utf-8").replace(str(python.parents[1]), "/venv"))
        moved.chmod(0o755)
        mounts["/venv/bin/gunicorn"] = str(moved)
    base = subprocess.run(
        [python, "-c", "import sys; print(sys.base_prefix)"], capture_output=True, text=True, check=True
    )
    if not base.stdout.startswith("/usr"):
        mounts[base.stdout.strip()] = base.stdout.strip()
    return {"environment": environment, "folder": said["WORKDIR"], "mounts": mounts}


def test_the_migrations_run_to_their_end_on_an_empty_database(seen: Object) -> None:
    assert seen["migration"]["status"] == 0, seen["migration"]["log"]
    assert "upgrade to 0001" in seen["migration"]["log"]


def test_the_probes_pass_in_the_time_they_are_given(seen: Object) -> None:
    assert seen["probes"] == {"startup": True, "readiness": True, "liveness": True}, seen["log"]


def test_its_user_may_do_nothing_beyond_its_own(seen: Object) -> None:
    examined = json.loads(seen["examined"]["log"])
    for said in (examined, seen["first process"]):
        assert [{*said["Uid"]}, {*said["Gid"]}] == [{str(each)} for each in ids(seen["values"])]
        assert {int(said[name][0], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
        assert said["NoNewPrivs"] == ["1"]


def test_it_writes_to_its_volume_only(seen: Object) -> None:
    writes = json.loads(seen["examined"]["log"])["writes"]
    assert writes.pop("/tmp") == "written"
    assert writes
    assert set(writes.values()) == {"EROFS"}


def test_helm_test_is_content(seen: Object) -> None:
    """With authentication, a response 401 counts as success, and the test reports which requests it could not check."""
    said = seen["test"]["log"]
    assert seen["test"]["status"] == 0, said
    assert "0 of 6 requests failed" in said
    statuses = re.findall(r"^ok +\w+ \S+ (\d+)", said, re.MULTILINE)
    if seen["values"] == "auth":
        assert statuses == ["200", "200", "401"]
        assert said.count("skipped") == 3
        assert "skipped DELETE {location} nothing was created without a token" in said
    elif seen["values"] == "gunicorn":  # as in production
        assert statuses == ["200", "200"]
        assert said.count("test.writes is off") == 4
    else:
        assert statuses == ["200", "200", "201", "200", "204", "404"]
        assert "skipped" not in said


# They have no series before the first stream ends, and this service has no streams. tests/chassis/test_streams.py has.
OF_STREAMS = {"http_server_stream_duration_seconds_count", "http_server_streams_aborted_total"}


def test_what_alerts_and_dashboard_ask_for_is_in_its_metrics(seen: Object) -> None:
    asked = set[str]().union(*map(metrics_asked, queries(seen["objects"]))) - OF_STREAMS
    assert asked
    assert asked <= set(re.findall(r"^(\w+)[{ ]", seen["metrics"], re.MULTILINE))


def test_a_sigterm_ends_it_within_its_grace_period(seen: Object) -> None:
    assert seen["end"] == 0, seen["log"]


def test_each_container_stays_below_its_limit_of_memory(seen: Object) -> None:
    for name, memory in seen["memory"].items():
        if memory["peak"] is None:
            reason = "the limit of memory was not tried: this user may make no control group here"
            if "REQUIRE_SANDBOX" in os.environ:
                pytest.fail(reason)
            pytest.skip(reason)
        print(f"{seen['values']}, {name}: {memory['peak']:.0f} of {memory['limit']} MiB")
        assert memory["peak"] < memory["limit"]
