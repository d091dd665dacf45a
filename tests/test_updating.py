"""A service of an earlier release, with typical changes by its team, passes its checks after an update."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cruft
import pytest
from uv import find_uv_bin

from harness.baking import bake, own_settings
from harness.environments import python_for
from harness.git import commit, git, repository
from harness.releases import releases, write_release
from harness.repository import REPOSITORY, copy_what_git_would_commit
from tests.answers import EXAMPLE, QUESTIONS
from tests.contents import contents
from tests.services import run

ANSWERS = EXAMPLE | {
    "project_name": "Book Service",
    "project_slug": "book-service",
    "image_repository": "ghcr.io/example-team/book-service",
    "ci": "gitlab",
    "python_version": "3.13",
}
LOCKS = {f"requirements{suffix}.txt" for suffix in ("", "-dev", "-migrations", "-test")}
MADE = {"openapi.json", *LOCKS}


# A test of the chassis that services had up to 0.2.1.
GONE = "tests/chassis/test_cors.py"
# The current release is left out: there is nothing to update.
EARLIER = [(version, commit) for version, commit in releases().items() if version != QUESTIONS["_version"]]


@pytest.fixture(scope="module", params=EARLIER, ids=lambda release: release[0])
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Yield a repository of the template with two commits, a release and the current state, and the release's hash."""
    template = tmp_path_factory.mktemp("template")
    git(template, "init", "--quiet", "--initial-branch=main")
    write_release(request.param[1], template)
    released = commit(template)
    for each in template.iterdir():
        if each.name != ".git":
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    copy_what_git_would_commit(template)
    commit(template)
    with own_settings():
        yield template, released


def replace(file: Path, pattern: str, text: str) -> None:
    """Replace the only match of a pattern in a file."""
    changed, count = re.subn(pattern, text, file.read_text(encoding="utf-8"))
    assert count == 1, f"{pattern} is {count} times in {file}"
    file.write_text(changed, encoding="utf-8")


def rename_the_example(service: Path) -> None:
    """Rename items to books by search and replace, which works in every release. The words have the same length."""
    files = [*service.glob("app/**/*.py"), *service.glob("tests/app/*.py"), *service.glob("migrations/versions/*.py")]
    for file in [*files, service / "deploy" / "values.yaml"]:
        text = file.read_text(encoding="utf-8")
        for old, new in (("an item", "a book"), ("item", "book"), ("Item", "Book")):
            text = text.replace(old, new)
        # Restore the names that belong to others: the items of a page and of a mapping, and `operator.itemgetter`.
        text = re.sub(
            r'\["books"\]|"books": \[\]|\.books\(\)|fields\.books|bookgetter',
            lambda m: m[0].replace("book", "item"),
            text,
        )
        file.write_text(text, encoding="utf-8")
        if "item" in file.name:
            file.rename(file.with_name(file.name.replace("item", "book")))
    (service / "app" / "items").rename(service / "app" / "books")


def change_as_a_team_does(service: Path) -> None:
    """Make a team's usual changes: resource, example, route, dependency, setting, image, values, README.

    And an unusual one, in a test that belongs to the template.
    """
    rename_the_example(service)
    (service / "app" / "settings.py").open("a", encoding="utf-8").write('\n    currency: str = "EUR"\n')
    (service / "app" / "currency.py").write_text(
        '"""What it is paid in."""\n\nfrom app.settings import Settings\nfrom chassis.models import Row\n\n\n'
        'class Currency(Row):\n    """By its code in ISO 4217."""\n\n    code: str\n\n\n'
        "async def read_currency(settings: Settings) -> Currency:\n"
        '    """Read the currency"""\n    return Currency(code=settings.currency)\n',
        encoding="utf-8",
    )
    routes = service / "app" / "routes.py"
    replace(routes, r"(?m)^\]$", '    Route("GET", "/v1/currency", read_currency),\n]')
    replace(routes, r"(?m)^from chassis.contract", "from app.currency import read_currency\nfrom chassis.contract")
    replace(service / "pyproject.toml", r'(?m)^version = "0.1.0"$', 'version = "3.2.1"')
    replace(service / "pyproject.toml", r"(?m)^(    \"aiohttp>=.*\n)", r'\1    "babel>=2.17",\n')
    replace(service / "Dockerfile", r"(?m)^EXPOSE .*\n", r"\g<0>ENV TZ=Europe/Oslo\n")
    replace(service / "deploy" / "production.yaml", r"(?m)^config:\n", r"\g<0>  logLevel: WARNING\n")
    replace(service / "README.md", r"(?m)^An aiohttp service on", r"Questions: ask in #books.\n\n\g<0>")
    if (service / GONE).exists():
        (service / GONE).open("a", encoding="utf-8").write("\n# Our pages call from two origins.\n")


