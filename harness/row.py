"""The result of an experiment."""

from dataclasses import dataclass, field


@dataclass
class Row:
    """The result of an experiment.

    Attributes:
        what: what was done.
        promise: the limits that it is checked against.
        broken: descriptions of the limits that were exceeded.
        not_run: the reason if the experiment did not run.
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
        """Record a broken promise unless the condition holds."""
        if not holds:
            self.broken.append(otherwise)

    @property
    def verdict(self) -> str:
        if self.not_run:
            return f"not run: {self.not_run}"
        return f"FAILED: {'; '.join(self.broken)}" if self.broken else "held"
