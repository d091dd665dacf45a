"""checkov reports the findings that chart/.checkov.yaml explains, and no others."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.environments import python_with
from harness.repository import REPOSITORY
from tests.chart.rendering import Chart, profiles, releases

CONFIGURATION = REPOSITORY / "chart" / ".checkov.yaml"
LOCK = REPOSITORY / "requirements-checkov.txt"
# The reasons in the configuration are true for these kinds of objects only; those of the other findings for all.
ONLY = {
    "CKV_K8S_8": {"Pod", "StatefulSet"},
    "CKV_K8S_9": {"Pod"},
    "CKV_K8S_35": {"Deployment", "Job", "StatefulSet"},
    "CKV_K8S_40": {"StatefulSet"},
}


@pytest.fixture(scope="session")
def checkov() -> Path:
    """Return the path of checkov, in an environment of its own."""
    return python_with("checkov", LOCK).with_name("checkov")


def _is_of(resource: str, kinds: set[str] | None) -> bool:
    """Return whether a resource, such as `Pod.default.items-test`, is of one of the kinds; None stands for all."""
    return kinds is None or resource.partition(".")[0] in kinds


def test_checkov_finds_what_there_are_reasons_for_and_nothing_else(
    checkov: Path, tools: Path, environment: Callable[[str], list[Path]], tmp_path: Path
) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    chart = Chart(tools / "helm", REPOSITORY / "chart")
    for name, objects in (releases(chart, environment) | profiles(chart)).items():
        (manifests / f"{name}.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    done = subprocess.run(
        [checkov, "--config-file", CONFIGURATION, "--directory", manifests, "--output", "json"],
        env={"HOME": str(tmp_path)},  # without the settings and the API key of the user who runs the tests
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    found = {check["check_id"] for check in report["results"]["failed_checks"]}
    with_reason = set(yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))["soft-fail-on"])
    assert [
        f"{check['check_id']} {check['check_name']}: {check['resource']} in {check['file_path']}"
        for check in report["results"]["failed_checks"]
        if check["check_id"] not in with_reason or not _is_of(check["resource"], ONLY.get(check["check_id"]))
    ] == []
    assert with_reason - found == set(), "these exceptions are not needed any more"
    assert report["summary"]["parsing_errors"] == 0
    assert done.returncode == 0
