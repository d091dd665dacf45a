"""The files of a baked service."""

import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest
from cookiecutter.exceptions import FailedHookException

from harness.baking import bake
from harness.repository import REPOSITORY, SERVICE
from tests.answers import CHOICES, QUESTIONS, matrix
from tests.contents import contents

PIPELINES = {
    "github": [
        ".github/actionlint.yaml",
        ".github/dependabot.yml",
        ".github/workflows/ci.yml",
        ".github/workflows/delivery.yml",
        ".github/workflows/dependencies.yml",
        ".github/workflows/deploy.yml",
        ".github/zizmor.yml",
    ],
    "gitlab": [".gitlab-ci.yml", "renovate.json"],
    "none": [],
}


@pytest.fixture
def own_template(template: Path, tmp_path: Path) -> Path:
    """Return a copy of the template that a test may change."""
    return shutil.copytree(template, tmp_path / "template", symlinks=True)


def is_copied(name: str) -> bool:
    paths = [name, *map(str, Path(name).parents)]
    return any(fnmatch(path, pattern) for path in paths for pattern in QUESTIONS["_copy_without_render"])


@pytest.mark.parametrize("answers", matrix(), ids=lambda answers: answers.get("project_slug", "defaults"))
def test_the_same_answers_give_the_same_bytes(new_service: Callable[..., Path], answers: dict[str, str]) -> None:
    assert contents(new_service(**answers)) == contents(new_service(**answers))


@pytest.mark.parametrize("answers", matrix(), ids=lambda answers: answers.get("project_slug", "defaults"))
def test_nothing_of_the_template_language_is_left_over(
    new_service: Callable[..., Path], answers: dict[str, str]
) -> None:
    for name, (_, content) in contents(new_service(**answers)).items():
        if not is_copied(name):
            for leftover in (b"<<", b"<%", b"<#", b"#%", b"cookiecutter."):
                assert leftover not in content, f"{name}: {leftover!r}"


def test_what_is_copied_is_the_same_bytes(service: Path, template: Path) -> None:
    source = contents(template / SERVICE)
    copied = {name: value for name, value in contents(service).items() if is_copied(name)}
    assert {Path(name).parts[0] for name in copied} >= {"app", "chart", "chassis", "docs", "migrations", "tests"}
    assert copied == {name: source.get(name) or contents(template)[name] for name in copied}


def test_the_chart_is_the_templates_as_real_files(service: Path, template: Path) -> None:
    assert contents(service / "chart") == contents(template / "chart")
    assert not [path for path in service.rglob("*") if path.is_symlink()]


def test_without_gunicorn_no_trace_of_it(new_service: Callable[..., Path]) -> None:
    # The chart is the same for all services, with the choice as a value; .cruft.json contains the answers.
    files = contents(new_service(gunicorn="no"))
    others = {name for name in files if name.startswith("chart/")} | {".cruft.json"}
    elsewhere = {name: content for name, (_, content) in files.items() if name not in others}
    assert [name for name, content in elsewhere.items() if b"gunicorn" in (name.encode() + content).lower()] == []
    assert {"app_wsgi.py", "guniconfig.py"}.isdisjoint(files)


def test_with_gunicorn_its_locks_take_the_usual_names(new_service: Callable[..., Path], template: Path) -> None:
    files = contents(new_service(gunicorn="yes"))
    source = contents(template / SERVICE)
    assert files["requirements.txt"] == source["requirements-gunicorn.txt"]
    assert files["requirements-dev.txt"] == source["requirements-gunicorn-dev.txt"]
    assert {
        "app_wsgi.py",
        "guniconfig.py",
        "chassis/server/gunicorn.py",
        "docs/chassis/how-to/run-under-gunicorn.md",
    } <= {*files}
    assert not [name for name in files if name.startswith("requirements-gunicorn")]


@pytest.mark.parametrize("ci", CHOICES["ci"])
def test_only_the_chosen_pipeline_is_there(new_service: Callable[..., Path], ci: str) -> None:
    files = contents(new_service(ci=ci, python_version="3.13"))
    others = {path for pipeline, paths in PIPELINES.items() if pipeline != ci for path in paths}
    assert [name for name in files if name.startswith(".github/") or name in others] == (
        PIPELINES[ci] if ci == "github" else []
    )
    assert {*PIPELINES[ci]} <= {*files}
    for path in PIPELINES[ci]:
        assert b"3.14" not in files[path][1]
    assert ci == "none" or any(b"3.13" in files[path][1] for path in PIPELINES[ci])
    guides = {Path(name).stem for name in files if name.startswith("docs/chassis/how-to/")}
    for pipeline in PIPELINES:
        pages = {f"set-up-the-{pipeline}-pipeline", f"verify-a-{pipeline}-image"}
        assert guides & pages == (pages if pipeline == ci != "none" else set())


@pytest.mark.parametrize(
    ("license_id", "words"),
    [
        ("MIT", "Permission is hereby granted"),
        ("Apache-2.0", "Version 2.0"),
        ("LicenseRef-Proprietary", "All rights reserved"),
    ],
)
def test_only_the_chosen_license_is_there(new_service: Callable[..., Path], license_id: str, words: str) -> None:
    assert license_id in CHOICES["license"]
    service = new_service(license=license_id, owner="Example Team")
    assert [path.name for path in service.glob("LICENSE*")] == ["LICENSE"]
    text = (service / "LICENSE").read_text(encoding="utf-8")
    assert words in text
    assert "Example Team" in text


def test_caches_do_not_come_along(own_template: Path, tmp_path: Path) -> None:
    for cache in (
        "app/__pycache__/x.pyc",
        ".mypy_cache/3.13/__pycache__/x.pyc",
        "tests/.pytest_cache/x",
        ".hypothesis/x",
    ):
        (own_template / SERVICE / cache).parent.mkdir(parents=True)
        (own_template / SERVICE / cache).write_bytes(b"\0")
    service = bake(own_template, tmp_path, {})
    caches = {"__pycache__", ".mypy_cache", ".pytest_cache", ".hypothesis", "x", "x.pyc"}
    assert not [path for path in service.rglob("*") if path.name in caches]


def test_a_lost_link_is_explained(own_template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Zip files and Git on Windows replace a symbolic link by a file that contains the name of its target."""
    link = own_template / SERVICE / "chart"
    link.unlink()
    link.write_text("../chart", encoding="utf-8")
    output = tmp_path / "output"
    output.mkdir()
    with pytest.raises(FailedHookException):
        bake(own_template, output, {})
    assert "Generate from Git" in capfd.readouterr().err
    assert list(output.iterdir()) == []


def test_missing_files_are_named(own_template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    missing = ["chassis/server/gunicorn.py", "LICENSE.MIT"]
    for name in missing:
        (own_template / SERVICE / name).unlink()
    with pytest.raises(FailedHookException):
        bake(own_template, tmp_path, {"gunicorn": "no", "license": "MIT"})
    assert ", ".join(missing) in capfd.readouterr().err


def test_every_question_is_asked_in_words_and_explained() -> None:
    questions = [name for name in QUESTIONS if not name.startswith("_")]
    explained = (REPOSITORY / "docs/answers.md").read_text(encoding="utf-8")
    assert list(QUESTIONS["__prompts__"]) == questions
    assert [name for name in questions if f"| `{name}` |" not in explained] == []
