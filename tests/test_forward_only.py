"""`make deploy FORWARD_ONLY=true`, as pipelines call it: an older commit does not follow a newer one.

Helm is the real one. It reads the release from a stand-in for the Kubernetes API.
"""

import base64
import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from harness.git import git, repository
from tests.chart.rendering import HELMS
from tests.standins import Request, Response, serving

Deploy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def history(service: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a service in a repository with three commits on main, and one beside the third."""
    folder = repository(shutil.copytree(service, tmp_path_factory.mktemp("history") / "service"))
    for name in ("first", "second", "third"):
        git(folder, "commit", "--allow-empty", "--quiet", "--message", name)
        git(folder, "tag", f"the-{name}")
    git(folder, "switch", "--quiet", "--create", "beside", "the-second")
    git(folder, "commit", "--allow-empty", "--quiet", "--message", "beside")
    return folder


def sha(history: Path, name: str) -> str:
    return git(history, "rev-parse", name).strip()


def stored(revision: int, status: str, tag: str) -> dict[str, object]:
    """Return a revision of the release as Helm stores it in a Secret."""
    release = {
        "name": "items-service",
        "namespace": "shop",
        "version": revision,
        "info": {"status": status},
        "chart": {"metadata": {"apiVersion": "v2", "name": "aiohttp-service", "version": "1.0.0"}},
        # Other tags come before and after the image's, as Helm sorts the keys.
        "config": {
            "a": {"tag": "other"},
            "image": {"digest": "sha256:0", "pullSecrets": [{"name": "x"}], "tag": tag},
            "sidecar": {"image": {"tag": "other"}},
        },
    }
    data = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    labels = {"name": "items-service", "owner": "helm", "status": status, "version": str(revision)}
    name = f"sh.helm.release.v1.items-service.v{revision}"
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "type": "helm.sh/release.v1",
        "data": {"release": data},
    }


@pytest.fixture
def deploy(history: Path, tools: Path, tmp_path: Path) -> Deploy:
    """Return a function that deploys a TAG to a namespace with the given revisions of the release."""

    def run(
        tag: str, *revisions: dict[str, object], refuses: bool = False, cwd: Path = history, **more: str
    ) -> subprocess.CompletedProcess[str]:
        def answer(request: Request) -> Response:
            path = urlsplit(request.path).path
            if path == "/version":
                return Response(b'{"major": "1", "minor": "34", "gitVersion": "v1.34.0"}')
            if path == "/api/v1/namespaces/shop/secrets" and request.method == "GET":
                if refuses:
                    return Response(json.dumps({"kind": "Status", "code": 403, "reason": "Forbidden"}).encode(), 403)
                secrets = {"apiVersion": "v1", "kind": "SecretList", "items": list(revisions)}
                return Response(json.dumps(secrets).encode())
            return Response(json.dumps({"kind": "Status", "code": 404, "reason": "NotFound"}).encode(), 404)

        with serving(answer) as url:
            kubeconfig = {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": "shop"}}],
                "clusters": [{"name": "here", "cluster": {"server": url}}],
                "users": [{"name": "me", "user": {}}],
            }
            (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig), encoding="utf-8")
            environment = {
                "HOME": str(tmp_path),
                "PATH": os.pathsep.join([str(tools), os.environ["PATH"]]),
                "KUBECONFIG": str(tmp_path / "kubeconfig"),
                "GITHUB_OUTPUT": str(tmp_path / "output"),
                "FORWARD_ONLY": "true",
            }
            return subprocess.run(
                ["make", "--no-print-directory", "deploy", "ENV=staging", f"TAG={tag}"],
                cwd=cwd,
                env=environment | more,
                capture_output=True,
                text=True,
                check=False,
            )

    return run


def deployed(done: subprocess.CompletedProcess[str]) -> bool:
    """Tell whether `helm upgrade` was called; the stand-in has nothing else of a cluster, so that fails afterwards."""
    return "+ " in done.stderr and " upgrade --install " in done.stderr


@pytest.mark.parametrize("helm", HELMS)
def test_an_older_commit_is_skipped_and_later_environments_are_told(
    deploy: Deploy, history: Path, tmp_path: Path, helm: str
) -> None:
    later = sha(history, "the-third")
    done = deploy(sha(history, "the-first"), stored(1, "deployed", later), HELM=helm)
    assert done.returncode == 0, done.stderr
    assert not deployed(done)
    assert f"deploy: SKIPPED, because {later} is deployed in staging" in done.stdout
    assert (tmp_path / "output").read_text(encoding="utf-8") == "overtaken=true\n"


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    ("tag", "present"), [("the-second", "the-first"), ("the-second", "the-second"), ("the-third", "beside")]
)
def test_a_newer_commit_the_same_one_and_one_beside_are_deployed(
    deploy: Deploy, history: Path, tmp_path: Path, helm: str, tag: str, present: str
) -> None:
    done = deploy(sha(history, tag), stored(1, "deployed", sha(history, present)), HELM=helm)
    assert deployed(done), done.stderr
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("helm", HELMS)
def test_the_first_deployment_is_deployed(deploy: Deploy, history: Path, helm: str) -> None:
    assert deployed(deploy(sha(history, "the-first"), HELM=helm))


def test_by_hand_one_may_go_back(deploy: Deploy, history: Path) -> None:
    release = stored(1, "deployed", sha(history, "the-third"))
    assert deployed(deploy(sha(history, "the-first"), release, FORWARD_ONLY="false"))
    assert deployed(deploy(sha(history, "the-first"), release, FORWARD_ONLY=""))


def test_after_a_deployment_that_was_taken_back_the_release_before_it_counts(deploy: Deploy, history: Path) -> None:
    first, second, third = (sha(history, f"the-{name}") for name in ("first", "second", "third"))
    taken_back = [stored(1, "superseded", first), stored(2, "failed", third), stored(3, "deployed", first)]
    assert deployed(deploy(second, *taken_back))
    # Without a rollback the newest revision says how far the namespace has got.
    assert not deployed(deploy(second, *taken_back[:2]))


@pytest.mark.parametrize("tag", ["1.0.0", "0" * 40, "1e3"])
def test_a_tag_that_is_no_commit_of_the_repository_is_told_and_replaced(
    deploy: Deploy, history: Path, tag: str
) -> None:
    done = deploy(sha(history, "the-first"), stored(1, "deployed", tag))
    assert f'deploy: the release has the tag "{tag}", which is no commit of this repository' in done.stdout
    assert deployed(done)


def test_a_tag_of_the_repository_and_a_short_hash_are_commits(deploy: Deploy, history: Path) -> None:
    for tag in ("the-third", sha(history, "the-third")[:9], "the-second-1-g" + sha(history, "the-third")[:9]):
        assert "SKIPPED" in deploy(sha(history, "the-first"), stored(1, "deployed", tag)).stdout, tag


def test_it_does_not_deploy_where_it_cannot_know(deploy: Deploy, history: Path, tmp_path: Path) -> None:
    first, third = sha(history, "the-first"), sha(history, "the-third")
    refused = deploy(first, stored(1, "deployed", third), refuses=True)
    assert "Helm could not say what is deployed" in refused.stderr
    unknown = deploy("1.0.0")
    assert "FORWARD_ONLY needs a commit as TAG, and 1.0.0 is none" in unknown.stderr
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{history}", "shallow")
    shallow = deploy("HEAD", stored(1, "deployed", third), cwd=tmp_path / "shallow")
    assert "this clone is shallow" in shallow.stderr
    for done in (refused, unknown, shallow):
        assert done.returncode != 0
        assert not deployed(done)
