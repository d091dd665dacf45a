"""The dependencies of the image, checked without a build: every pin has wheels for Alpine, with a limited size."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from harness.repository import REPOSITORY, SERVICE

FOLDER = REPOSITORY / SERVICE
PYTHONS: list[str] = json.loads((REPOSITORY / "cookiecutter.json").read_text(encoding="utf-8"))["python_version"]
MOST_MEGABYTES = 60
MOST_MEGABYTES_OF_SWAGGER_UI = 3


def pins_for(lock: Path, python: str, machine: str) -> str:
    """Return the lock's entries whose markers match an Alpine image, with their hashes."""
    target = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    kept = []
    for entry in re.split(r"\n(?=[a-z])", lock.read_text(encoding="utf-8")):
        requirement = Requirement(entry.partition("\\")[0])
        if requirement.marker is None or requirement.marker.evaluate(target):
            kept.append(re.sub(r" ;[^\\]*", " ", entry, count=1))
    return "\n".join(kept)


def pip_for_alpine(command: str, python: str, machine: str, requirements: Path, *options: str) -> None:
    """Run pip with the image as target platform: it considers only wheels for musl and the image's Python."""
    platforms = [f"--platform=musllinux_1_{minor}_{machine}" for minor in (1, 2)]
    abis = [f"--abi={abi}" for abi in (f"cp{python.replace('.', '')}", "abi3", "none")]
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--only-binary=:all:",
         "--no-deps", "--require-hashes", f"--python-version={python}", "--implementation=cp", *platforms, *abis,
         *options,
         f"--requirement={requirements}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("lock", "least"),
    [("requirements-gunicorn.txt", 20), ("requirements-migrations.txt", 4), ("requirements-test.txt", 10)],
)
def test_every_pin_has_a_wheel_for_alpine(lock: str, least: int, python: str, machine: str, tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"
    pins.write_text(pins_for(FOLDER / lock, python, machine), encoding="utf-8")
    pip_for_alpine("download", python, machine, pins, f"--dest={tmp_path / 'wheels'}")
    wheels = list((tmp_path / "wheels").iterdir())
    assert len(wheels) == pins.read_text(encoding="utf-8").count("==") > least
    assert all(wheel.suffix == ".whl" for wheel in wheels)


@pytest.mark.skipif(not shutil.which("strip"), reason="needs strip, of binutils")
def test_the_environment_stays_small(tmp_path: Path) -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    [strip] = re.findall(r"-exec (strip .*) {} \+", dockerfile)
    [unwanted] = re.findall(r"^RUN find /venv (.* -delete)$", dockerfile, re.MULTILINE)
    pins, environment = tmp_path / "requirements.txt", tmp_path / "environment"
    pins.write_text(pins_for(FOLDER / "requirements-gunicorn.txt", PYTHONS[0], "x86_64"), encoding="utf-8")
    pip_for_alpine("install", PYTHONS[0], "x86_64", pins, f"--target={environment}", "--no-compile")
    subprocess.run([*strip.split(), *environment.rglob("*.so*")], check=True)
    subprocess.run(["find", environment, *shlex.split(unwanted)], check=True)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(environment)], check=True)
    size = sum(file.stat().st_size for file in environment.rglob("*") if file.is_file()) / 1e6
    print(f"the image's environment: {size:.0f} MB with bytecode")
    assert size <= MOST_MEGABYTES
    swagger_ui = sum(file.stat().st_size for file in (environment / "offapi").rglob("*")) / 1e6
    assert 1 < swagger_ui <= MOST_MEGABYTES_OF_SWAGGER_UI


def test_both_locks_hold_the_same_versions_but_for_gunicorn() -> None:
    def versions(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (FOLDER / name).read_text(encoding="utf-8"), re.MULTILINE))

    more = versions("requirements-gunicorn.txt") - versions("requirements.txt")
    assert [pin.partition("==")[0] for pin in more] == ["gunicorn"]
    assert versions("requirements.txt") < versions("requirements-dev.txt")
    assert versions("requirements-gunicorn.txt") < versions("requirements-gunicorn-dev.txt")
    assert (
        versions("requirements-migrations.txt") < versions("requirements-test.txt") < versions("requirements-dev.txt")
    )
    assert "alembic" not in str(versions("requirements.txt"))
