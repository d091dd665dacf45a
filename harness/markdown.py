"""Markdown for generated pages."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table, with an empty line at the end. A bar or a line break in a cell is replaced."""
    lines = (head, ["---"] * len(head), *rows)
    return [f"| {' | '.join(map(_in_one_line, line))} |" for line in lines] + [""]


def _in_one_line(cell: str) -> str:
    return cell.replace("|", "∣").replace("\n", " ")
