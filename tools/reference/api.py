"""api.md and the pages below api/: the public names of the chassis' front, from signatures and docstrings."""

from collections.abc import Iterator

import griffe

from tools.reference.docstrings import render
from tools.reference.front import DESCRIBED_ELSEWHERE, front_modules, names_of
from tools.reference.markdown import anchors, code, items, page, table
from tools.reference.signatures import signature


def api_pages() -> dict[str, str]:
    """Return the index and the page of each module, by their paths in the reference."""
    modules = front_modules()
    rows = [
        [f"[`{each.path}`](api/{each.name}.md)", _summary(each), ", ".join(f"`{name.name}`" for name in names_of(each))]
        for each in modules
    ]
    index = page(
        "API of the chassis",
        "This page lists the modules of the chassis that `app` may import, and their public names.",
        "All other packages of `chassis/` are internal. The names below are stable: before a name is removed, a minor "
        "release announces it.",
        table(["module", "content", "names"], rows),
    )
    return {"api.md": index} | {f"api/{module.name}.md": _module_page(module) for module in modules}


def _module_page(module: griffe.Module) -> str:
    public = names_of(module)
    targets = anchors([module.path, *(each.name for each in public)])[1:]
    contents = [f"[`{each.name}`]({target}): {_summary(each)}" for each, target in zip(public, targets, strict=True)]
    blocks = [block for each in public for block in _object(each)]
    return page(
        module.path,
        f"This page lists the public names of the module `{module.path}`.",
        *render(module),
        items(contents),
        *blocks,
    )


def _object(found: griffe.Object, owner: str = "") -> Iterator[str]:
    """Yield the blocks of a public name, and those of a class's methods."""
    name = f"{owner}.{found.name}" if owner else found.name
    yield f"{'###' if owner else '##'} {name}"
    yield code(signature(found))
    yield from render(found)
    if isinstance(found, griffe.Class):
        if note := DESCRIBED_ELSEWHERE.get(found.path):
            yield note
        for member in names_of(found):
            yield from _object(member, name)


def _summary(found: griffe.Object) -> str:
    """Return the first line of the docstring, which is one sentence."""
    return found.docstring.value.partition("\n")[0] if found.docstring else ""
