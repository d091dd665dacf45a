"""The chassis' own tests, in tests/chassis, laid over baked services.

All of them run on the default service, on this Python: CI does so on every Python that is supported. Then those run
again that an answer or a version makes a difference to.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.environments import python_for
from harness.laid_over import lay_over
from tests.services import run

OLDEST_POSTGRES = "16"  # of those that the embedded PostgreSQL has
ON_POSTGRES = ["admission", "batched_reads", "database_faults", "health", "idempotency", "lint_migrations"]
ON_POSTGRES += ["migrations", "pagination", "problems", "tls"]
# Those with annotations that are read, and with signals, sockets and processes.
ON_PYTHON = ["commands", "connection", "endpoint", "models", "resources", "server", "tls", "types"]


def other_pythons() -> list[str]:
    """Return the oldest and the newest Python on this machine that a service supports, besides this one."""
    programs = [f"python3.{minor}" for minor in range(11, 15) if minor != sys.version_info.minor]
    found = [program for program in programs if _runs(program)]
    return found if len(found) <= 2 else [found[0], found[-1]]


def _runs(program: str) -> bool:
    # A version manager may have a program that tells only how to choose this version.
    return (
        bool(shutil.which(program))
        and not subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode
    )


@pytest.fixture(scope="module")
def default(new_service: Callable[..., Path]) -> Path:
    """Bake a service with the default answers, with the chassis' tests in it."""
    return lay_over(new_service())


def chassis_tests(*names: str) -> list[str]:
    return [f"tests/chassis/test_{name}.py" for name in names]


def test_they_are_formatted_linted_and_typed(default: Path, tools: Path) -> None:
    python_for(default)
    run(default, tools, "make", "lint")


def test_they_import_nothing_that_the_image_of_the_tests_lacks(default: Path) -> None:
    modules = {
        name.partition(".")[0]
        for file in (default / "tests" / "chassis").glob("*.py")
        for statement in ast.parse(file.read_text("utf-8")).body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for name in ([statement.module or ""] if isinstance(statement, ast.ImportFrom) else names_of(statement))
    } - {"app", "chassis", "harness", "tests", *sys.stdlib_module_names}
    program = "import importlib.metadata, json; print(json.dumps(importlib.metadata.packages_distributions()))"
    printed = subprocess.run([python_for(default), "-c", program], check=True, capture_output=True, text=True).stdout
    distributions = json.loads(printed)
    locks = "".join((default / f"requirements{which}.txt").read_text("utf-8") for which in ("", "-migrations", "-test"))
    locked = re.findall(r"^([\w.-]+)==", locks, re.MULTILINE)
    assert {
        name for name in modules if not {each.lower().replace("_", "-") for each in distributions[name]} & {*locked}
    } == set()


def names_of(statement: ast.Import) -> list[str]:
    return [alias.name for alias in statement.names]


def test_all_of_them_pass_on_the_default_service(default: Path, tools: Path) -> None:
    said = pytest_in(default, tools, "tests/chassis")
    assert "skipped" not in said


def test_the_process_manager_s_pass_where_it_was_chosen(new_service: Callable[..., Path], tools: Path) -> None:
    service = lay_over(new_service(gunicorn="yes"))
    pytest_in(service, tools, *chassis_tests("gunicorn", "architecture"))


def test_those_on_the_database_pass_on_the_oldest_postgresql(default: Path, tools: Path) -> None:
    pytest_in(default, tools, *chassis_tests(*ON_POSTGRES), POSTGRES_VERSION=OLDEST_POSTGRES)


@pytest.mark.parametrize("python", other_pythons())
def test_those_on_the_interpreter_pass_on_another_python(default: Path, tools: Path, python: str) -> None:
    pytest_in(default, tools, "tests/app", *chassis_tests(*ON_PYTHON), python=python)


def pytest_in(service: Path, tools: Path, *arguments: str, python: str = "", **variables: str) -> str:
    """Run pytest in a service, in several processes, and return its output."""
    program = str(python_for(service, python))
    in_parallel = ["--numprocesses=auto", "--maxprocesses=4", "--dist=worksteal"]
    said = run(service, tools, program, "-m", "pytest", *in_parallel, *arguments, **variables)
    assert " passed" in said
    return said
