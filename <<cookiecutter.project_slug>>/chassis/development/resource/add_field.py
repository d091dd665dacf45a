"""`make field RESOURCE=invoice FIELDS="colour:str?"`: adds fields to a resource, and the migrations for them."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from chassis.development.formatting import format_files, formatted
from chassis.development.resource import existing
from chassis.development.resource.__main__ import HELP, check_start
from chassis.development.resource.arguments import read_resource, sentence
from chassis.development.resource.fields import Field
from chassis.development.resource.grammar import GRAMMAR
from chassis.development.resource.merging import change, merge
from chassis.development.resource.rendering import render_code, render_field_migrations
from chassis.development.resource.resource import Resource
from chassis.project import ROOT


def main() -> None:
    """Add the fields, or exit with all mistakes and write nothing."""
    one, fields = os.environ.get("RESOURCE", ""), os.environ.get("FIELDS", "")
    if not one and not fields:
        print(GRAMMAR, end="")
        return
    check_start()
    made_of = existing.arguments_of(one) or {"NAME": one, "PLURAL": os.environ.get("PLURAL", "")}
    old = made_of.get("FIELDS", "")
    resource, mistakes = read_resource(made_of | {"FIELDS": f"{old} {fields}"})
    before = len(read_resource(made_of)[0].fields) if old else 0
    added = resource.fields[before:]
    mistakes += _mistakes(resource, added) if fields.split() else ["  FIELDS: should name at least one field"]
    if mistakes:
        sys.exit("\n".join(["Nothing was written. Please change:", *mistakes, HELP]))
    migrations = render_field_migrations(resource, added)
    for file, text in migrations.items():
        file.write_text(text, encoding="utf-8")
    format_files(migrations)
    if old:
        earlier = replace(resource, fields=resource.fields[:before], arguments=sentence(made_of))
    else:  # made by hand or by an earlier release: there is a change to show, but no text that it fits
        known = [Field.unknown(name) for name in existing.fields_of(resource.names)]
        earlier = replace(resource, fields=known)
        resource = replace(resource, fields=[*known, *added])
    _edit(earlier, resource)
    for file in migrations:
        print(f"wrote {file.relative_to(ROOT)}")
    print("Now review the changes, and run `make check`.")


def _mistakes(resource: Resource, added: Sequence[Field]) -> Iterator[str]:
    names = resource.names
    if not (ROOT / "app" / names.many / "models.py").is_file():
        yield f"  RESOURCE={names.one}: has no app/{names.many}/models.py; if its plural is irregular, set PLURAL"
        return
    taken = existing.fields_of(names)
    for field in added:
        if field.name in taken:
            yield f"  {field.name}: app/{names.many}/models.py already has this field"
        if not field.optional:
            yield f"  {field.name}: needs ? or a default, since the table may have rows already"


def _edit(before: Resource, after: Resource) -> None:
    """Change the files that still have the lines which the change is about, and print it for the others."""
    old, new = render_code(before), render_code(after)
    changed = []
    for file, text in new.items():
        was, becomes = formatted(old[file], file), formatted(text, file)
        if was == becomes:
            continue
        current = file.read_text(encoding="utf-8") if file.is_file() else ""
        name = str(file.relative_to(ROOT))
        merged = merge(current, was, becomes)
        if merged is None:
            print(f"{name} has changed since it was written, so it is left as it is. Make this change by hand:\n")
            print(f"{change(was, becomes, name)}\n")
        else:
            file.write_text(merged, encoding="utf-8")
            changed.append(file)
            print(f"changed {name}")
    format_files(changed)


if __name__ == "__main__":
    main()
