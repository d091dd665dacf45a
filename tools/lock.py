"""`make lock`: updates every lock from its pyproject.toml, with uv. A service has locks with and without Gunicorn."""

import json
import subprocess
import tempfile
from pathlib import Path

from jinja2 import Environment
from uv import find_uv_bin

from harness import repository

ROOT = repository.REPOSITORY
SERVICE = ROOT / repository.SERVICE
# Skip releases younger than a week: they may still be withdrawn, or turn out to be malicious.
_UPGRADE = ("--upgrade", "--exclude-newer", "7 days")


def lock(project: Path, target: Path, *arguments: str) -> None:
    """Write one lock of a project."""
    print(f"Locking {target.relative_to(ROOT)} …", flush=True)
    options = ["--quiet", "--universal", "--generate-hashes", "--no-annotate", "--no-header"]
    command = [find_uv_bin(), "pip", "compile", *options, *arguments, "--output-file", str(target)]
    subprocess.run(command, cwd=project, check=True)


def lock_both(project: Path, folder: Path, suffix: str = "") -> Path:
    """Write the runtime lock and the development lock of a project, and return the path of the latter."""
    runtime, development = folder / f"requirements{suffix}.txt", folder / f"requirements{suffix}-dev.txt"
    lock(project, runtime, "pyproject.toml", *_UPGRADE)
    lock(project, development, "pyproject.toml", "--group", "dev", "--constraint", str(runtime))
    return development


def main() -> None:
    """Update all locks."""
    development = lock_both(ROOT, ROOT)
    lock(ROOT, ROOT / "requirements-checkov.txt", "--group", "checkov", *_UPGRADE)  # its pins conflict with other locks
    lock(ROOT, ROOT / "requirements-oldest.txt", "--group", "oldest", *_UPGRADE)
    lock(ROOT, ROOT / "requirements-bench.txt", "pyproject.toml", "--group", "bench", "--constraint", str(development))
    questions = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    environment = Environment(autoescape=False, **questions["_jinja2_env_vars"])  # noqa: S701  (TOML, not HTML)
    template = environment.from_string((SERVICE / "pyproject.toml").read_text(encoding="utf-8"))
    for gunicorn, suffix in (("no", ""), ("yes", "-gunicorn")):
        answers = dict.fromkeys(questions, "x") | {"gunicorn": gunicorn, "__quoted": dict.fromkeys(questions, "x")}
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            (project / "pyproject.toml").write_text(template.render(cookiecutter=answers), encoding="utf-8")
            development = lock_both(project, SERVICE, suffix)
            for group in ("migrations", "test"):  # the same with and without Gunicorn
                target = SERVICE / f"requirements-{group}.txt"
                lock(project, target, "--group", group, "--constraint", str(development))
    # Pin the packages that the service also uses to the same versions: they share an environment.
    ecosystem, of_services = ROOT / "requirements-ecosystem.txt", SERVICE / "requirements-dev.txt"
    lock(ROOT, ecosystem, "--group", "ecosystem", "--constraint", str(of_services), *_UPGRADE)
    # The same, for a fair comparison.
    peers = ROOT / "benchmarks" / "peers" / "requirements.txt"
    lock(ROOT, peers, "--group", "peers", "--constraint", str(SERVICE / "requirements.txt"), *_UPGRADE)


if __name__ == "__main__":
    main()
