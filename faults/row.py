"""What an experiment results in."""

from dataclasses import dataclass, field


@dataclass
class Row:
    """An experiment's result.

    Attributes:
        what: what was done.
        promise: the bounds that it is held against.
        broken: those that did not hold, in words.
        not_run: why nothing was measured.
    """

    what: str
    load: str = ""
    requests: int | None = None
    failures: int | None = None
    recovery_seconds: float | None = None
    lost: int | None = None
    doubled: int | None = None
    measured: str = ""
    promise: str = ""
    broken: list[str] = field(default_factory=list)
    not_run: str = ""

    def hold(self, holds: bool, otherwise: str) -> None:
        """Notes a bound as broken unless it holds."""
        if not holds:
            self.broken.append(otherwise)

    @property
    def verdict(self) -> str:
        if self.not_run:
            return f"not run: {self.not_run}"
        return f"FAILED: {'; '.join(self.broken)}" if self.broken else "held"
