"""`make update`: the command."""

import argparse
import os
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from chassis.development.update.errors import UpdateError
from chassis.development.update.git import describe, git, unset_repository_variables
from chassis.development.update.merge import merge
from chassis.development.update.origin import FILE, read_origin, write_origin
from chassis.development.update.template import (
    check_answers,
    clone,
    is_ancestor,
    known_commit,
    newest_release,
    render,
)

_OPTIONS = (
    ("ref", "REF", "a tag, branch or commit of the template; the newest release if not given"),
    ("template", "TEMPLATE", f"the template's repository, if {FILE} names none or another one"),
    ("from", "FROM", f"what the service was made from, if {FILE} does not say it"),
    ("answers", "ANSWERS", f"JSON: the answers it was made with that were not the defaults, if there is no {FILE}"),
)


def main() -> None:
    """Update the service in the working directory; exit with a message if something is left to do by hand."""
    parser = argparse.ArgumentParser(
        prog="make update", description="Bring the service in this folder up to a release."
    )
    for option, variable, meaning in _OPTIONS:
        # make hands its variables over in the environment.
        parser.add_argument(f"--{option}", dest=variable, default=os.environ.get(variable), help=meaning)
    arguments = parser.parse_args()
    service = Path.cwd()
    unset_repository_variables()
    try:
        conflicts = _update(service, arguments)
    except UpdateError as error:
        sys.exit(f"update: {error}")
    except KeyboardInterrupt:
        sys.exit("update: interrupted. `git status` shows whether anything was merged.")
    if conflicts:
        files = "\n".join(f"  {name}: {what}" for name, what in conflicts.items())
        undo = (
            "git restore --source=HEAD --staged --worktree ." if _shares_its_repository(service) else "git reset --hard"
        )
        sys.exit(
            f"update: these files could not be merged; everything else is:\n{files}\n"
            "Mend each one and `git add` it. Then: make lock openapi check, and commit.\n"
            f"To undo the whole update: {undo}"
        )


def _update(service: Path, arguments: argparse.Namespace) -> dict[str, str]:
    if git(service, "status", "--porcelain", "--untracked-files=normal", "--", "."):
        raise UpdateError("There are uncommitted changes. Commit or stash them, so that the update can be undone.")
    origin = read_origin(service, arguments.TEMPLATE, arguments.FROM, arguments.ANSWERS)
    with TemporaryDirectory() as scratch:
        template = Path(scratch, "template")
        _say(f"fetching {origin.template} …")
        clone(origin.template, template)
        before = known_commit(
            template, origin.commit, "This service was made from it; if that was no release, say the commit: FROM=…"
        )
        check_answers(template, before, origin)
        after = _target(template, arguments.REF, before)
        old, answers = render(template, before, origin, Path(scratch, "old"))
        origin = replace(origin, answers=answers)
        if not origin.known:
            _check_name(service, old, answers)
        if after == before:
            _say(f"nothing to do, this service is at {describe(template, before)}.")
            conflicts: dict[str, str] = {}
        else:
            name = describe(template, after)
            _say(f"from {describe(template, before)} to {name} …")
            new, answers = render(template, after, origin, Path(scratch, "new"))
            conflicts = merge(service, old, new, f"template {name}", [FILE, *origin.skip])
    if after != before or arguments.TEMPLATE or not origin.known:
        write_origin(service, replace(origin, commit=after, answers=answers), arguments.REF)
        git(service, "-c", "core.safecrlf=false", "add", "--force", FILE)
    if after != before and not conflicts:
        _say("all is merged. Read what the template's CHANGELOG.md asks you to do, then: make lock openapi check")
    return conflicts


def _target(template: Path, ref: str | None, before: str) -> str:
    if ref:
        return known_commit(template, ref, "REF names what to update to.")
    newest = newest_release(template)
    return before if is_ancestor(template, newest, of=before) else newest


def _check_name(service: Path, rendering: Path, answers: dict[str, str]) -> None:
    """Check that the answers, which were typed from memory, fit this service."""
    _say("with these answers: " + ", ".join(f"{name}={answer}" for name, answer in answers.items()))
    here, there = (
        tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
        for folder in (service, rendering)
    )
    if here != there:
        raise UpdateError(f"With these answers the service is called {there}, and this one is {here}: mend ANSWERS.")


def _shares_its_repository(service: Path) -> bool:
    return bool(git(service, "rev-parse", "--show-prefix").strip())


def _say(text: str) -> None:
    print(f"update: {text}", flush=True)


if __name__ == "__main__":
    main()
