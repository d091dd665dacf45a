"""`make update`: the command."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from chassis.development.update.errors import UpdateError
from chassis.development.update.git import describe, git
from chassis.development.update.merge import leave_alone, merge
from chassis.development.update.origin import FILE, read_origin, write_origin
from chassis.development.update.template import clone, is_ancestor, known_commit, newest_release, render


def main() -> None:
    """Updates the service in the working directory; exits with a message where something is left to do by hand."""
    parser = argparse.ArgumentParser(
        prog="make update", description="Bring the service in this folder up to a release."
    )
    parser.add_argument("--ref", help="a tag, branch or commit of the template; the newest release if not given")
    parser.add_argument("--template", help=f"the template's repository, if {FILE} does not name it")
    parser.add_argument("--from", dest="commit", help=f"what the service was made from, if {FILE} does not say it")
    parser.add_argument(
        "--answers", help=f"the answers it was made with that were not the defaults, if there is no {FILE}"
    )
    arguments = parser.parse_args()
    try:
        conflicts = _update(Path.cwd(), arguments)
    except UpdateError as error:
        sys.exit(f"update: {error}")
    if conflicts:
        files = "\n".join(f"  {name}: {what}" for name, what in conflicts.items())
        sys.exit(
            f"update: these files could not be merged; everything else is:\n{files}\n"
            "Mend each one and `git add` it. Then: make lock openapi check, and commit.\n"
            "To undo the whole update: git reset --hard"
        )


def _update(service: Path, arguments: argparse.Namespace) -> dict[str, str]:
    if git(service, "status", "--porcelain", "--", "."):
        raise UpdateError("There are uncommitted changes. Commit or stash them, so that the update can be undone.")
    origin = read_origin(service, arguments.template, arguments.commit, arguments.answers)
    with TemporaryDirectory() as scratch:
        template = Path(scratch, "template")
        _say(f"fetching {origin.template} …")
        clone(origin.template, template)
        before = known_commit(
            template, origin.commit, "This service was made from it; if that was no release, say the commit: FROM=…"
        )
        if arguments.ref:
            after = known_commit(template, arguments.ref, "REF names what to update to.")
        else:
            after = newest_release(template)
            if is_ancestor(template, after, of=before):
                after = before
        if after == before:
            _say(f"nothing to do, this service is at {describe(template, before)}.")
            return {}
        name = describe(template, after)
        _say(f"from {describe(template, before)} to {name} …")
        old, answers = render(template, before, origin, Path(scratch, "old"))
        origin = replace(origin, answers=answers)
        new, answers = render(template, after, origin, Path(scratch, "new"))
        leave_alone(service, old, new, [FILE, *origin.skip])
        conflicts = merge(service, old, new, f"template {name}")
    write_origin(service, replace(origin, commit=after, answers=answers), arguments.ref)
    git(service, "add", FILE)
    if not conflicts:
        _say("all is merged. Read what the template's CHANGELOG.md asks you to do, then: make lock openapi check")
    return conflicts


def _say(text: str) -> None:
    print(f"update: {text}", flush=True)


if __name__ == "__main__":
    main()
