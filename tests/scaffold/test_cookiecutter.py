"""The oldest supported cookiecutter produces the same files as the newest one."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from tests.answers import matrix
from tests.contents import contents


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment with the oldest supported cookiecutter."""
    environment = tmp_path_factory.mktemp("oldest")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    lock = REPOSITORY / "requirements-oldest.txt"
    options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps", f"--requirement={lock}"]
    subprocess.run([python, "-m", "pip", "install", *options], check=True)
    return python


@pytest.mark.parametrize("answers", matrix(), ids=lambda answers: answers.get("project_slug", "defaults"))
def test_the_oldest_makes_the_same_bytes(
    oldest: Path, template: Path, new_service: Callable[..., Path], tmp_path: Path, answers: dict[str, str]
) -> None:
    given = [f"{name}={answer}" for name, answer in answers.items()]
    options = ["--no-input", "--output-dir", str(tmp_path / "made")]
    command = [str(oldest), "-m", "cookiecutter", *options, str(template), *given]
    subprocess.run(command, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, check=True)
    [made] = (tmp_path / "made").iterdir()
    assert contents(made) == contents(new_service(**answers))


def test_it_is_the_one_that_pyproject_allows() -> None:
    lock = (REPOSITORY / "requirements-oldest.txt").read_text(encoding="utf-8")
    pyproject = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    [oldest] = [line.split()[0].partition("==")[2] for line in lock.splitlines() if line.startswith("cookiecutter==")]
    assert f'"cookiecutter>={oldest.removesuffix(".0")}"' in pyproject
