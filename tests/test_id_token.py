"""The deploying job's step on a kubeconfig without a secret.

kubectl is the real one. Stand-ins take the place of GitHub's token endpoint and of the Kubernetes API.
"""

import json
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tests.standins import Request, Response, serving

Run = Callable[..., subprocess.CompletedProcess[str]]

AUDIENCE = "https://kubernetes.example.com/?a=b&c d"


@dataclass
class Servers:
    """What the stand-ins have got, and how GitHub's answers: the n-th request gets the n-th status, and then 200."""

    github: str = ""
    kubernetes: str = ""
    asked: list[Request] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def token(self, request: Request) -> Response:
        self.asked.append(request)
        number = len(self.asked)
        status = self.statuses[number - 1] if number <= len(self.statuses) else 200
        return Response(json.dumps({"count": 9, "value": f"token-{number}"}).encode(), status)

    def api(self, request: Request) -> Response:
        self.calls.append((request.path, request.headers.get("authorization", "")))
        return Response(b"{}")


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Return a certificate of its own for 127.0.0.1: kubectl sends no token without TLS."""
    folder = tmp_path_factory.mktemp("tls")
    files: list[str | Path] = ["-keyout", folder / "key", "-out", folder / "certificate"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-subj", "/CN=127.0.0.1", "-days", "1", *files],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context


@pytest.fixture
def servers(tls: ssl.SSLContext) -> Iterator[Servers]:
    both = Servers()
    with serving(both.token) as both.github, serving(both.api, tls) as both.kubernetes:
        yield both


@pytest.fixture(scope="session")
def step(service: Path) -> str:
    """Return the script of GitHub's deploying step."""
    workflow = yaml.safe_load((service / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8"))
    [found] = [each["run"] for each in workflow["jobs"]["deploy"]["steps"] if each.get("id") == "deploy"]
    return str(found)


@pytest.fixture(scope="session")
def gitlab_step(new_service: Callable[..., Path]) -> str:
    """Return the script of GitLab's deploying jobs."""
    text = (new_service(ci="gitlab") / ".gitlab-ci.yml").read_text(encoding="utf-8")
    return "\n".join(yaml.safe_load(text)[".deploy"]["script"])


def kubeconfig(server: str, user: dict[str, object]) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "pipeline"}}],
            "clusters": [{"name": "here", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
            "users": [{"name": "pipeline", "user": user}],
        }
    )


@pytest.fixture
def run(service: Path, tools: Path, tmp_path: Path, servers: Servers) -> Run:
    """Return a function that runs a step's script, with the given program in the place of `make deploy`."""

    def run(script: str, make: str, **more: str) -> subprocess.CompletedProcess[str]:
        programs = tmp_path / "programs"
        programs.mkdir()
        (programs / "make").write_text(f'#!/usr/bin/env bash\nset -euo pipefail\necho make "$@"\n{make}\n')
        (programs / "make").chmod(0o755)
        environment = {
            "HOME": str(tmp_path),
            "PATH": os.pathsep.join([str(programs), str(tools), os.environ["PATH"]]),
            "KUBECONFIG": str(tmp_path / "kubeconfig"),
            "CLUSTER": kubeconfig(servers.kubernetes, {"tokenFile": "id-token"}),
            "ENV": "staging",
            "ID_TOKEN_AUDIENCE": AUDIENCE,
            "ID_TOKEN_SECONDS": "1",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{servers.github}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "the-job-s",
        }
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=service,
            env=environment | more,
            capture_output=True,  # until all processes have ended that the step has started
            text=True,
            check=False,
            timeout=60,
        )

    return run


RENEWED = """
kubectl get --raw /first
first=$(cat "$(dirname "$KUBECONFIG")/id-token")
while [ "$(cat "$(dirname "$KUBECONFIG")/id-token")" = "$first" ]; do sleep 0.1; done
kubectl get --raw /second
"""


