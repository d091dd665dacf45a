"""What is to be run, from the environment."""

import os
import sys
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias, get_args

Target: TypeAlias = Literal["local", "cluster"]
Part: TypeAlias = Literal["article", "open-loop", "comparison"]


@dataclass(frozen=True)
class Options:
    """How much is run, and where.

    Attributes:
        quick: scaled down to some 3 minutes, to try the harness.
        target: this machine, or the cluster that KUBECONFIG names.
        only: what of it is run.
    """

    quick: bool
    target: Target
    only: tuple[Part, ...]

    @property
    def rounds(self) -> int:
        return 2 if self.quick else 7

    def count(self, full: float, quick: float) -> float:
        """How many, or how long: of the full run, or of the quick one."""
        return quick if self.quick else full

    @classmethod
    def from_environment(cls) -> Self:
        """Reads QUICK, TARGET and ONLY, which names parts with spaces between them; an empty one counts as not set.

        Raises:
            SystemExit: a name is not known.
        """
        target = os.environ.get("TARGET") or "local"
        only = os.environ.get("ONLY", "").split() or [*get_args(Part)]
        if target not in get_args(Target):
            sys.exit(f"TARGET={target}: there are {' and '.join(get_args(Target))}.")
        if unknown := {*only} - {*get_args(Part)}:
            sys.exit(f"ONLY={' '.join(unknown)}: there are {', '.join(get_args(Part))}.")
        parts = tuple(part for part in get_args(Part) if part in only)
        return cls(bool(os.environ.get("QUICK")), "cluster" if target == "cluster" else "local", parts)
