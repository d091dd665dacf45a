"""`make deploy` of a baked service, with the real Helm and a cluster that does not respond."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import HELMS, environment_of, one
from tests.chart.test_objects import check_schemas

# Port 1 is closed, so Helm fails only when it connects to the cluster.
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "nowhere",
    "contexts": [
        {"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody", "namespace": "shop"}},
        {"name": "elsewhere", "context": {"cluster": "nowhere", "user": "nobody"}},
    ],
    "clusters": [{"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "nobody", "user": {}}],
}

Deploy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def deploy(service: Path, tools: Path, tmp_path: Path) -> Deploy:
    """Return a function that runs `make deploy` with the given variables, isolated from this machine's kubeconfig."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(KUBECONFIG), encoding="utf-8")
    path = os.pathsep.join([str(tools), os.environ["PATH"]])
    environment = {"HOME": str(tmp_path), "PATH": path, "KUBECONFIG": str(kubeconfig)}

    def run(*variables: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--no-print-directory", "deploy", *variables],
            cwd=service,
            env=environment | more,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def helm_command(said: str) -> list[str]:
    """Return the Helm command that `make deploy` printed."""
    [line] = [line for line in said.splitlines() if line.startswith("+ ")]
    return shlex.split(line.removeprefix("+ "))


@pytest.mark.parametrize(("helm", "take_back"), [("helm", "--rollback-on-failure"), ("helm3", "--atomic")])
def test_it_says_what_goes_where_and_takes_back_what_fails(deploy: Deploy, helm: str, take_back: str) -> None:
    done = deploy("ENV=staging", "TAG=1.0.0", f"HELM={helm}")
    assert done.returncode != 0
    assert "ghcr.io/example-team/items-service:1.0.0, staging\n" in done.stdout
    assert "as items-service in namespace shop of nowhere\n" in done.stdout
    # Helm accepted all options and tried to connect to that cluster.
    assert "https://127.0.0.1:1" in done.stderr
    assert "deprecated" not in done.stderr
    assert take_back in helm_command(done.stderr)


def test_it_says_where_to_look_when_it_failed(deploy: Deploy, tools: Path) -> None:
    done = deploy("ENV=staging", "TAG=1.0.0", "NAMESPACE=garden")
    _, hints = done.stderr.split("deploy: FAILED")
    commands = [shlex.split(line) for line in hints.splitlines() if line.startswith("  ")]
    assert [command[0] for command in commands] == ["kubectl", "kubectl", "helm"]
    for command in commands:
        assert command[command.index("--namespace") + 1] == "garden"
        # kubectl and Helm accept the printed commands: with `--help` they check the command name and options only.
        checked = subprocess.run([tools / command[0], *command[1:], "--help"], capture_output=True, check=False)
        assert checked.returncode == 0, command
    assert "app.kubernetes.io/instance=items-service,app.kubernetes.io/component=migration" in commands[0]


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    ("migrations", "timeout"),
    [({}, "300s"), ({"timeoutSeconds": 1800}, "1860s"), ({"timeoutSeconds": 1800, "enabled": False}, "300s")],
)
def test_it_waits_longer_than_the_migrations_may_take(
    deploy: Deploy, service: Path, helm: str, migrations: dict[str, object], timeout: str
) -> None:
    environment = service / "deploy" / "slow.yaml"
    staging = yaml.safe_load((service / "deploy" / "staging.yaml").read_text(encoding="utf-8"))
    environment.write_text(yaml.safe_dump({**staging, "migrations": migrations}), encoding="utf-8")
    try:
        command = helm_command(deploy("ENV=slow", "TAG=1.0.0", f"HELM={helm}").stderr)
    finally:
        environment.unlink()
    assert command[command.index("--timeout") + 1] == timeout


@pytest.mark.parametrize("helm", HELMS)
def test_what_it_gives_helm_is_the_environment_s_and_then_the_profile_s(
    deploy: Deploy, service: Path, tools: Path, helm: str
) -> None:
    command = helm_command(deploy("ENV=staging", "PROFILE=article-bare", "TAG=1.2.3", f"HELM={helm}").stderr)
    assert command[:5] == [helm, "upgrade", "--install", "items-service", "chart"]
    values = command[5 : command.index("--namespace")]
    rendered = subprocess.run(
        [tools / helm, "template", "items-service", "chart", *values],
        cwd=service,
        capture_output=True,
        text=True,
        check=True,
    )
    objects = [each for each in yaml.safe_load_all(rendered.stdout) if each]
    check_schemas(objects)
    deployment = one(objects, "Deployment")["spec"]
    assert deployment["replicas"] == 10
    assert deployment["template"]["spec"]["containers"][0]["image"] == "ghcr.io/example-team/items-service:1.2.3"
    assert environment_of(objects)["DATABASE_POOL_SIZE"] == "3"


DIGEST = f"sha256:{'82299dd4' * 8}"
# The output of cosign 3.1 for a signed image, and for an image without a signature.
VERIFIED = (
    f'[{{"critical":{{"identity":{{"docker-reference":"ghcr.io/a/b:1"}},"image":{{"docker-manifest-digest":"{DIGEST}"}},'
    '"type":"https://sigstore.dev/cosign/sign/v1"},"optional":{}}]'
)


