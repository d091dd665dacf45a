"""Finds the public names of the chassis' front: its modules, and its packages with an `__all__`."""

from functools import cache

import griffe

from tools.reference.completeness import GenerationError
from tools.reference.source import SERVICE

# Public by their names only: the logger of a module, and type variables.
_NOT_PUBLIC = ("structlog.get_logger", "TypeVar", "ParamSpec")

DESCRIBED_ELSEWHERE = {"chassis.settings.Settings": "The fields are on the page [Settings](../settings.md)."}
"""Classes whose fields another page lists, and the sentence that says so."""


@cache
def front_modules() -> list[griffe.Module]:
    """Return the modules that `app` may import, by name.

    Raises:
        GenerationError: a public name has no docstring, or a field no description.
    """
    loader = griffe.GriffeLoader(search_paths=[SERVICE], allow_inspection=False)
    chassis = loader.load("chassis")
    loader.resolve_aliases(external=False)
    assert isinstance(chassis, griffe.Module)
    modules = [
        each for _, each in sorted(chassis.modules.items()) if not each.is_init_module or each.exports is not None
    ]
    found = [each for module in modules for each in _with_members(module)]
    if bare := [each.path for each in found if not each.docstring]:
        raise GenerationError(f"Write docstrings: {', '.join(bare)}.")
    classes = [each for each in found if isinstance(each, griffe.Class) and each.path not in DESCRIBED_ELSEWHERE]
    if bare := [field for each in classes for field in undocumented_fields(each)]:
        raise GenerationError(f"Describe the fields in the section Attributes of their class: {', '.join(bare)}.")
    return modules


def names_of(owner: griffe.Module | griffe.Class) -> list[griffe.Object]:
    """Return the public names of a module or a class that a page lists, in the order of the source.

    Of a class, these are its methods and properties, and its fields that have docstrings of their own. The others are
    in the section Attributes of its docstring.
    """
    if isinstance(owner, griffe.Module) and owner.exports is not None:
        exported = [owner.members[str(name)] for name in owner.exports]
        return [each.final_target if isinstance(each, griffe.Alias) else each for each in exported]
    found: list[griffe.Object] = []
    for each in owner.members.values():
        if isinstance(each, griffe.Alias) or each.name.startswith("_") or each.is_module:
            continue
        if isinstance(each, griffe.Attribute) and (
            (isinstance(owner, griffe.Class) and not each.docstring) or str(each.value or "").startswith(_NOT_PUBLIC)
        ):
            continue
        found.append(each)
    return found


def undocumented_fields(found: griffe.Class) -> list[str]:
    """Return the fields of a class that neither its section Attributes nor a docstring of their own describes."""
    sections = found.docstring.parse("google") if found.docstring else []
    attributes = [each for each in sections if isinstance(each, griffe.DocstringSectionAttributes)]
    described = {each.name for section in attributes for each in section.value}
    return [
        each.path
        for each in found.members.values()
        if isinstance(each, griffe.Attribute)
        and not each.name.startswith("_")
        and each.name not in {"model_config", *described}
        and not each.docstring
    ]


def _with_members(owner: griffe.Module | griffe.Class) -> list[griffe.Object]:
    names = names_of(owner)
    return [*names, *(member for each in names if isinstance(each, griffe.Class) for member in _with_members(each))]
