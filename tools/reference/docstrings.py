"""Renders Google-style docstrings as Markdown."""

import re
from collections.abc import Iterator
from typing import Any

import griffe

from tools.reference.completeness import GenerationError
from tools.reference.markdown import anchor, code, items


def render(found: griffe.Object) -> Iterator[str]:
    """Yield the blocks of a docstring.

    Raises:
        GenerationError: the docstring has a section that this function does not render.
    """
    for section in found.docstring.parse("google", warnings=False) if found.docstring else []:
        match section:
            case griffe.DocstringSectionText():
                yield _fenced(section.value)
            case griffe.DocstringSectionParameters():
                yield "**Arguments**"
                yield items(f"`{each.name}`: {_line(each)}" for each in section.value)
            case griffe.DocstringSectionAttributes():
                yield "**Attributes**"
                yield items(f"`{each.name}`{_type(found, each.name)}: {_line(each)}" for each in section.value)
            case griffe.DocstringSectionReturns():
                yield "**Returns**"
                yield "\n\n".join(_line(each) for each in section.value)
            case griffe.DocstringSectionYields():
                yield "**Yields**"
                yield "\n\n".join(_line(each) for each in section.value)
            case griffe.DocstringSectionRaises():
                yield "**Raises**"
                yield items(f"{_exception(str(each.annotation), found)}: {_line(each)}" for each in section.value)
            case _:
                raise GenerationError(f"tools/reference/docstrings.py has to render {section.kind} of {found.path}.")


def _fenced(text: str) -> str:
    """Turn indented code into fenced code, which is highlighted."""

    def fence(found: re.Match[str]) -> str:
        lines = [line.removeprefix("    ") for line in found[0].strip("\n").splitlines()]
        return f"\n{code(chr(10).join(lines))}\n"

    return re.sub(r"(?:^(?: {4}.*)?\n)*^ {4}.*\n?", fence, text, flags=re.MULTILINE)


def _line(element: Any) -> str:
    return " ".join(str(element.description).split())


def _type(owner: griffe.Object, name: str) -> str:
    """Return the type of a field, unless the signature of the class has it."""
    field = None if "__init__" in owner.members else owner.members.get(name)
    if not isinstance(field, griffe.Attribute) or field.annotation is None:
        return ""
    match field.annotation:
        case griffe.ExprSubscript(left=griffe.ExprName(name="Annotated"), slice=griffe.ExprTuple(elements=[kind, *_])):
            return f" (`{kind}`)"
    return f" (`{field.annotation}`)"


def _exception(name: str, found: griffe.Object) -> str:
    errors = found.package["errors"]
    if name not in errors.members:
        return f"`{name}`"
    page = "" if found.module.path == errors.path else "errors.md"
    return f"[`{name}`]({page}{anchor(name)})"
