"""`make update` merges the changes of the template with the changes of the team, and loses none."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.baking import bake
from harness.environments import python_for
from harness.git import commit, git, repository
from harness.repository import SERVICE
from tests.answers import EXAMPLE

LINES = "".join(f"line {number}\n" for number in range(1, 21))


class Template:
    """A repository of the template, in which a test can create releases."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.folder = shutil.copytree(source, folder, symlinks=True)
        # Files that exist only in these tests, so that their content does not depend on the template.
        self.write("shared.txt", LINES)
        self.write("going.txt", LINES)
        self.write("chassis/moving.py", LINES)
        repository(self.folder)
        self.release("9.0.0")

    def write(self, name: str, text: str) -> None:
        file = self.folder / SERVICE / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def release(self, version: str) -> None:
        """Set the version, commit all changes and tag the commit."""
        file = self.folder / "cookiecutter.json"
        questions = json.loads(file.read_text(encoding="utf-8"))
        questions |= {"_version": version, "_template_url": self.folder.as_uri()}
        file.write_text(json.dumps(questions), encoding="utf-8")
        commit(self.folder)
        git(self.folder, "tag", version)


@pytest.fixture(autouse=True)
def no_git_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the user's Git settings: `make update` needs no user name, signing key or merge tool."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


@pytest.fixture
def upstream(template: Path, tmp_path: Path) -> Template:
    """Create a repository of the template with one release."""
    return Template(template, tmp_path / "template")


@pytest.fixture
def service(upstream: Template, tmp_path: Path) -> Path:
    """Bake a service from the first release, in a separate repository."""
    made = repository(bake(upstream.folder, tmp_path / "made", EXAMPLE))
    python_for(made)
    return made


