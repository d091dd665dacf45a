"""Reads the code of pages: their blocks with the files that they belong to, calls, SQL."""

import re
from collections.abc import Iterator


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Yield the files of a page's blocks, each with the text of its first line and its code."""
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        yield from re.findall(
            r"^# ((?:app|tests)/[^\n]*)\n(.*?)(?=^# (?:app|tests)/|\Z)", block, re.DOTALL | re.MULTILINE
        )


def routes_of(page: str) -> Iterator[str]:
    """Yield the calls of `Route` on a page, up to their closing parentheses."""
    yield from _calls(page, r'Route\("[A-Z]+"')


def parts_of(page: str) -> Iterator[str]:
    """Yield what a page gives to `Service(…, resources=[redis])`, without the three dots."""
    for call in _calls(page, r"Service\(…, "):
        yield call.removeprefix("Service(…, ").removesuffix(")")


def statements(page: str) -> list[str]:
    """Return the statements of a page's SQL blocks. Each begins at the beginning of a line."""
    text = ";\n".join(each.strip().removesuffix(";") for each in re.findall(r"```sql\n(.*?)```", page, re.DOTALL))
    return re.split(r";\n(?=\S)", text) if text else []


def _calls(page: str, beginning: str) -> Iterator[str]:
    for found in re.finditer(beginning, page):
        depth, end = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(page[end], 0)
            end += 1
        yield page[found.start() : end]
