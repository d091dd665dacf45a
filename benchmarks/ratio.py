"""Judges and describes the ratio that the guard measures."""

from typing import Final

from benchmarks.statistics import Estimate

ALLOWED: Final = 1.10
"""The allowed multiple of the recorded ratio."""


def in_words(found: Estimate) -> str:
    """Format the ratio with its confidence interval."""
    return f"{found.middle:.2f} ({found.low:.2f} to {found.high:.2f} with {found.coverage:.0%})"


def refusal(found: Estimate, recorded: float) -> str:
    """Return why a ratio is too high, compared to the recorded one, and what to do; empty if it is accepted."""
    if found.middle <= ALLOWED * recorded:
        return ""
    return (
        f"A GET has become dearer: {in_words(found)} times the bare handler, {found.middle / recorded - 1:+.0%} from "
        f"{recorded:.2f}, where {ALLOWED - 1:+.0%} is let pass. Find by a profile what it is, or, where it is worth "
        "it, record it: make bench-guard RECORD=1."
    )
