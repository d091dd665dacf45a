"""The time limits of background work."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Time limits in seconds. Tests make them shorter.

    Attributes:
        lease: from the renewal of a lease to its expiry.
        renew: from one renewal to the next.
        poll: between two attempts to take or to renew a lease.
        first_retry: the pause after the first failure of a function.
        longest_retry: the bound of the pauses. A run that lasts longer than this resets them.
        stop: how long the stop waits for runs that it has cancelled.
    """

    lease: float = 15
    renew: float = 5
    poll: float = 1
    first_retry: float = 1
    longest_retry: float = 60
    stop: float = 2