def test_kubectl_sends_the_token_and_after_its_renewal_the_new_one(
    run: Run, servers: Servers, step: str, tmp_path: Path
) -> None:
    done = run(step, RENEWED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("make deploy\n")
    for request in servers.asked:
        assert request.headers["authorization"] == "bearer the-job-s"
        assert parse_qs(urlsplit(request.path).query) == {"api-version": ["2.0"], "audience": [AUDIENCE]}
    (first, with_first), (second, with_second) = servers.calls
    assert (first, with_first) == ("/first", "Bearer token-1")
    assert (second, with_second[:13]) == ("/second", "Bearer token-")
    assert with_second != with_first
    # Nobody else on the machine, nor a reader of the log, gets it.
    assert (tmp_path / "id-token").stat().st_mode & 0o777 == 0o600
    assert "token-" not in done.stdout + done.stderr


@pytest.mark.parametrize("variable", ["AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE"])
def test_the_plugin_of_a_cloud_finds_the_token_and_its_own_variables(
    run: Run, servers: Servers, step: str, variable: str
) -> None:
    api = "client.authentication.k8s.io/v1"
    credential = f'{{"apiVersion": "{api}", "kind": "ExecCredential", "status": {{"token": "%s-%s"}}}}'
    plugin: dict[str, Any] = {
        "apiVersion": api,
        "interactiveMode": "Never",
        "command": "bash",
        "args": ["-c", 'printf "$0" "$ROLE" "$(cat "$1")"'.replace("$1", f"${variable}"), credential],
        "env": [{"name": "ROLE", "value": "deployer"}],
    }
    done = run(step, "kubectl get --raw /first", CLUSTER=kubeconfig(servers.kubernetes, {"exec": plugin}))
    assert done.returncode == 0, done.stderr
    assert servers.calls == [("/first", "Bearer deployer-token-1")]


def test_a_secret_kubeconfig_needs_no_token(run: Run, servers: Servers, step: str, tmp_path: Path) -> None:
    secret = kubeconfig(servers.kubernetes, {"token": "long-lived"})
    done = run(step, "kubectl get --raw /first", CLUSTER=secret, ID_TOKEN_AUDIENCE="")
    assert done.returncode == 0, done.stderr
    assert servers.calls == [("/first", "Bearer long-lived")]
    assert servers.asked == []
    assert not (tmp_path / "id-token").exists()


def test_a_missing_kubeconfig_is_told(run: Run, step: str) -> None:
    done = run(step, "", CLUSTER="")
    assert done.returncode == 1
    assert "::error::The environment staging has no secret KUBECONFIG" in done.stdout


def test_without_a_token_nothing_is_deployed(run: Run, servers: Servers, step: str) -> None:
    servers.statuses = [403]
    done = run(step, "exit 0")
    assert done.returncode == 1
    assert "403" in done.stderr
    assert f"id-token: GitHub gave no token for the audience {AUDIENCE}" in done.stderr
    assert "make" not in done.stdout


def test_a_token_that_is_not_renewed_is_told_and_asked_for_again(run: Run, servers: Servers, step: str) -> None:
    servers.statuses = [200, 403]
    done = run(step, RENEWED)
    assert done.returncode == 0, done.stderr
    assert "id-token: not renewed; the next attempt is in 1 s." in done.stderr
    assert servers.calls[-1] != ("/second", "Bearer token-2")


def test_a_deployment_that_fails_fails_the_step(run: Run, step: str) -> None:
    assert run(step, "exit 7").returncode == 7


def test_gitlab_s_token_is_kept_beside_the_kubeconfig(
    run: Run, servers: Servers, gitlab_step: str, tmp_path: Path
) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig(servers.kubernetes, {"tokenFile": "id-token"}), encoding="utf-8")
    done = run(gitlab_step, "kubectl get --raw /first", ID_TOKEN="gitlab-s", CI_ENVIRONMENT_NAME="staging")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("make deploy ENV=staging\n")
    assert servers.calls == [("/first", "Bearer gitlab-s")]
    assert servers.asked == []


def test_gitlab_s_token_is_left_alone_where_no_audience_is_named(run: Run, gitlab_step: str, tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").touch()
    done = run(gitlab_step, "", ID_TOKEN="gitlab-s", ID_TOKEN_AUDIENCE="none", CI_ENVIRONMENT_NAME="staging")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "make deploy ENV=staging\n"
    assert not (tmp_path / "id-token").exists()
