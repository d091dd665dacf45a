"""The schemas of the custom resources that the chart creates, from the Go modules of their operators."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.one_at_a_time import one_at_a_time
from harness.repository import BUILD

_FILES = {
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): (
        "sigs.k8s.io/gateway-api@v1.6.1",
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
    ("keda.sh/v1alpha1", "ScaledObject"): (
        "github.com/kedacore/keda/v2@v2.17.2",
        "config/crd/bases/keda.sh_scaledobjects.yaml",
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    ("postgresql.cnpg.io/v1", "Cluster"): (
        "github.com/cloudnative-pg/cloudnative-pg@v1.27.0",
        "config/crd/bases/postgresql.cnpg.io_clusters.yaml",
    ),
}
KINDS = {kind for _, kind in _FILES}
"""The kinds of the custom resources."""
DEFINED = tuple(_FILES)
"""Their API versions and kinds."""


def go_is_here() -> bool:
    return shutil.which("go") is not None


@cache
def definition(api_version: str, kind: str) -> dict[str, Any]:
    """Return the OpenAPI schema of a custom resource. Go downloads its module once, and verifies it."""
    module, _ = _FILES[api_version, kind]
    kept = BUILD / "definitions" / f"{module.replace('/', '+')}-{kind}.json"
    with one_at_a_time(kept):
        if not kept.exists():
            _keep(manifest(api_version, kind), api_version.rpartition("/")[2], kept)
    schema: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return schema


def manifest(api_version: str, kind: str) -> Path:
    """Return the file with the CustomResourceDefinition. Go downloads its module once, and verifies it.

    Raises:
        subprocess.CalledProcessError: Go could not download the module.
    """
    module, path = _FILES[api_version, kind]
    done = subprocess.run(["go", "mod", "download", "-json", module], check=True, stdout=subprocess.PIPE)
    return Path(json.loads(done.stdout)["Dir"], path)


def _keep(manifest: Path, version: str, kept: Path) -> None:
    found = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    [schema] = [each["schema"]["openAPIV3Schema"] for each in found["spec"]["versions"] if each["name"] == version]
    new = kept.with_suffix(".new")
    new.write_text(json.dumps(schema), encoding="utf-8")
    new.rename(kept)  # atomic, so that an interrupted run leaves no partial file
