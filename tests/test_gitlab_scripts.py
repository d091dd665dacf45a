"""The scripts of GitLab's jobs that use Git, run by bash and sh, against a repository on loopback."""

import base64
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from harness.git import commit, git, repository
from tests.standins import Request, Response, serving


@pytest.fixture(scope="session")
def pipeline(new_service: Callable[..., Path]) -> dict[str, Any]:
    text = (new_service(ci="gitlab") / ".gitlab-ci.yml").read_text(encoding="utf-8")
    jobs: dict[str, Any] = yaml.safe_load(text)
    return jobs


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """Return a bare repository, group/project.git, that takes push options."""
    folder = tmp_path / "remote" / "group" / "project.git"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main")
    git(folder, "config", "receive.advertisePushOptions", "true")
    git(folder, "config", "http.receivepack", "true")
    return folder


@pytest.fixture
def checkout(remote: Path, tmp_path: Path) -> Path:
    """Return a checkout of the branch `feature`, which began one commit before the head of main."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "requirements.txt").write_text("old\n", encoding="utf-8")
    (folder / "openapi.json").write_text("{}\n", encoding="utf-8")
    repository(folder)
    git(folder, "remote", "add", "origin", remote.as_uri())
    git(folder, "switch", "--quiet", "--create", "feature")
    git(folder, "switch", "--quiet", "main")
    (folder / "later").touch()
    commit(folder)
    git(folder, "push", "--quiet", "origin", "main")
    git(folder, "switch", "--quiet", "feature")
    git(folder, "branch", "--delete", "--force", "--quiet", "main")
    return folder


def run(
    shell: str, job: dict[str, Any], checkout: Path, programs: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the script of a job as GitLab's runner does: all lines in one shell, which ends at the first failure."""
    return subprocess.run(
        [shell, "-c", "\n".join(["set -e", *job["script"]])],
        cwd=checkout,
        env={"HOME": str(checkout), "PATH": os.pathsep.join([str(programs), os.environ["PATH"]])} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder with a `make` that prints its arguments, and which commit FETCH_HEAD is."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "make").write_text('#!/bin/sh\necho "make $*" $(git rev-parse --quiet --verify FETCH_HEAD || true)\n')
    (folder / "make").chmod(0o755)
    return folder


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_merge_request_is_tried_with_the_code_that_is_deployed(
    pipeline: dict[str, Any], remote: Path, checkout: Path, programs: Path, shell: str
) -> None:
    done = run(shell, pipeline["check"], checkout, programs, CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main")
    assert done.returncode == 0, done.stderr
    head = git(remote, "rev-parse", "main").strip()
    assert done.stdout == f"make check secrets\nmake rolling-upgrade FROM=FETCH_HEAD {head}\n"
    assert git(checkout, "merge-base", "HEAD", head).strip() != head  # the branch began earlier
    on_main = run(shell, pipeline["check"], checkout, programs)
    assert on_main.returncode == 0, on_main.stderr
    assert "rolling-upgrade" not in on_main.stdout


@pytest.fixture
def gitlab(remote: Path) -> Iterator[str]:
    """Serve the repository by HTTP, to the user `oauth2` with the password `secret`, and yield the address."""
    credentials = "Basic " + base64.b64encode(b"oauth2:secret").decode()

    def answer(request: Request) -> Response:
        if request.headers.get("authorization") != credentials:
            return Response(status=401, headers=(("WWW-Authenticate", 'Basic realm="GitLab"'),))
        url = urlsplit(request.path)
        variables = {
            "GIT_PROJECT_ROOT": str(remote.parents[1]),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": url.path.removeprefix("/gitlab"),
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "REMOTE_USER": "oauth2",
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=request.body, env=os.environ | variables, capture_output=True, check=True
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return Response(body, int(headers.pop("Status", "200").split()[0]), tuple(headers.items()))

    with serving(answer) as url:
        yield f"{url}/gitlab"


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_locks_are_pushed_to_a_gitlab_with_a_port_and_a_path(
    pipeline: dict[str, Any], remote: Path, checkout: Path, programs: Path, gitlab: str, shell: str
) -> None:
    variables = {
        "GITLAB_USER_NAME": "Somebody",
        "GITLAB_USER_EMAIL": "somebody@example.com",
        "CI_DEFAULT_BRANCH": "main",
        "CI_PROJECT_URL": f"{gitlab}/group/project",
        "LOCK_TOKEN": "secret",
        "GIT_TRACE": "1",  # the arguments of each program
        "GIT_TERMINAL_PROMPT": "0",
    }
    job = pipeline["merge-request"]
    current = run(shell, job, checkout, programs, **variables)
    assert (current.returncode, current.stdout) == (0, "All locks are current.\n"), current.stderr
    (checkout / "requirements.txt").write_text("new\n", encoding="utf-8")
    (checkout / "unrelated").touch()
    done = run(shell, job, checkout, programs, **variables)
    assert done.returncode == 0, done.stderr
    assert git(remote, "show", "locks:requirements.txt") == "new\n"
    assert git(remote, "diff", "--name-only", "locks~", "locks") == "requirements.txt\n"
    assert "--push-option merge_request.target=main" in done.stderr
    assert "secret" not in done.stdout + done.stderr
    (checkout / "requirements.txt").write_text("newer\n", encoding="utf-8")
    assert run(shell, job, checkout, programs, **variables | {"LOCK_TOKEN": "another"}).returncode != 0
