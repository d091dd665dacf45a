"""Renders the chart and finds objects in the result."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.chart_values.examples import EVERYTHING, IMAGE, INSTEAD, MODES
from harness.values import merge

HELMS = ["helm", "helm3"]
KUBERNETES = ["1.29", "1.37"]
ENVIRONMENTS = ["development", "staging", "production"]

# What the profiles leave to a service.
_FOR_PROFILES: dict[str, Any] = {
    "gunicorn": {"available": True},
    "ingress": {"host": "items.example.com"},
    "httpRoute": {"host": "items.example.com", "parentRefs": [{"name": "gateway"}]},
}

Object = dict[str, Any]


class RenderError(Exception):
    """Helm ended with an error; the message is its output."""


class _Quoting(yaml.SafeDumper):
    """Quotes all strings: Helm takes some for numbers, such as 1e3, that this library does not."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@dataclass(frozen=True)
class Chart:
    """A chart, and the Helm executable that renders it."""

    helm: Path
    folder: Path

    def run(self, *arguments: str | Path, values: dict[str, Any] | None = None) -> str:
        """Run Helm. Values, if given, are passed on standard input.

        Raises:
            RenderError: Helm ended with an exit status that is not 0.
        """
        more = ["--values", "-"] if values is not None else []
        done = subprocess.run(
            [self.helm, *arguments, *more],
            input=yaml.dump(values, Dumper=_Quoting),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RenderError(done.stderr + done.stdout)
        return done.stdout

    def render(
        self,
        *values: dict[str, Any],
        files: list[Path] | None = None,
        release: str = "items",
        namespace: str = "default",
    ) -> list[Object]:
        """Return the objects of a release. Later values override earlier ones."""
        output = self.text(*values, files=files, release=release, namespace=namespace)
        return [object_ for object_ in yaml.safe_load_all(output) if object_]

    def text(
        self,
        *values: dict[str, Any],
        files: list[Path] | None = None,
        release: str = "items",
        namespace: str = "default",
    ) -> str:
        """Return the manifests of a release as Helm prints them. Later values override earlier ones."""
        options = [option for file in files or [] for option in ("--values", file)]
        merged: dict[str, Any] = {}
        for each in values:
            merged = merge(merged, each)
        place = ["--namespace", namespace, "--kube-version", "1.34"]
        return self.run("template", release, self.folder, *place, *options, values=merged)

    def refusal(self, *values: dict[str, Any], release: str = "items") -> str:
        """Return Helm's error message for invalid values."""
        try:
            self.render(*values, release=release)
        except RenderError as error:
            return str(error)
        raise AssertionError("the chart took these values")


def of_kind(objects: list[Object], kind: str, name: str | None = None) -> list[Object]:
    """Return the objects of a kind, optionally only those with a name."""
    return [each for each in objects if each["kind"] == kind and name in {None, each["metadata"]["name"]}]


def one(objects: list[Object], kind: str, name: str | None = None) -> Object:
    """Return the only object of a kind."""
    [found] = of_kind(objects, kind, name)
    return found


def releases(chart: Chart, environment: Callable[[str], list[Path]]) -> dict[str, list[Object]]:
    """Return the objects of each database mode, with minimal and with all values, and of each environment."""
    found = {}
    for mode, values in MODES.items():
        found[mode] = chart.render(IMAGE, values)
        found[f"{mode}-everything"] = chart.render(IMAGE, EVERYTHING, values)
        found[f"{mode}-instead"] = chart.render(IMAGE, EVERYTHING, INSTEAD, values)
    for name in ENVIRONMENTS:
        found[name] = chart.render({"image": {"tag": "1.0.0"}}, files=environment(name))
    return found


def profiles(chart: Chart) -> dict[str, list[Object]]:
    """Return the objects of each profile in mode external."""
    found = {}
    for profile in sorted((chart.folder / "profiles").glob("*.yaml")):
        text = yaml.safe_load(profile.read_text(encoding="utf-8"))
        found[profile.stem] = chart.render(IMAGE, MODES["external"], _FOR_PROFILES, text)
    return found


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Yield every pod, or pod template, with the name of the object that contains it."""
    for each in objects:
        if each["kind"] == "Pod":
            yield each["metadata"]["name"], each
        elif "template" in each.get("spec", {}):
            yield each["metadata"]["name"], each["spec"]["template"]


def environment_of(objects: list[Object]) -> dict[str, Any]:
    """Return the environment variables of the service's container."""
    container = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in container["env"]}
