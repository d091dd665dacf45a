"""Renders the files of a resource."""

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mako.lookup import TemplateLookup  # type: ignore[import-untyped]

from chassis.development.resource.field import Field
from chassis.development.resource.resource import Resource
from chassis.development.resource.types.base import merged
from chassis.migrations.revisions import SERVICE, read_revisions
from chassis.project import ROOT

_TEMPLATES = TemplateLookup([str(Path(__file__).parent / "templates")], input_encoding="utf-8")
_LONGEST_LINE = 100


def render(resource: Resource) -> Mapping[Path, str]:
    """Return the text of each file of a new resource, unformatted, by its path."""
    head = read_revisions(SERVICE.versions).head
    revision = f"{int(head or 0) + 1:04}"
    file = SERVICE.versions / f"{revision}_create_{resource.names.many}.py"
    text = render_template("migration", resource, revision=revision, down_revision=head)
    return {**render_code(resource), file: text}


def render_field_migrations(resource: Resource, added: Sequence[Field]) -> Mapping[Path, str]:
    """Return the text of each migration that adds fields to a table in use, unformatted, by its path.

    Constraints are validated, and indexes made, in revisions of their own, which take no lock that stops others.
    """
    table, columns = resource.names.many, [field.name for field in added]
    what = f"{table}.{f', {table}.'.join(columns)}" if len(columns) < 3 else f"{len(columns)} fields of {table}"
    steps = [(f"add {what}", "add_fields", dict[str, str]())]
    if any(list(field.later_constraints(table)) for field in added):
        steps.append((f"validate {what}", "validate_fields", {}))
    for field in added:
        column, name = f"{table}.{field.name}", f"{table}_{field.name}_key"
        steps += [
            (f"index {column}", "add_index", {"name": index.name, "kind": index.kind, "on": index.on})
            for index in resource.indexes_of(field)
        ]
        if field.constrained:
            on = f"{table} ({field.name})"
            steps.append((f"index {column} uniquely", "add_index", {"name": name, "kind": "UNIQUE INDEX", "on": on}))
            steps.append((f"make {column} unique", "add_unique", {"name": name}))
    head, texts = read_revisions(SERVICE.versions).head, dict[Path, str]()
    for title, template, further in steps:
        revision = f"{int(head or 0) + 1:04}"
        given = {"revision": revision, "down_revision": head, "added": added, "title": title}
        file = SERVICE.versions / f"{revision}_{re.sub('[^a-z0-9]+', '_', title)}.py"
        texts[file] = render_template(template, resource, **given, **further)
        head = revision
    return texts


def render_code(resource: Resource) -> dict[Path, str]:
    """Return the text of each file of a resource but its migration, unformatted, by its path."""
    folder = ROOT / "app" / resource.names.many
    return {
        folder / "__init__.py": render_template("init", resource),
        folder / "models.py": render_template("models", resource),
        folder / "handlers.py": render_template("handlers", resource),
        folder / "queries.py": render_template("queries", resource),
        ROOT / "tests" / "app" / f"test_{resource.names.many}.py": render_template("tests", resource),
    }


def render_template(template: str, resource: Resource, **further: Any) -> str:
    """Return the text of one file, unformatted."""
    texts = {"sql": _literal, "wrap": _wrapped, "column": _column, "statement": _statement}
    given = {"resource": resource, "names": resource.names, "fields": resource.fields, **texts}
    made: str = _TEMPLATES.get_template(f"{template}.py.mako").render(**given, imports=_imports(resource), **further)
    return made


def _imports(resource: Resource) -> str:
    """Return the imports of models.py; ruff removes those that are not needed, and sorts them."""
    of_all = {
        "datetime": frozenset({"datetime"}),
        "uuid": frozenset({"UUID"}),
        "typing": frozenset({"Annotated", "Literal"}),
        "pydantic": frozenset({"Field"}),
        "chassis.conditional": frozenset({"Versioned"}),
        "chassis.models": frozenset({"Body", "Id", "Text"}),
        "chassis.pagination": frozenset({"PageQuery"}),
    }
    wanted = merged(of_all, *(field.imports for field in resource.fields))
    return "\n".join(f"from {module} import {', '.join(sorted(names))}" for module, names in wanted.items())


def _literal(text: str, formatted: str = "") -> str:
    """Return SQL as Python string literals, broken into lines; `formatted` is a suffix with placeholders (f-string)."""
    lines = [""]
    for piece in re.split("(?<=,) | (?=VALUES|WHERE|RETURNING|FROM)", f"{text} {formatted}".rstrip()):
        if len(lines[-1]) + len(piece) > _LONGEST_LINE:
            lines.append("")
        lines[-1] += f"{piece} "
    lines[-1] = lines[-1].rstrip()
    return "\n".join(f'{"f" if "{" in line else ""}"{line}"' for line in lines)


def _wrapped(text: str, indent: str) -> str:
    """Return text broken into lines at its spaces."""
    return f"\n{indent}".join(textwrap.wrap(text, _LONGEST_LINE, break_long_words=False, break_on_hyphens=False))


def _wrapped_sql(text: str, indent: str) -> str:
    """Return SQL broken into lines at the spaces outside of its strings."""
    lines = [""]
    for word in re.findall(r"(?:'[^']*'|[^' ])+", text):
        if lines[-1] and len(lines[-1]) + len(word) >= _LONGEST_LINE:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return f"\n{indent}".join(lines)


def _column(field: Field) -> str:
    """Return the definition of a column in CREATE TABLE, its constraints on lines of their own if they are long."""
    definition, indent = f"{field.column} {field.constraints}".rstrip(), " " * 16
    if len(definition) <= _LONGEST_LINE:
        return definition
    return f"{field.column}\n{indent}{_wrapped_sql(field.constraints, indent)}"


def _statement(text: str, indentation: int = 8) -> str:
    """Return SQL as one Python string, over several lines if it is long."""
    if len(text) <= _LONGEST_LINE:
        return f'"{text}"'
    indent = " " * indentation
    return f'\n{indent}"""\n{indent}{_wrapped_sql(text, indent)}\n{indent}"""\n{indent[4:]}'
