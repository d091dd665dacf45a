"""Asks PostgreSQL how it runs a statement, and judges whether an index serves it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

_READ = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")


async def complaints(connection: Any, statement: str, values: Sequence[object], *, most: int) -> list[str]:
    """Run a statement with EXPLAIN ANALYZE, and return what no index serves; nothing if one does.

    Args:
        connection: to a database whose tables are filled and analyzed.
        statement: the statement, with `$1`, `$2`, … for the values.
        values: the values.
        most: how many rows of tables and indexes the statement may read.
    """
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
    scans = [node for node in _nodes(json.loads(explained)[0]["Plan"]) if {"Relation Name", "Index Name"} & node.keys()]
    found = [f"reads all of {scan['Relation Name']}" for scan in scans if scan["Node Type"].endswith("Seq Scan")]
    rows = sum(scan["Actual Loops"] * sum(scan.get(each, 0) for each in _READ) for scan in scans)
    return [*found, f"reads {rows:.0f} rows, more than {most}"] if rows > most else found


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)
