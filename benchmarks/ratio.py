"""Judges and describes the ratios that the guard measures, one for each cell: an operation with so many connections."""

from collections.abc import Mapping
from typing import Final

from benchmarks.statistics import Estimate

ALLOWED: Final = 1.10
"""The allowed multiple of a recorded ratio."""


def in_words(found: Estimate) -> str:
    """Format a ratio with its confidence interval."""
    return f"{found.middle:.2f} ({found.low:.2f} to {found.high:.2f} with {found.coverage:.0%})"


def refusal(found: Mapping[str, Estimate], recorded: Mapping[str, float]) -> str:
    """Return which ratios are too high, compared to the recorded ones, and what to do; empty if all are accepted."""
    dearer = [
        f"{cell}: {in_words(one)} times the peer, {one.middle / recorded[cell] - 1:+.0%} from "
        f"{recorded[cell]:.2f}, where {ALLOWED - 1:+.0%} is let pass"
        for cell, one in found.items()
        if cell in recorded and one.middle > ALLOWED * recorded[cell]
    ]
    if not dearer:
        return ""
    way = "Find by a profile what it is, or, where it is worth it, record it: make bench-guard RECORD=1."
    return "\n".join(["Requests have become dearer:", *dearer, way])