@pytest.fixture
def cosign(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Replace cosign by a script, because keyless signing needs the services of Sigstore."""

    def write(program: str) -> dict[str, str]:
        folder = tmp_path / "cosign"
        folder.mkdir()
        (folder / "cosign").write_text(f'#!/bin/sh\necho cosign "$@" >&2\n{program}\n', encoding="utf-8")
        (folder / "cosign").chmod(0o755)
        return {"PATH": os.pathsep.join([str(folder), os.environ["PATH"]])}

    return write


def test_what_was_signed_is_deployed_by_its_digest(
    deploy: Deploy, tools: Path, cosign: Callable[[str], dict[str, str]]
) -> None:
    environment = cosign(f"echo '{VERIFIED}'")
    variables = ["SIGNER=https://example.com/delivery.yml@main", "SIGNER_ISSUER=https://example.com"]
    said = deploy("ENV=staging", "TAG=1.0.0", f"HELM={tools / 'helm'}", *variables, **environment).stderr
    assert (
        "cosign verify --output json --certificate-identity https://example.com/delivery.yml@main"
        " --certificate-oidc-issuer https://example.com ghcr.io/example-team/items-service:1.0.0\n"
    ) in said
    command = helm_command(said)
    assert f"image.digest={DIGEST}" in command
    assert "image.tag=1.0.0" in command
    assert "image.digest" not in str(helm_command(deploy("ENV=staging", "TAG=1.0.0").stderr))


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("exit 10", "could not confirm that https://example.com/delivery.yml signed"),
        ("echo []", "cosign named no digest"),
    ],
)
def test_what_was_not_signed_is_not_deployed(
    deploy: Deploy, tools: Path, cosign: Callable[[str], dict[str, str]], program: str, why: str
) -> None:
    variables = ["SIGNER=https://example.com/delivery.yml", "SIGNER_ISSUER=https://example.com"]
    done = deploy("ENV=staging", "TAG=1.0.0", f"HELM={tools / 'helm'}", *variables, **cosign(program))
    assert done.returncode != 0
    assert why in done.stderr
    assert "+ " not in done.stderr


def test_a_namespace_of_one_s_own_is_made(deploy: Deploy) -> None:
    command = helm_command(deploy("ENV=staging", "TAG=1.0.0", "NAMESPACE=garden").stderr)
    assert command[command.index("--namespace") + 1] == "garden"
    assert "--create-namespace" in command
    assert "--create-namespace" not in helm_command(deploy("ENV=staging", "TAG=1.0.0").stderr)


def test_the_cluster_that_helm_s_own_variable_names_is_shown_and_used(deploy: Deploy) -> None:
    done = deploy("ENV=staging", "TAG=1.0.0", HELM_KUBECONTEXT="elsewhere")
    assert "in namespace default of elsewhere\n" in done.stdout
    command = helm_command(done.stderr)
    assert command[command.index("--kube-context") + 1] == "elsewhere"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ([], "ENV= names no environment: take one of development production staging."),
        (["ENV=prod"], "ENV=prod names no environment: take one of development production staging."),
        (["ENV=values"], "ENV=values names no environment"),
        (["ENV=staging", "PROFILE=tiny"], "PROFILE=tiny names no profile: take one of alb "),
        (["ENV=staging", "HELM=no-helm"], "no-helm is not installed: Helm 3 or 4 is needed"),
        (["ENV=production", "TAG=1.0.0-3-gabcdef0-dirty"], "TAG=1.0.0-3-gabcdef0-dirty stands for no commit"),
        (["ENV=production", "TAG=development"], "TAG=development stands for no commit"),
        (["ENV=staging", "SIGNER=https://example.com"], "SIGNER needs SIGNER_ISSUER"),
    ],
)
def test_a_mistake_is_told_before_helm_is_asked(deploy: Deploy, variables: list[str], said: str) -> None:
    done = deploy(*variables, *([] if "TAG=" in str(variables) else ["TAG=1.0.0"]))
    assert done.returncode != 0
    assert said in done.stderr
    assert "+ " not in done.stderr
    assert done.stdout == ""


def test_in_development_a_tag_that_stands_for_no_commit_will_do(deploy: Deploy) -> None:
    assert "image.tag=1.0.0-dirty" in helm_command(deploy("ENV=development", "TAG=1.0.0-dirty").stderr)


def test_it_works_without_kubectl(service: Path, tools: Path, tmp_path: Path) -> None:
    """Without kubectl, Helm chooses the cluster itself, and `make deploy` cannot show its name."""
    path = tmp_path / "bin"
    path.mkdir()
    for command in ("bash", "env", "git", "make", "sed"):
        found = shutil.which(command)
        assert found
        (path / command).symlink_to(found)
    (path / "helm").symlink_to(tools / "helm")
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(KUBECONFIG), encoding="utf-8")
    done = subprocess.run(
        ["make", "deploy", "ENV=development", "TAG=1.0.0"],
        cwd=service,
        env={"HOME": str(tmp_path), "PATH": str(path), "KUBECONFIG": str(tmp_path / "kubeconfig")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "in namespace shop of the cluster that Helm finds" in done.stdout
    assert "https://127.0.0.1:1" in done.stderr
    assert "kubectl --namespace shop logs" in done.stderr
