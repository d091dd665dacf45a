"""`make field RESOURCE=invoice FIELDS="colour:str?"`: adds fields to a resource, and the migrations for them."""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from chassis.development.formatting import formatted, write_formatted
from chassis.development.resource import existing
from chassis.development.resource.__main__ import HELP, check_start
from chassis.development.resource.arguments import mistakes_of_indexes, read_resource, sentence
from chassis.development.resource.field import Field
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
    mistakes = [re.sub("^  NAME=", "  RESOURCE=", mistake) for mistake in mistakes]
    before = len(read_resource(made_of)[0].fields) if old else 0
    added = resource.fields[before:]
    mistakes += _mistakes(resource, added) if fields.split() else ["  FIELDS: should name at least one field"]
    mistakes += mistakes_of_indexes(resource, added)
    if mistakes:
        sys.exit("\n".join(["Nothing was written. Please change:", *mistakes, HELP]))
    migrations = render_field_migrations(resource, added)
    if old:
        earlier = replace(resource, fields=resource.fields[:before], arguments=sentence(made_of))
    else:  # made by hand or by an earlier release: there is a change to show, but no text that it fits
        known = [Field.unknown(name) for name in existing.fields_of(resource.names)]
        earlier = replace(resource, fields=known)
        resource = replace(resource, fields=[*known, *added])
    changed, by_hand = _edited(earlier, resource)
    write_formatted({**migrations, **changed})
    for name, lines in by_hand.items():
        print(f"{name} has changed since it was written, so it is left as it is. Make this change by hand:\n")
        print(f"{lines}\n")
    for verb, files in (("changed", changed), ("wrote", migrations)):
        for file in files:
            print(f"{verb} {file.relative_to(ROOT)}")
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


def _edited(before: Resource, after: Resource) -> tuple[Mapping[Path, str], Mapping[str, str]]:
    """Return the new text of each file that still has the lines which the change is about, and the change of others.

    Returns:
        Texts by file, and changes for people by the file's name.
    """
    old, new = render_code(before), render_code(after)
    changed, by_hand = dict[Path, str](), dict[str, str]()
    for file, text in new.items():
        was, becomes = formatted(old[file], file), formatted(text, file)
        if was == becomes:
            continue
        merged = merge(file.read_text(encoding="utf-8") if file.is_file() else "", was, becomes)
        if merged is None:
            name = str(file.relative_to(ROOT))
            by_hand[name] = change(was, becomes, name)
        else:
            changed[file] = merged
    return changed, by_hand


if __name__ == "__main__":
    main()
