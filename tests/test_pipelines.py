"""Static checks of the CI pipelines of the template and of its services."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.git import git
from harness.programs import find

# The make targets that every CI pipeline has to call, to check a change and to deliver it.
COMMANDS = {
    "audit", "check", "deploy", "image-archive", "image-test", "licenses", "lock", "openapi", "publish",
    "rolling-upgrade", "secrets", "test",
}  # fmt: skip
ACTION = re.compile(r"uses: (\S+)(.*)")
# A call of make, as the first word of a command.
MAKE = re.compile(r"(?:^|then|else|id-token\.sh|[;&|]) *make ((?:[a-z-]+ ?)+)", re.MULTILINE)
# Programs that fetch other programs, as a command's word.
FETCHES = re.compile(r"\b(?:curl|wget|pip|pipx|npm|npx|apt|apt-get|brew|go install|go run|docker (?:run|pull))\b")


@pytest.fixture(scope="session", params=["service", "template"])
def repository(request: pytest.FixtureRequest, new_service: Callable[..., Path], template: Path) -> Path:
    """Return a repository with GitHub workflows: the template or a service."""
    folder = new_service(ci="github") if request.param == "service" else template
    git(folder, "init", "--quiet")  # actionlint reads its configuration in a repository only
    return folder


@pytest.fixture(scope="session")
def gitlab_service(new_service: Callable[..., Path]) -> Path:
    """Bake a service with a GitLab pipeline."""
    return new_service(ci="gitlab")


def workflows(repository: Path) -> dict[str, dict[str, Any]]:
    return {
        path.name: yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
        for path in (repository / ".github" / "workflows").glob("*.yml")
    }


def jobs(repository: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, workflow in workflows(repository).items():
        yield from ((f"{name}: {job}", definition) for job, definition in workflow["jobs"].items())


def passes(*command: str | Path, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


def tool(name: str) -> Path:
    """Return the path of a program in this environment."""
    return Path(sys.executable).with_name(name)


def test_actionlint_finds_nothing(repository: Path) -> None:
    actionlint = find("actionlint")
    if not actionlint and not os.environ.get("REQUIRE_ACTIONLINT"):
        pytest.skip("needs actionlint")
    assert actionlint, "REQUIRE_ACTIONLINT is set, and there is no actionlint"
    # With file names and this working directory, actionlint also checks the workflows that these workflows call.
    files = sorted((repository / ".github" / "workflows").glob("*.yml"))
    passes(actionlint, "-shellcheck=", *files, cwd=repository)


def test_zizmor_finds_nothing(repository: Path) -> None:
    passes(tool("zizmor"), "--offline", "--no-progress", repository / ".github", cwd=repository)


def test_actions_are_pinned_by_commit_with_their_version_beside(repository: Path) -> None:
    for file in (repository / ".github" / "workflows").glob("*.yml"):
        for action, comment in ACTION.findall(file.read_text(encoding="utf-8")):
            if not action.startswith("./"):
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), f"{file.name}: {action}"
                assert re.fullmatch(r" # v[0-9]+\.[0-9]+\.[0-9]+", comment), f"{file.name}: {action}"


def writing(repository: Path) -> dict[str, dict[str, Any]]:
    """Return the jobs with a permission to write and steps of their own."""
    return {name: job for name, job in jobs(repository) if "steps" in job and "write" in str(job.get("permissions"))}


def test_a_job_that_may_write_runs_no_package_s_code(repository: Path) -> None:
    """Such a job does not build either: it publishes or deploys what a job without write permission has built."""
    for workflow in workflows(repository).values():
        assert "write" not in str(workflow["permissions"])
    assert writing(repository)
    for name, job in writing(repository).items():
        for step in job["steps"]:
            assert "setup-python" not in step.get("uses", ""), name
            assert {target.strip() for target in MAKE.findall(step.get("run", ""))} <= {"publish", "deploy"}, name


def test_a_job_that_may_write_fetches_its_tools_by_pinned_actions_only(repository: Path) -> None:
    """The rest comes with the runner's image, whose name has its version. cosign-installer checks cosign's checksum."""
    for name, job in writing(repository).items():
        assert re.fullmatch(r"ubuntu-[0-9]+\.[0-9]+", job["runs-on"]), name
        assert not {"container", "services"} & {*job}, name
        for step in job["steps"]:
            assert not FETCHES.search(step.get("run", "")), name
            assert step.get("with", {}).get("cosign-release") is None, name  # the checksum is of the action's own


def test_an_id_token_is_for_signatures_and_deployments(repository: Path) -> None:
    asking = {name for name, job in writing(repository).items() if job["permissions"].get("id-token") == "write"}
    assert asking in ({"delivery.yml: publish", "deploy.yml: deploy"}, {"release.yml: release"})


def test_the_merge_queue_runs_the_checks_of_a_pull_request(repository: Path) -> None:
    for name, workflow in workflows(repository).items():
        assert ("merge_group" in workflow["on"]) == ("pull_request" in workflow["on"]), name
    for name, job in jobs(repository):
        for step in [job, *job.get("steps", [])]:
            condition = step.get("if", "")
            assert ("'merge_group'" in condition) == ("'pull_request'" in condition), name
            if "rolling-upgrade" in step.get("run", ""):
                assert "github.event.merge_group.base_sha" in step["env"]["BASE"]
                assert "${{" not in step["run"]


def test_deployments_to_an_environment_wait_for_each_other_and_none_is_cancelled(
    new_service: Callable[..., Path],
) -> None:
    """actionlint ignores `queue`; its only other value would let an older commit cancel a newer one."""
    every = workflows(new_service(ci="github"))
    group = every["deploy.yml"]["concurrency"]
    assert {*group} == {"group", "queue"}
    assert group["queue"] == "max"
    assert "inputs.environment" in group["group"]
    for before, name in (("development", "staging"), ("staging", "production")):
        assert every["delivery.yml"]["jobs"][name]["if"] == f"needs.{before}.outputs.overtaken != 'true'"
    [checkout] = [step for step in every["deploy.yml"]["jobs"]["deploy"]["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["with"]["fetch-depth"] == "0"


def test_a_called_workflow_gets_the_rights_that_its_jobs_ask_for(repository: Path) -> None:
    """If a called workflow lacks one of the permissions, GitHub starts no job of the workflow."""
    every = workflows(repository)
    for name, job in jobs(repository):
        if "uses" in job:
            for called in every[Path(job["uses"]).name]["jobs"].values():
                assert called.get("permissions", {}).items() <= job["permissions"].items(), name


def test_every_job_ends(repository: Path) -> None:
    for name, job in jobs(repository):
        assert "timeout-minutes" in job or "uses" in job, name


@pytest.mark.parametrize(
    ("ci", "file", "schema"),
    [
        ("github", ".github/dependabot.yml", "dependabot"),
        ("gitlab", ".gitlab-ci.yml", "gitlab-ci"),
        ("gitlab", "renovate.json", "renovate"),
        ("", "renovate.json", "renovate"),
    ],
)
def test_what_has_a_schema_fits_it(
    new_service: Callable[..., Path], template: Path, ci: str, file: str, schema: str
) -> None:
    folder = new_service(ci=ci) if ci else template
    passes(tool("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", folder / file, cwd=folder)


def test_what_is_new_waits_a_week(new_service: Callable[..., Path], template: Path) -> None:
    """A newer release may still be withdrawn, or turn out to be malicious."""
    dependabot = yaml.safe_load((new_service(ci="github") / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
    assert {update["cooldown"]["default-days"] for update in dependabot["updates"]} == {7}
    for folder in (new_service(ci="gitlab"), template):
        assert json.loads((folder / "renovate.json").read_text(encoding="utf-8"))["minimumReleaseAge"] == "7 days"


def test_gitlab_s_jobs_are_there_for_what_they_name(gitlab_service: Path) -> None:
    """Checks what the JSON schema cannot: the stages, needs and templates of each job exist, and each job has rules."""
    pipeline = yaml.safe_load((gitlab_service / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    every = {
        name: job for name, job in pipeline.items() if isinstance(job, dict) and name not in {"variables", "workflow"}
    }
    for name, job in every.items():
        extends = job.get("extends", [])
        for other in [*([extends] if isinstance(extends, str) else extends), *job.get("needs", [])]:
            assert other in every, f"{name}: {other}"
        assert name.startswith(".") or _own(every, job, "stage") in pipeline["stages"], name
        assert name.startswith(".") or _own(every, job, "rules"), name
        assert name.startswith(".") or _own(every, job, "script"), name


def _own(every: dict[str, dict[str, Any]], job: dict[str, Any], key: str) -> Any:
    """Return a key of a job, or of the templates that it extends; the last template has precedence."""
    extends = job.get("extends", [])
    bases = [extends] if isinstance(extends, str) else extends
    return job.get(key) or next((found for base in reversed(bases) if (found := _own(every, every[base], key))), None)


def trusted(pipeline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the jobs that sign, deploy or push."""
    return {name: job for name, job in pipeline.items() if "id_tokens" in job or "LOCK_TOKEN" in str(job)}


