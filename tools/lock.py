"""`make lock`: refreshes every lock from its pyproject.toml, with uv. A service has them with Gunicorn and without."""

import json
import subprocess
import tempfile
from pathlib import Path

from jinja2 import Environment
from uv import find_uv_bin

ROOT = Path(__file__).parents[1]
# What is younger than a week may still be taken back, or turn out to be somebody else's.
_UPGRADE = ("--upgrade", "--exclude-newer", "7 days")
SERVICE = ROOT / "<<cookiecutter.project_slug>>"


def lock(project: Path, target: Path, *arguments: str) -> None:
    """Writes one lock of the project in a folder."""
    print(f"Locking {target.relative_to(ROOT)} …", flush=True)
    options = ["--quiet", "--universal", "--generate-hashes", "--no-annotate", "--no-header"]
    command = [find_uv_bin(), "pip", "compile", *options, *arguments, "--output-file", str(target)]
    subprocess.run(command, cwd=project, check=True)


def lock_both(project: Path, folder: Path, suffix: str = "") -> Path:
    """Writes what a project needs to run, and that together with what its developers need; returns the latter."""
    runtime, development = folder / f"requirements{suffix}.txt", folder / f"requirements{suffix}-dev.txt"
    lock(project, runtime, "pyproject.toml", *_UPGRADE)
    lock(project, development, "pyproject.toml", "--group", "dev", "--constraint", str(runtime))
    return development


def main() -> None:
    """Refreshes all locks."""
    development = lock_both(ROOT, ROOT)
    lock(ROOT, ROOT / "requirements-checkov.txt", "--group", "checkov", *_UPGRADE)  # it pins what others want newer
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
            for group in ("migrations", "test"):  # the same for both
                target = SERVICE / f"requirements-{group}.txt"
                lock(project, target, "--group", group, "--constraint", str(development))
    # What the service uses, too, is compared with it at the same version.
    peers = ROOT / "benchmarks" / "peers" / "requirements.txt"
    lock(ROOT, peers, "--group", "peers", "--constraint", str(SERVICE / "requirements.txt"), *_UPGRADE)


if __name__ == "__main__":
    main()