def update(service: Path, *options: str) -> tuple[bool, str]:
    """Run `make update`; return whether it succeeded, and its output."""
    environment = os.environ | {"VENV": str(python_for(service).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["make", "update", *options], cwd=service, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode == 0, done.stdout + done.stderr


def read(service: Path, name: str) -> str:
    return (service / name).read_text(encoding="utf-8")


def replace(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def conflicts(service: Path) -> list[str]:
    return git(service, "diff", "--name-only", "--diff-filter=U").split()


def test_it_takes_the_newest_release_and_not_what_comes_after_it(upstream: Template, service: Path) -> None:
    for version in ("9.9.0", "9.10.0"):
        upstream.write("shared.txt", LINES + version + "\n")
        upstream.release(version)
    upstream.write("shared.txt", LINES + "not released\n")
    commit(upstream.folder)

    fine, said = update(service)
    assert fine, said
    assert "from 9.0.0 to 9.10.0" in said
    assert read(service, "shared.txt") == LINES + "9.10.0\n"
    commit(service)
    fine, said = update(service)
    assert (fine, "nothing to do, this service is at 9.10.0" in said) == (True, True), said
    assert git(service, "status", "--porcelain") == ""

    fine, said = update(service, "REF=main")
    assert fine, said
    assert read(service, "shared.txt") == LINES + "not released\n"
    commit(service)
    fine, said = update(service)
    assert (fine, "nothing to do" in said) == (True, True), "the newest release is older than what it has"

    moved = upstream.folder.rename(upstream.folder.with_name("fork"))
    fine, said = update(service, f"TEMPLATE={os.path.relpath(moved, service)}")
    assert (fine, "nothing to do" in said) == (True, True), said
    assert json.loads(read(service, ".cruft.json"))["template"] == str(moved), "from now on it follows the fork"


@pytest.mark.parametrize("how", ["the same", "a fresh", "a shallow"])
def test_two_updates_in_a_row_merge_what_both_sides_have_changed(
    upstream: Template, service: Path, tmp_path: Path, how: str
) -> None:
    """From the second update on, no commit of the service contains the template's own version of a file."""
    replace(service / "shared.txt", "line 10\n", "the team's line\n")
    (service / "app" / "own.py").write_text("own = True\n", encoding="utf-8")
    commit(service)
    for number, version in enumerate(("9.1.0", "9.2.0", "9.3.0"), 1):
        if how != "the same":
            depth = ["--depth=1"] if how == "a shallow" else []
            clone = tmp_path / f"clone-{number}"
            git(tmp_path, "clone", "--quiet", *depth, service.as_uri(), str(clone))
            service = clone
        replace(upstream.folder / SERVICE / "shared.txt", f"line {number}\n", f"{version}\n")
        replace(upstream.folder / SERVICE / "shared.txt", f"line {20 - number}\n", f"{version}\n")
        upstream.write("app/items/models.py", f"version = '{version}'\n")
        upstream.release(version)
        fine, said = update(service)
        assert fine, said
        assert conflicts(service) == []
        assert not list(service.rglob("*.rej"))
        commit(service)
    expected = LINES.replace("line 10\n", "the team's line\n")
    for number, version in enumerate(("9.1.0", "9.2.0", "9.3.0"), 1):
        expected = expected.replace(f"line {number}\n", f"{version}\n").replace(f"line {20 - number}\n", f"{version}\n")
    assert read(service, "shared.txt") == expected
    assert read(service, "app/own.py") == "own = True\n"
    assert "version" not in read(service, "app/items/models.py"), "the team's own"


def test_what_collides_is_named_marked_and_can_be_undone(upstream: Template, service: Path) -> None:
    replace(service / "README.md", "# Items Service", "# The team's own title")
    for name in ("going.txt", "chassis/moving.py"):
        replace(service / name, "line 10\n", "the team's line\n")
    (service / "coming.txt").write_text("the team's\n", encoding="utf-8")
    before = commit(service)
    replace(upstream.folder / SERVICE / "README.md", "# <<cookiecutter.project_name>>", "# The template's new title")
    (upstream.folder / SERVICE / "going.txt").unlink()
    upstream.write("coming.txt", "the template's\n")
    (upstream.folder / SERVICE / "chassis" / "moved").mkdir()
    (upstream.folder / SERVICE / "chassis" / "moving.py").rename(
        upstream.folder / SERVICE / "chassis" / "moved" / "here.py"
    )
    upstream.write("shared.txt", LINES + "9.1.0\n")
    upstream.release("9.1.0")

    fine, said = update(service)
    assert not fine
    named = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    assert named == [
        "README.md: you and the template changed it: look for <<<<<<<, or choose with git checkout --ours or --theirs",
        "coming.txt: you and the template added it: look for <<<<<<<",
        "going.txt: you changed it and the template deleted it: keep it with `git add`, or delete it with `git rm`",
    ]
    assert conflicts(service) == ["README.md", "coming.txt", "going.txt"]
    for text in ("<<<<<<<", "# The team's own title", "# The template's new title"):
        assert text in read(service, "README.md")
    assert read(service, "going.txt") == LINES.replace("line 10\n", "the team's line\n")
    assert read(service, "shared.txt") == LINES + "9.1.0\n", "what does not collide is merged"
    assert read(service, "chassis/moved/here.py") == LINES.replace("line 10\n", "the team's line\n")
    assert not (service / "chassis" / "moving.py").exists()
    fine, said = update(service)
    assert (fine, "uncommitted changes" in said) == (False, True)

    git(service, "reset", "--quiet", "--hard")
    assert git(service, "status", "--porcelain") == ""
    assert git(service, "rev-parse", "HEAD").strip() == before
    assert not update(service)[0], "the same again"

    git(service, "checkout", "--quiet", "--ours", "README.md", "coming.txt")
    git(service, "add", "README.md", "coming.txt", "going.txt")
    commit(service)
    assert update(service)[0], "mended, it is at the release"


def test_what_the_team_has_deleted_stays_away_and_what_it_calls_its_own_is_left_alone(
    upstream: Template, service: Path
) -> None:
    git(service, "rm", "--quiet", "going.txt")
    replace(service / "pyproject.toml", 'skip = [\n    "app",', 'skip = [\n    "shared.*",\n    "app",')
    commit(service)
    upstream.write("going.txt", LINES + "9.1.0\n")
    upstream.write("shared.txt", LINES + "9.1.0\n")
    upstream.write("chassis/moving.py", LINES + "9.1.0\n")
    upstream.release("9.1.0")
    fine, said = update(service)
    assert fine, said
    assert not (service / "going.txt").exists()
    assert read(service, "shared.txt") == LINES
    assert read(service, "chassis/moving.py") == LINES + "9.1.0\n"


def test_a_file_that_the_team_has_renamed_is_merged_under_its_new_name_and_a_deleted_one_does_not_come_back_renamed(
    upstream: Template, service: Path
) -> None:
    upstream.write("chassis/other.py", LINES.replace("line", "another line"))
    upstream.release("9.0.1")
    assert update(service)[0]
    git(service, "mv", "shared.txt", "ours.txt")
    git(service, "rm", "--quiet", "--force", "chassis/other.py")
    commit(service)
    upstream.write("shared.txt", LINES + "9.1.0\n")
    (upstream.folder / SERVICE / "chassis" / "other.py").rename(upstream.folder / SERVICE / "chassis" / "moved.py")
    upstream.release("9.1.0")
    fine, said = update(service)
    assert fine, said
    assert read(service, "ours.txt") == LINES + "9.1.0\n"
    assert not (service / "shared.txt").exists()
    assert not (service / "chassis" / "moved.py").exists()


def test_a_file_that_git_ignores_is_not_overwritten(upstream: Template, service: Path) -> None:
    (service / ".env").write_text("SECRET=mine\n", encoding="utf-8")
    upstream.write(".env", "SECRET=example\n")
    git(upstream.folder, "add", "--force", f"{SERVICE}/.env")
    upstream.release("9.1.0")
    fine, said = update(service)
    assert (fine, "they would be lost: .env" in said) == (False, True), said
    assert read(service, ".env") == "SECRET=mine\n"
    assert git(service, "status", "--porcelain") == ""


def test_the_surroundings_of_another_repository_and_odd_settings_change_nothing(
    upstream: Template, service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside a hook or `git rebase --exec`, and with settings that change how Git prints and stores files."""
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[core]\nquotePath = false\nfileMode = false\nsafecrlf = true\n[color]\nui = always\n"
        "[commit]\ngpgsign = true\n[clone]\ndefaultRemoteName = upstream\n[diff]\nnoprefix = true\n",
        encoding="utf-8",
    )
    (service / "naïve.txt").write_text("the team's\n", encoding="utf-8")
    head = commit(service)
    git(service, "tag", "9.1.0")
    upstream.write("shared.txt", LINES + "9.1.0\n")
    upstream.write("script.sh", "#!/bin/sh\n")
    (upstream.folder / SERVICE / "script.sh").chmod(0o755)
    upstream.release("9.1.0")
    with monkeypatch.context() as surroundings:
        for name, value in {
            "GIT_CONFIG_GLOBAL": str(settings),
            "GIT_DIR": str(service / ".git"),
            "GIT_INDEX_FILE": str(service / ".git" / "index"),
        }.items():
            surroundings.setenv(name, value)
        fine, said = update(service)
    assert fine, said
    assert read(service, "shared.txt") == LINES + "9.1.0\n"
    assert git(service, "rev-parse", "HEAD").strip() == head
    assert git(service, "ls-files", "--stage", "script.sh").startswith("100755")


def test_a_service_may_share_its_repository_with_others(upstream: Template, service: Path, tmp_path: Path) -> None:
    shutil.rmtree(service / ".git")
    (tmp_path / "all").mkdir()
    service = service.rename(tmp_path / "all" / "service-one")
    (tmp_path / "all" / "shared.txt").write_text("another file of this name\n", encoding="utf-8")
    repository(tmp_path / "all")
    upstream.write("shared.txt", LINES + "9.1.0\n")
    upstream.release("9.1.0")
    fine, said = update(service)
    assert fine, said
    assert read(service, "shared.txt") == LINES + "9.1.0\n"
    assert git(tmp_path / "all", "diff", "--name-only", "--cached").split() == [
        "service-one/.cruft.json",
        "service-one/shared.txt",
    ]
    replace(service / "README.md", "# Items Service", "# The team's own title")
    commit(tmp_path / "all")
    (tmp_path / "all" / "shared.txt").write_text("not committed\n", encoding="utf-8")
    replace(upstream.folder / SERVICE / "README.md", "# <<cookiecutter.project_name>>", "# The template's new title")
    upstream.write("added.txt", "added\n")
    upstream.release("9.2.0")
    fine, said = update(service)
    assert (fine, "  README.md: " in said) == (False, True), said
    [undo] = re.findall(r"undo the whole update: (.*)", said)
    subprocess.run(undo, shell=True, cwd=service, check=True)
    assert git(tmp_path / "all", "status", "--porcelain").strip() == "M shared.txt", "the others' change is still there"


def test_a_service_of_which_it_is_not_known_what_it_was_made_from(upstream: Template, tmp_path: Path) -> None:
    service = bake(upstream.folder, tmp_path / "made", {"ci": "none"})
    (service / ".cruft.json").unlink()
    repository(service)
    upstream.write("shared.txt", LINES + "9.1.0\n")
    upstream.release("9.1.0")
    fine, said = update(service)
    assert (fine, "make update TEMPLATE=" in said) == (False, True)
    made_from = [f"TEMPLATE={upstream.folder.as_uri()}", "FROM=9.0.0"]
    for wrong, complaint in {
        "ci=gitlab": "ANSWERS is not JSON",
        '["ci"]': "should be a JSON object",
        '{"CI": "gitlab"}': "CI='gitlab' is no answer",
        '{"ci": true}': "ci=True is no answer",
        '{"project_name": "Another One"}': f"is called another-one, and this one is {service.name}",
    }.items():
        fine, said = update(service, *made_from, f"ANSWERS={wrong}")
        assert (fine, complaint in said) == (False, True), said
        assert git(service, "status", "--porcelain") == ""
    fine, said = update(service, *made_from, 'ANSWERS={"ci": "none"}')
    assert fine, said
    assert "ci=none" in said
    assert read(service, "shared.txt") == LINES + "9.1.0\n"
    assert not [name for name in (".github", ".gitlab-ci.yml") if (service / name).exists()]
    commit(service)
    fine, said = update(service)
    assert (fine, "nothing to do" in said) == (True, True), "from now on it is known"


def test_an_update_that_cannot_begin_says_what_to_do_and_changes_nothing(upstream: Template, service: Path) -> None:
    state = service / ".cruft.json"
    replace(state, '"9.0.0"', '"9.0.1.dev0"')
    commit(service)
    for options, said in {
        (): "no tag, branch or commit 9.0.1.dev0",
        ("FROM=9.0.0", "REF=9.7.7"): "no tag, branch or commit 9.7.7",
        (f"TEMPLATE={upstream.folder}/away",): "cannot be cloned",
        ('ANSWERS={"gunicorn": "yes"}',): "leave ANSWERS out",
    }.items():
        fine, printed = update(service, *options)
        assert (fine, said in printed) == (False, True), printed
    git(upstream.folder, "tag", "--delete", "9.0.0")
    assert "has no release" in update(service, "FROM=main")[1]
    replace(service / "pyproject.toml", "skip = [\n", 'skip = [\n    "/app",\n')
    commit(service)
    upstream.release("9.9.9")
    assert "skip '/app' should name files below the service" in update(service, "FROM=main~1", "REF=main")[1]
    state.write_text("<<<<<<< HEAD\n", encoding="utf-8")
    commit(service)
    assert ".cruft.json is not JSON" in update(service)[1]
    (service / "own.txt").write_text("not committed\n", encoding="utf-8")
    assert "uncommitted changes" in update(service)[1]
    assert git(service, "status", "--porcelain").split() == ["??", "own.txt"]


def test_a_rejected_piece_of_a_patch_is_not_committed(
    new_service: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """cruft and `git apply --reject` write rejected pieces to such files."""
    service = repository(new_service())
    python = python_for(service)
    monkeypatch.setenv("VENV", str(python.parents[1]))
    (service / "README.md.rej").write_text("@@\n", encoding="utf-8")
    git(service, "add", "--all")
    hook = [str(python.with_name("pre-commit")), "run", "rejects"]
    done = subprocess.run(hook, cwd=service, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "README.md.rej" in done.stdout


def test_the_editor_s_files_are_the_team_s_also_where_git_ignores_them(upstream: Template, service: Path) -> None:
    git(service, "rm", "-r", "--quiet", ".vscode", ".editorconfig")
    (service / ".gitignore").write_text(read(service, ".gitignore") + ".vscode/\n", encoding="utf-8")
    commit(service)
    (service / ".vscode").mkdir(exist_ok=True)
    (service / ".vscode" / "settings.json").write_text("{}\n", encoding="utf-8")
    upstream.write(".vscode/settings.json", '{"from": "the template"}\n')
    upstream.write(".editorconfig", "root = false\n")
    upstream.write("shared.txt", LINES + "new\n")
    upstream.release("9.1.0")

    fine, said = update(service)
    assert fine, said
    assert read(service, "shared.txt") == LINES + "new\n"
    assert read(service, ".vscode/settings.json") == "{}\n"
    assert not (service / ".editorconfig").exists()
