"""Names with quotes, backslashes and letters of any script arrive unchanged in every file."""

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.repository import SERVICE
from tests.answers import ODD_TEXTS
from tests.contents import contents

# Words that YAML does not read as strings unless they are quoted.
ODD_WORDS = {"project_slug": "null", "ingress_host": "on"}


@pytest.fixture(scope="module")
def odd(new_service: Callable[..., Path]) -> Path:
    return new_service(**ODD_TEXTS, **ODD_WORDS)


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from (*texts(key), *texts(value))
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)
    elif isinstance(node, str):
        yield node


def test_pyproject_holds_the_exact_texts(odd: Path) -> None:
    pyproject = tomllib.loads((odd / "pyproject.toml").read_text(encoding="utf-8"))
    assert pyproject["tool"]["service"]["title"] == ODD_TEXTS["project_name"]
    project = pyproject["project"]
    assert project["name"] == ODD_WORDS["project_slug"]
    assert project["description"] == ODD_TEXTS["description"]
    assert project["authors"] == [{"name": ODD_TEXTS["owner"]}]


def test_yaml_files_hold_the_exact_texts(odd: Path, template: Path) -> None:
    files = [name for name in contents(odd) if name.endswith((".yaml", ".yml")) and not name.startswith("chart/")]
    assert files
    for name in files:
        source = (template / SERVICE / name).read_text(encoding="utf-8")
        found = set(texts(list(yaml.safe_load_all((odd / name).read_text(encoding="utf-8")))))
        for field, value in {**ODD_TEXTS, **ODD_WORDS}.items():
            if f"<<cookiecutter.{field}>>" in source.replace(" ", "").replace("__quoted.", ""):
                assert any(value in text for text in found), f"{name}: {field}"


def test_the_readme_and_the_license_name_them(odd: Path) -> None:
    readme = (odd / "README.md").read_text(encoding="utf-8")
    assert f"# {ODD_TEXTS['project_name']}\n" in readme
    assert ODD_TEXTS["description"] in readme
    assert ODD_TEXTS["owner"] in (odd / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Zoë's Items", "zoe-s-items"),
        ("Größe 42", "grosse-42"),
        ("An Extraordinarily Long Name That Nobody Would Want", "an-extraordinarily-long-name-that-nobody"),
    ],
)
def test_the_slug_follows_the_name(new_service: Callable[..., Path], name: str, slug: str) -> None:
    assert new_service(project_name=name).name == slug
