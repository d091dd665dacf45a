"""`make lock`: refreshes every lock from its pyproject.toml, with uv. A service has two: with Gunicorn and without."""

import json
import subprocess
import tempfile
from pathlib import Path

from jinja2 import Environment

ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "<<cookiecutter.project_slug>>"


def lock(pyproject: Path, runtime: Path, development: Path) -> None:
    """Writes the locks of a project: what it needs to run, and that together with what its developers need."""
    compile_ = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-annotate", "--no-header"]
    project = pyproject.name
    for target, options in ((runtime, ["--upgrade"]), (development, ["--group", "dev", "--constraint", str(runtime)])):
        print(f"Locking {target.relative_to(ROOT)} …", flush=True)
        command = [*compile_, project, *options, "--output-file", str(target)]
        subprocess.run(command, cwd=pyproject.parent, check=True)


def main() -> None:
    """Refreshes all locks."""
    lock(ROOT / "pyproject.toml", ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
    questions = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    environment = Environment(autoescape=False, **questions["_jinja2_env_vars"])  # noqa: S701  (TOML, not HTML)
    template = environment.from_string((SERVICE / "pyproject.toml").read_text(encoding="utf-8"))
    for gunicorn, suffix in (("no", ""), ("yes", "-gunicorn")):
        answers = dict.fromkeys(questions, "x") | {"gunicorn": gunicorn, "__quoted": dict.fromkeys(questions, "x")}
        with tempfile.TemporaryDirectory() as folder:
            pyproject = Path(folder, "pyproject.toml")
            pyproject.write_text(template.render(cookiecutter=answers), encoding="utf-8")
            lock(pyproject, SERVICE / f"requirements{suffix}.txt", SERVICE / f"requirements{suffix}-dev.txt")


if __name__ == "__main__":
    main()
