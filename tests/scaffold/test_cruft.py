"""cruft creates a service, detects that the template has changed, and applies the change to the service."""

import os
import shutil
from pathlib import Path

import cruft
import pytest

from harness.baking import own_settings
from harness.git import commit, git, repository
from harness.repository import SERVICE
from tests.answers import ODD_TEXTS

ANSWERS = {**ODD_TEXTS, "project_slug": "items-service", "gunicorn": "yes", "ci": "gitlab", "license": "Apache-2.0"}


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.fixture(autouse=True)
def own_git_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "somebody@example.com")


def test_a_change_of_the_template_reaches_a_service(template: Path, tmp_path: Path) -> None:
    source = repository(shutil.copytree(template, tmp_path / "template", symlinks=True))
    with own_settings():
        service = repository(cruft.create(str(source), tmp_path, no_input=True, extra_context=dict(ANSWERS)))
        assert cruft.check(service)

        append(service / "app/routes.py", "\n# the team's own line\n")
        commit(service)
        append(source / SERVICE / "chassis/__init__.py", "\n# changed\n")
        (source / SERVICE / "chassis/added.py").write_text("added = True\n", encoding="utf-8")
        append(source / SERVICE / "README.md", "\nChanged for <<cookiecutter.project_name>>.\n")
        append(source / "chart/values.yaml", "# changed\n")
        removed = min((source / "chart/templates").glob("*.yaml")).relative_to(source)
        (source / removed).unlink()
        commit(source)

        assert not cruft.check(service)
        assert cruft.update(service, skip_apply_ask=True)
        assert cruft.check(service)

    assert git(service, "diff", "--name-only", "--diff-filter=U") == ""
    assert not list(service.rglob("*.rej"))
    assert (service / "chassis/__init__.py").read_text(encoding="utf-8").endswith("\n# changed\n")
    assert (service / "chassis/added.py").exists()
    assert not (service / removed).exists()
    assert (service / "chart/values.yaml").read_text(encoding="utf-8").endswith("# changed\n")
    assert (service / "README.md").read_text(encoding="utf-8").endswith(f"\nChanged for {ODD_TEXTS['project_name']}.\n")
    assert (service / "app/routes.py").read_text(encoding="utf-8").endswith("# the team's own line\n")
