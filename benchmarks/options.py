"""Reads from the environment what to run."""

import os
import sys
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias, get_args

Target: TypeAlias = Literal["local", "cluster"]
Part: TypeAlias = Literal["article", "matrix", "tails"]


@dataclass(frozen=True)
class Options:
    """What to run, and where.

    Attributes:
        quick: scale the run down to a few minutes, to try the harness.
        target: this machine, or the cluster of KUBECONFIG.
        only: the parts to run.
    """

    quick: bool
    target: Target
    only: tuple[Part, ...]

    @property
    def rounds(self) -> int:
        """Good rounds that are wanted of each cell."""
        return 2 if self.quick else 9

    @property
    def most_rounds(self) -> int:
        """Rounds of a cell, those that are thrown away included."""
        return 2 if self.quick else 12

    def count(self, full: float, quick: float) -> float:
        """Return the number or duration that applies: that of the full run, or that of the quick run."""
        return quick if self.quick else full

    @classmethod
    def from_environment(cls) -> Self:
        """Read QUICK, TARGET and ONLY (names of parts, separated by spaces). An empty variable counts as not set.

        Raises:
            SystemExit: a name is unknown.
        """
        target = os.environ.get("TARGET") or "local"
        only = os.environ.get("ONLY", "").split() or [*get_args(Part)]
        if target not in get_args(Target):
            sys.exit(f"TARGET={target}: there are {' and '.join(get_args(Target))}.")
        if unknown := {*only} - {*get_args(Part)}:
            sys.exit(f"ONLY={' '.join(unknown)}: there are {', '.join(get_args(Part))}.")
        parts = tuple(part for part in get_args(Part) if part in only)
        return cls(bool(os.environ.get("QUICK")), "cluster" if target == "cluster" else "local", parts)