def test_gitlab_s_tokens_are_not_where_packages_code_runs(gitlab_service: Path) -> None:
    pipeline = yaml.safe_load((gitlab_service / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    assert [*trusted(pipeline)] == ["publish", ".deploy", "merge-request"]
    for name, job in trusted(pipeline).items():
        script = job["script"] if isinstance(job["script"], str) else "\n".join(job["script"])
        assert {target.strip() for target in MAKE.findall(script)} <= {"publish", "deploy"}, name
        assert not FETCHES.search(script), name


def test_gitlab_s_jobs_that_sign_deploy_or_push_have_pinned_tools(gitlab_service: Path) -> None:
    pipeline = yaml.safe_load((gitlab_service / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    for name, job in trusted(pipeline).items():
        assert re.search(r":[0-9.]+@sha256:[0-9a-f]{64}$", _own(pipeline, job, "image")), name
        assert not _own(pipeline, job, "services"), name
        lines = _own(pipeline, job, "before_script")
        assert not FETCHES.search("\n".join(lines)), name
        [installing] = [line for line in lines if "apk " in line]
        packages = installing.removeprefix("apk add --no-cache ").split()
        assert packages
        for package in packages:
            assert re.fullmatch(r"[a-z-]+=~[0-9]+\.[0-9]+", package), f"{name}: {package}"
        # A list that no longer fits Alpine's packages fails in a merge request, and not on main.
        assert pipeline["chart"]["extends"] == [".change", ".tools"]
        assert _own(pipeline, pipeline["chart"], "image") == _own(pipeline, job, "image")
        assert _own(pipeline, pipeline["chart"], "before_script") == [installing]


def test_gitlab_s_docker_is_found_by_the_name_that_its_client_asks_for(gitlab_service: Path) -> None:
    pipeline = yaml.safe_load((gitlab_service / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    assert pipeline[".docker"]["services"][0]["alias"] == "docker"


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_both_do_the_same_by_commands_that_a_person_has_too(new_service: Callable[..., Path], ci: str) -> None:
    service = new_service(ci=ci)
    files = [service / ".gitlab-ci.yml"] if ci == "gitlab" else [*(service / ".github" / "workflows").glob("*.yml")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    said = " ".join(MAKE.findall(re.sub(r"^ *(?:- )?(?:run: |script: )?", "", text, flags=re.MULTILINE))).split()
    assert {*said} - {"chart"} == COMMANDS  # GitLab's image of Python has no Helm for `make check`
    targets = re.findall(r"^([a-z-]+):.*##", (service / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {*targets} > COMMANDS


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_nothing_is_deployed_by_the_first_push(new_service: Callable[..., Path], ci: str) -> None:
    """Until somebody configures approvals, an environment that GitHub creates by itself has no protection rules."""
    service = new_service(ci=ci)
    if ci == "gitlab":
        pipeline = yaml.safe_load((service / ".gitlab-ci.yml").read_text(encoding="utf-8"))
        for name in ("development", "staging", "production"):
            [rule] = _own(pipeline, pipeline[name], "rules")
            assert '$DEPLOY == "true"' in rule["if"]
            assert rule.get("when", "") == ("" if name == "development" else "manual")
    else:
        delivery = workflows(service)["delivery.yml"]["jobs"]
        assert delivery["development"]["if"] == "vars.DEPLOY == 'true'"
        assert delivery["staging"]["needs"] == "development"  # a job is skipped if a job that it needs is skipped
        assert delivery["production"]["needs"] == "staging"
