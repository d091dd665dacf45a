"""The recipes of docs/deploying, rendered as their tools do: the objects are those of `make deploy`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.repository import REPOSITORY
from harness.values import merge
from tests.chart.rendering import Chart, Object, of_kind, one
from tests.chart.test_objects import check_schemas

RECIPES = REPOSITORY / "docs" / "deploying"
NAME = "items-service"
REPOSITORY_URL = "https://github.com/example-team/items-service.git"
TAG = "1.0.0"


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((RECIPES / name).read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def copied(helm: Path, service: Path) -> Chart:
    """Return the chart that a service contains."""
    return Chart(helm, service / "chart")


@pytest.fixture(scope="module")
def deployed(copied: Chart, environment: Callable[[str], list[Path]]) -> Callable[[str, str], list[Object]]:
    """Return a function that renders the objects of `make deploy ENV=… PROFILE=…`."""

    def render(environment_name: str, profile: str) -> list[Object]:
        files = [*environment(environment_name), copied.folder / "profiles" / f"{profile}.yaml"]
        return copied.render({"image": {"tag": TAG}}, files=files, release=NAME, namespace=NAME)

    return render


Deployed = Callable[[str, str], list[Object]]


def test_argo_cd_brings_the_same(copied: Chart, service: Path, deployed: Deployed) -> None:
    [application] = documents("argocd.yaml")
    assert (application["apiVersion"], application["kind"]) == ("argoproj.io/v1alpha1", "Application")
    source = application["spec"]["source"]
    assert source["repoURL"] == REPOSITORY_URL
    helm = source["helm"]
    objects = Chart(copied.helm, service / source["path"]).render(
        helm["valuesObject"],
        files=[service / source["path"] / file for file in helm["valueFiles"]],
        release=application["metadata"]["name"],
        namespace=application["spec"]["destination"]["namespace"],
    )
    check_schemas(objects)
    assert objects == deployed("production", "medium")
    # The tool runs the hooks it knows before other objects, again at each sync, and ignores the hooks it does not know.
    hooks = {each["kind"]: each["metadata"]["annotations"] for each in objects if is_hook(each)}
    assert set(hooks["Job"]["helm.sh/hook"].split(",")) >= {"pre-install", "pre-upgrade"}
    assert hooks["Job"]["helm.sh/hook-delete-policy"] == "before-hook-creation"
    assert hooks["Pod"]["helm.sh/hook"] == "test"


def is_hook(each: Object) -> bool:
    return "helm.sh/hook" in each["metadata"].get("annotations", {})


def test_flux_brings_the_same(copied: Chart, service: Path, deployed: Deployed) -> None:
    repository, release = documents("flux.yaml")
    assert (repository["apiVersion"], repository["kind"]) == ("source.toolkit.fluxcd.io/v1", "GitRepository")
    assert (release["apiVersion"], release["kind"]) == ("helm.toolkit.fluxcd.io/v2", "HelmRelease")
    assert repository["spec"]["url"] == REPOSITORY_URL
    chart = release["spec"]["chart"]["spec"]
    assert chart["sourceRef"] == {"kind": "GitRepository", "name": repository["metadata"]["name"]}
    # The files replace the chart's values.yaml, so the first one has to contain all values.
    first, *_ = chart["valuesFiles"]
    assert (service / first).samefile(service / chart["chart"] / "values.yaml")
    objects = Chart(copied.helm, service / chart["chart"]).render(
        release["spec"]["values"],
        files=[service / file for file in chart["valuesFiles"]],
        release=release["spec"]["releaseName"],
        namespace=release["metadata"]["namespace"],
    )
    check_schemas(objects)
    assert objects == deployed("production", "medium")


@pytest.mark.parametrize("name", ["development", "staging", "production"])
def test_helmfile_brings_the_same(copied: Chart, service: Path, deployed: Deployed, name: str) -> None:
    environments, state = documents("helmfile.yaml")
    [values] = environments["environments"][name]["values"]
    [release] = state["releases"]
    assert (service / release["chart"]).samefile(copied.folder)
    *files, inline = release["values"]
    filled = [
        file.replace("{{ .Environment.Name }}", name).replace("{{ .Values.profile }}", values["profile"])
        for file in files
    ]
    objects = copied.render(
        inline, files=[service / file for file in filled], release=release["name"], namespace=release["namespace"]
    )
    check_schemas(objects)
    assert objects == deployed(name, values["profile"])


@pytest.fixture(scope="module")
def ankh(copied: Chart, service: Path) -> Callable[..., list[Object]]:
    """Return a function that renders as `ankh --context … apply` does: `helm template` without a release name."""
    [file] = documents("ankh/ankh.yaml")
    [config] = documents("ankh/config.yaml")
    [chart] = file["charts"]
    folder = service / chart["path"]
    own = yaml.safe_load((service / "deploy" / "values.yaml").read_text(encoding="utf-8"))
    of_the_fork = {name: own[name] for name in ("commonLabels", "prometheusRule")}

    def render(context_name: str, tag: str = TAG, **more: Any) -> list[Object]:
        context = config["contexts"][context_name]
        profiles = folder / chart["meta"]["config"]["paths"]["resource-profiles"]
        by_class = chart["values"][context["environment-class"]]
        output = copied.run(
            "template",
            "--namespace", chart["meta"]["namespace"],
            "--set", f"{chart['meta']['tagKey']}={tag}",
            "--values", profiles / f"{context['resource-profile']}.yaml",
            folder,
            values=merge(merge(merge(of_the_fork, chart["default-values"]), by_class), more),
        )  # fmt: skip
        return [each for each in yaml.safe_load_all(output) if each]

    return render


Ankh = Callable[..., list[Object]]


def renamed(node: Any) -> Any:
    """Return the node with the name that Helm generates replaced by the release name."""
    if isinstance(node, dict):
        return {key: renamed(value) for key, value in node.items()}
    if isinstance(node, list):
        return [renamed(each) for each in node]
    return NAME if node == "release-name" else node


def of_the_test(objects: list[Object]) -> Iterator[Object]:
    for each in objects:
        if each["metadata"]["labels"]["app.kubernetes.io/component"] == "test":
            yield each


def identity(each: Object) -> tuple[str, str]:
    return each["kind"], each["metadata"]["name"].partition("-migrate-")[0]


@pytest.mark.parametrize(("context", "profile"), [("staging", "small"), ("production", "medium")])
def test_ankh_brings_the_same_but_for_the_test(ankh: Ankh, deployed: Deployed, context: str, profile: str) -> None:
    objects = ankh(context)
    check_schemas(objects)
    assert not list(of_the_test(objects))
    expected = deployed(context, profile)
    tests = list(of_the_test(expected))
    assert tests
    # The Job's name contains a hash, which depends on the labels, too.
    [job], [expected_job] = of_kind(objects, "Job"), of_kind(expected, "Job")
    job["metadata"]["name"] = expected_job["metadata"]["name"]
    assert sorted(renamed(objects), key=identity) == sorted(
        (each for each in expected if each not in tests), key=identity
    )


def test_ankh_s_second_apply_changes_nothing_and_another_image_migrates_again(ankh: Ankh) -> None:
    """A Job is immutable, so it has to stay the same or get another name."""
    first = one(ankh("production"), "Job")
    assert one(ankh("production"), "Job") == first
    other = one(ankh("production", tag="1.0.1"), "Job")
    assert other["metadata"]["name"] != first["metadata"]["name"]
    # A change that Kubernetes allows in an existing Job keeps the name.
    later = one(ankh("production", migrations={"timeoutSeconds": 120}), "Job")
    assert later["metadata"]["name"] == first["metadata"]["name"]
    assert later["spec"]["template"] == first["spec"]["template"]


def test_ankh_s_roll_back_renders_with_the_tag_that_it_makes_up(ankh: Ankh) -> None:
    assert one(ankh("production", tag="__ankh_tag_value_unset___"), "Deployment")["metadata"]["name"] == NAME


def test_ankh_s_values_leave_the_sizes_to_the_profile() -> None:
    [file] = documents("ankh/ankh.yaml")
    [chart] = file["charts"]
    sizes = {"replicas", "autoscaling", "resources", "config", "gunicorn"}
    for values in [chart["default-values"], *chart["values"].values()]:
        assert not sizes & values.keys()
