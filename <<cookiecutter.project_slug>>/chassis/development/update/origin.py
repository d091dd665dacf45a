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
        known: True if the service has the file.
    """

    template: str
    commit: str
    answers: dict[str, str]
    directory: str = ""
    skip: tuple[str, ...] = ()
    known: bool = True


def read_origin(service: Path, template: str | None, commit: str | None, answers: str | None) -> Origin:
    """Read where a service comes from.

    Args:
        service: its folder.
        template: replaces the address in the file.
        commit: replaces the commit in the file.
        answers: as JSON, where there is no file.

    Raises:
        UpdateError: there is no file and the arguments do not replace it, or one of them is wrong.
    """
    if template and Path(template).is_dir():
        template = str(Path(template).resolve())  # the file is read elsewhere, too
    file = service / FILE
    if file.is_file():
        if answers:
            raise UpdateError(f"{FILE} has the answers that this service was made with: leave ANSWERS out.")
        state = _json_object(file.read_text(encoding="utf-8"), FILE)
        try:
            given, address, made_from = state["context"]["cookiecutter"], state["template"], state["commit"]
        except (KeyError, TypeError):
            raise UpdateError(f"{FILE} lacks template, commit or context.cookiecutter: restore it from Git.") from None
        skip = _strings(state.get("skip") or [], f"{FILE}, skip")
        directory = state.get("directory") or ""
        return Origin(template or address, commit or made_from, without_private(given), directory, skip)
    if not (template and commit):
        raise UpdateError(
            f"There is no {FILE}, which says what this service was made from. Say it once, with the answers that were "
            "not the defaults; in a clone of the template, SERVICE= names this folder:\n"
            "  make update TEMPLATE=https://… FROM=0.1.0 "
            'ANSWERS=\'{"project_name": "Invoice Service"}\''
        )
    return Origin(template, commit, _json_object(answers or "{}", "ANSWERS"), known=False)


def write_origin(service: Path, origin: Origin, ref: str | None) -> None:
    """Write what the service was updated to, and the ref that was asked for."""
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
    """Return the answers in a cookiecutter context, without the template's private variables."""
    return {name: value for name, value in context.items() if not name.startswith("_")}


def _strings(value: object, source: str) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise UpdateError(f'{source} should be a list of patterns, such as ["docs/own"].')


def _json_object(text: str, source: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UpdateError(f"{source} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UpdateError(f'{source} should be a JSON object, such as {{"ci": "gitlab"}}.')
    return found