def update(service: Path, *options: str) -> tuple[bool, str]:
    """Update a service with the template's script, because services of 0.1.0 and 0.2.0 have no `make update`.

    Returns:
        Whether everything was merged, and the output.
    """
    command = ["make", "update", f"SERVICE={service}", "REF=main", f"VENV={sys.prefix}", *options]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def test_a_service_that_was_changed_takes_the_update(history: tuple[Path, str], tmp_path: Path, tools: Path) -> None:
    template, released = history
    service = cruft.create(str(template), tmp_path, checkout=released, no_input=True, extra_context=dict(ANSWERS))
    change_as_a_team_does(service)
    repository(service)
    before = contents(service)
    running = git(service, "rev-parse", "HEAD").strip()

    merged, said = update(service)
    if GONE in before:
        assert not merged, "a file that the team has changed is gone"
        assert re.findall(r"(?m)^  (\S+): (.*)", said) == [
            (GONE, "you changed it and the template deleted it: keep it with `git add`, or delete it with `git rm`")
        ]
        git(service, "rm", "--quiet", GONE)
    else:
        assert merged, said
    after = contents(service)
    assert not [name for name in after if name.startswith("tests/chassis/")]
    for name, content in before.items():
        if name.startswith(("app/", "tests/app/", "migrations/versions/")):
            assert after[name] == content, f"{name} is the team's"
    commit(service)

    path = f"{Path(find_uv_bin()).parent}:{os.environ['PATH']}"
    run(service, tools, "make", "lock", PATH=path)
    run(service, tools, "make", "openapi")
    if released == EARLIER[-1][1]:
        assert " passed" in run(service, tools, "make", "check")
        said = run(service, tools, "make", "rolling-upgrade", f"FROM={running}")
        assert f"The code of {running} works on the present schema." in said
    else:  # the last release covers the template's part of the checks
        run(service, tools, "make", "lint", "chart")
        assert " passed" in run(service, tools, str(python_for(service)), "-m", "pytest", "tests/app")
    assert "TZ=Europe/Oslo" in (service / "Dockerfile").read_text(encoding="utf-8")
    assert "ask in #books" in (service / "README.md").read_text(encoding="utf-8")


def test_a_service_that_was_baked_without_cruft_joins(
    history: tuple[Path, str], tmp_path: Path, new_service: Callable[..., Path]
) -> None:
    template, released = history
    git(template, "checkout", "--quiet", released)
    service = bake(template, tmp_path, ANSWERS)
    git(template, "checkout", "--quiet", "main")
    (service / ".cruft.json").unlink(missing_ok=True)  # every service has one since 0.2.1
    repository(service)

    merged, said = update(service, f"TEMPLATE={template}", f"FROM={released}", f"ANSWERS={json.dumps(ANSWERS)}")
    assert merged, said
    skipped = ("app/", "tests/app/", "migrations/versions/", ".editorconfig", ".vscode/")
    shared = {
        name: content
        for name, content in contents(service).items()
        if not name.startswith((".git/", *skipped)) and name not in {*MADE, ".cruft.json"}
    }
    baked = {
        name: content
        for name, content in contents(new_service(**ANSWERS)).items()
        if not name.startswith(skipped) and name not in {*MADE, ".cruft.json"}
    }
    assert shared == baked
