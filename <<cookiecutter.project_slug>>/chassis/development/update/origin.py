"""Where a service comes from: `.cruft.json`, in the format of cruft, which may be used beside this."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.development.update.errors import UpdateError

FILE = ".cruft.json"


@dataclass(frozen=True)
class Origin:
    """The template that a service was made from.

    Attributes:
        template: address of its repository, as `git clone` takes it.
        commit: what the service was made from or last updated to: a commit, or the tag of a release.
        answers: to the template's questions; those that are missing were the defaults.
        directory: of the template in its repository; empty for the top.
        skip: patterns of files that updates leave alone, beside those in `pyproject.toml`.
    """

    template: str
    commit: str
    answers: dict[str, str]
    directory: str = ""
    skip: tuple[str, ...] = ()


def read_origin(service: Path, template: str | None, commit: str | None, answers: str | None) -> Origin:
    """Reads where a service comes from.

    Args:
        service: its folder.
        template: replaces the address in the file.
        commit: replaces the commit in the file.
        answers: as JSON, where there is no file.

    Raises:
        UpdateError: there is no file and the arguments do not replace it, or they are wrong.
    """
    file = service / FILE
    if file.is_file():
        if answers:
            raise UpdateError(f"{FILE} has the answers that this service was made with: leave ANSWERS out.")
        state = json.loads(file.read_text(encoding="utf-8"))
        return Origin(
            template or state["template"],
            commit or state["commit"],
            without_private(state["context"]["cookiecutter"]),
            state.get("directory") or "",
            tuple(state.get("skip", ())),
        )
    if not (template and commit):
        raise UpdateError(
            f"There is no {FILE}, which says what this service was made from. Say it once, with the answers that were "
            "not the defaults:\n  make update TEMPLATE=https://git.example.com/platform/service-template FROM=0.1.0 "
            'ANSWERS=\'{"project_name": "Invoice Service"}\''
        )
    try:
        given = json.loads(answers or "{}")
    except ValueError as error:
        raise UpdateError(f'ANSWERS is not JSON, such as \'{{"ci": "gitlab"}}\': {error}') from None
    return Origin(template, commit, given)


def write_origin(service: Path, origin: Origin, ref: str | None) -> None:
    """Writes what the service was updated to, and which ref was asked for."""
    state: dict[str, Any] = {
        "template": origin.template,
        "commit": origin.commit,
        "checkout": ref,
        "context": {"cookiecutter": origin.answers},
        "directory": origin.directory or None,
    }
    if origin.skip:
        state["skip"] = origin.skip
    (service / FILE).write_text(json.dumps(state, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def without_private(context: dict[str, Any]) -> dict[str, str]:
    """The answers in a context of cookiecutter; what begins with an underscore is the template's own."""
    return {name: value for name, value in context.items() if not name.startswith("_")}
