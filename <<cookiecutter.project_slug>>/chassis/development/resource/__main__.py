"""`make resource`: checks the arguments, and writes the files of a resource."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mako.template import Template  # type: ignore[import-untyped]

from chassis.development.formatting import format_files
from chassis.development.resource import routes
from chassis.development.resource.fields import TYPES, Field
from chassis.development.resource.names import Names, rule_for_field, rule_for_resource
from chassis.migrations.revisions import HISTORIES, SERVICE, read_revisions
from chassis.project import ROOT

_TEMPLATES = Path(__file__).parent / "templates"
_USAGE = 'make resource NAME=invoice FIELDS="number:str total_cents:int due:date paid:bool"'
_LONGEST_LINE = 100


def main() -> None:
    """Write a resource, or exit with all mistakes and write nothing."""
    names = Names(os.environ.get("NAME", ""), os.environ.get("PLURAL", ""))
    asked = os.environ.get("FIELDS", "").replace(",", " ").split()
    mistakes = [*_mistakes_in(names, asked), *(_name_clashes(names) if rule_for_resource(names) is None else [])]
    if mistakes:
        sys.exit("\n".join(["Nothing was written. Please change:", *mistakes, f"For example: {_USAGE}"]))
    started = subprocess.run(
        [sys.executable, "-m", "app", "openapi"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if started.returncode:
        sys.exit(f"Nothing was written, because the service does not start:\n{started.stderr.strip()}")
    fields = [Field(field, TYPES[kind]) for field, _, kind in (each.partition(":") for each in asked)]
    try:
        changed = routes.with_routes_of(names, routes.FILE.read_text(encoding="utf-8"))
    except routes.RoutesError as error:
        sys.exit(f"Nothing was written. {error}")
    texts = _texts(names, fields)
    for file, text in texts.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    routes.FILE.write_text(changed, encoding="utf-8")
    format_files([*texts, routes.FILE])
    for file in [*texts, routes.FILE]:
        print(f"wrote {file.relative_to(ROOT)}")


def _mistakes_in(names: Names, asked: Iterable[str]) -> list[str]:
    found = []
    if rule := rule_for_resource(names):
        found.append(f"  NAME={names.one}: {rule}")
    seen = set[str]()
    for each in asked:
        field, _, kind = each.partition(":")
        rule = rule_for_field(field)
        if rule is None and kind not in TYPES:
            rule = f"needs a type after a colon, one of {', '.join(TYPES)}"
        if rule is None and field in seen:
            rule = "is listed twice"
        if rule:
            found.append(f"  {each}: {rule}")
        seen.add(field)
    if not seen:
        found.append("  FIELDS: should name at least one field, each as name:type")
    return found


def _name_clashes(names: Names) -> list[str]:
    """Return messages for files and tables that already have the resource's name."""
    files = [
        ROOT / "app" / names.many,
        ROOT / "app" / f"{names.many}.py",
        ROOT / "tests" / "app" / f"test_{names.many}.py",
    ]
    revisions = [file for history in HISTORIES for file in history.versions.glob("*.py")]
    made = [file for file in revisions if f"CREATE TABLE {names.many} " in file.read_text("utf-8")]
    return [
        *(f"  NAME={names.one}: {file.relative_to(ROOT)} already exists" for file in files if file.exists()),
        *(f"  NAME={names.one}: {file.relative_to(ROOT)} already creates this table" for file in made),
    ]


def _texts(names: Names, fields: list[Field]) -> Mapping[Path, str]:
    """Return the text of each file, by its path."""
    head = read_revisions(SERVICE.versions).head
    revision = f"{int(head or 0) + 1:04}"
    given: dict[str, Any] = {
        "names": names,
        "fields": fields,
        "imports": _imports(fields),
        "revision": revision,
        "down_revision": head,
        "text": _literal,
    }
    folder = ROOT / "app" / names.many
    return {
        file: Template(filename=str(_TEMPLATES / f"{template}.py.mako")).render(**given)  # noqa: S702  (this is no HTML)
        for template, file in {
            "init": folder / "__init__.py",
            "models": folder / "models.py",
            "handlers": folder / "handlers.py",
            "queries": folder / "queries.py",
            "migration": SERVICE.versions / f"{revision}_create_{names.many}.py",
            "tests": ROOT / "tests" / "app" / f"test_{names.many}.py",
        }.items()
    }


def _imports(fields: Iterable[Field]) -> str:
    """Return the imports of models.py; ruff sorts them."""
    wanted: dict[str, set[str]] = {
        "datetime": {"datetime"},
        "chassis.conditional": {"Versioned"},
        "chassis.models": {"Body", "Id"},
        "chassis.pagination": {"PageQuery"},
    }
    for field in fields:
        for module, imported in field.type.imports.items():
            wanted.setdefault(module, set()).update(imported)
    return "\n".join(f"from {module} import {', '.join(sorted(imported))}" for module, imported in wanted.items())


def _literal(sql: str, formatted: str = "") -> str:
    """Return SQL as Python string literals, broken into lines; `formatted` is a suffix with placeholders (f-string)."""
    lines = [""]
    for piece in re.split("(?<=,) | (?=VALUES|WHERE|RETURNING)", f"{sql} {formatted}".rstrip()):
        if len(lines[-1]) + len(piece) > _LONGEST_LINE:
            lines.append("")
        lines[-1] += f"{piece} "
    lines[-1] = lines[-1].rstrip()
    return "\n".join(f'{"f" if "{" in line else ""}"{line}"' for line in lines)


if __name__ == "__main__":
    main()
