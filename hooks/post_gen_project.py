"""Removes the files that were not chosen and records the answers. The result depends on the answers only."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

HOW_TO = "docs/chassis/how-to"
GUNICORN = [
    "app_wsgi.py",
    "guniconfig.py",
    "chassis/server/gunicorn.py",
    f"{HOW_TO}/run-under-gunicorn.md",
]
GUNICORN_LOCKS = {
    "requirements-gunicorn.txt": "requirements.txt",
    "requirements-gunicorn-dev.txt": "requirements-dev.txt",
}
WORKFLOWS = [f".github/workflows/{name}.yml" for name in ("ci", "delivery", "dependencies", "deploy")]
PIPELINES = {
    "github": [
        *WORKFLOWS,
        ".github/actionlint.yaml",
        ".github/dependabot.yml",
        ".github/zizmor.yml",
        *(f"{HOW_TO}/{page}.md" for page in ("set-up-the-github-pipeline", "verify-a-github-image")),
    ],
    "gitlab": [
        ".gitlab-ci.yml",
        "renovate.json",
        *(f"{HOW_TO}/{page}.md" for page in ("set-up-the-gitlab-pipeline", "verify-a-gitlab-image")),
    ],
}
LICENSES = {license_id: f"LICENSE.{license_id}" for license_id in ("MIT", "Apache-2.0", "LicenseRef-Proprietary")}
# cookiecutter copies these along if the template is a folder that was worked in.
CACHES = {"__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


def choose(answers: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Return the files to remove, and the files to rename."""
    renamed = {LICENSES[answers["license"]]: "LICENSE"}
    removed = [path for license_id, path in LICENSES.items() if license_id != answers["license"]]
    removed += [path for pipeline, paths in PIPELINES.items() if pipeline != answers["ci"] for path in paths]
    if answers["gunicorn"] == "yes":
        renamed |= GUNICORN_LOCKS
    else:
        removed += [*GUNICORN, *GUNICORN_LOCKS]
    return removed, renamed


def remove(path: Path) -> None:
    path.unlink()
    for parent in path.parents[:-1]:
        if any(parent.iterdir()):
            break
        parent.rmdir()


def note_origin(answers: dict[str, Any]) -> None:
    # The starting point for `make update`, in cruft's format. The version is a release's tag, so it works as a commit.
    origin = {
        "template": answers["_template_url"],
        "commit": answers["_version"],
        "checkout": None,
        "context": {"cookiecutter": {name: value for name, value in answers.items() if not name.startswith("_")}},
        "directory": None,
    }
    Path(".cruft.json").write_text(json.dumps(origin, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    if not Path("chart").is_dir():
        sys.exit(
            "The template's link <service>/chart was not copied as a link, so the chart is missing; zip files and "
            "Git with core.symlinks=false lose it.\nGenerate from Git on Linux, macOS or WSL 2, for example: "
            "cookiecutter gh:OWNER/REPOSITORY"
        )
    answers = json.loads(r"""<< cookiecutter | tojson >>""")
    removed, renamed = choose(answers)
    if missing := [path for path in [*removed, *renamed] if not Path(path).is_file()]:
        sys.exit(f"The template is incomplete, these files are missing: {', '.join(missing)}")
    for path in removed:
        remove(Path(path))
    for source, target in renamed.items():
        Path(source).replace(target)
    if "_commit" not in answers:  # cruft sets `_commit` and writes the file itself
        note_origin(answers)
    for cache in [path for path in Path().rglob("*") if path.name in CACHES]:
        shutil.rmtree(cache, ignore_errors=True)  # caches can be nested


if __name__ == "__main__":
    main()
