"""What the sources have and what the generator's tables describe have to be the same."""

from collections.abc import Iterable


class GenerationError(Exception):
    """A page cannot be generated; the message says what to add or to remove, and where."""


def check_complete(what: str, found: Iterable[str], described: Iterable[str], table: str) -> None:
    """Compare the names in the sources with those in a table.

    Args:
        what: what the names are, such as "log event".
        found: the names in the sources.
        described: the names in the table.
        table: where the table is, such as "tools/reference/log_events.py".

    Raises:
        GenerationError: a name is in only one of them.
    """
    missing, superfluous = sorted({*found} - {*described}), sorted({*described} - {*found})
    sentences = [
        *([f"Describe each {what} in {table}: {', '.join(missing)}."] if missing else []),
        *([f"Remove from {table}, as there is no such {what}: {', '.join(superfluous)}."] if superfluous else []),
    ]
    if sentences:
        raise GenerationError(" ".join(sentences))
