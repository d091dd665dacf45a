"""`make resource`: checks the arguments, and writes the files of a resource."""

import os
import sys
import traceback
from collections.abc import Iterator

from chassis.development.formatting import write_formatted
from chassis.development.resource import existing, routes
from chassis.development.resource.arguments import NAMES, mistakes_of_indexes, read_resource
from chassis.development.resource.grammar import GRAMMAR
from chassis.development.resource.rendering import render
from chassis.development.resource.resource import Resource
from chassis.http.openapi import openapi_document
from chassis.project import ROOT, project
from chassis.service import find_service

HELP = "`make resource` alone prints what can be written, with examples."


def main() -> None:
    """Write a resource, or exit with all mistakes and write nothing."""
    given = {name: os.environ.get(name, "") for name in NAMES}
    if not given["NAME"] and not given["FIELDS"]:
        print(GRAMMAR, end="")
        return
    text = routes.FILE.read_text(encoding="utf-8")
    try:
        routes.check(text)
    except routes.RoutesError as error:
        sys.exit(f"Nothing was written. {error}")
    check_start()
    resource, mistakes = read_resource(given)
    mistakes += [*_taken(resource), *mistakes_of_indexes(resource, resource.fields)]
    if mistakes:
        sys.exit("\n".join(["Nothing was written. Please change:", *mistakes, HELP]))
    texts = {**render(resource), routes.FILE: routes.with_routes_of(resource, text)}
    write_formatted(texts)
    for file in texts:
        print(f"wrote {file.relative_to(ROOT)}")


def check_start() -> None:
    """Exit if the service does not start."""
    try:
        service = find_service("app")
        openapi_document(service.routes, project(), errors=service.errors)
    except Exception:
        sys.exit(f"Nothing was written, because the service does not start:\n{traceback.format_exc().strip()}")


def _taken(resource: Resource) -> Iterator[str]:
    """Yield messages for files, tables and models that already have the resource's names."""
    names = resource.names
    if files := list(existing.files_of(names)):
        yield f"  NAME={names.one}: {files[0]} already exists"
        return
    if creator := existing.creators().get(names.many):
        yield f"  NAME={names.one}: {creator} already creates the table {names.many}"
    models = existing.models()
    for model in (names.model, f"{names.model}Fields", f"{names.model}Query"):
        if model in models:
            yield f"  NAME={names.one}: {models[model]} already has the model {model}; choose another name"


if __name__ == "__main__":
    main()
