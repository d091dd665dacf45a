"""The lag of a replica: how old the newest known state of the primary is that the replica has replayed.

A replica alone cannot tell its lag. The time of its last replayed transaction is old while the primary is idle, and a
replica without a connection to the primary takes everything that it has received for everything there is. So positions
in the primary's WAL are compared with the replica's.
"""

import math
import time
from bisect import bisect_right
from collections import deque


class PrimaryPositions:
    """Positions in the primary's WAL, each with the time at which it was asked for.

    Args:
        max_lag_seconds: positions that are older are forgotten.
    """

    def __init__(self, max_lag_seconds: float) -> None:
        self._max_lag_seconds = max_lag_seconds
        self._times = deque[float]()  # ascending, as the positions
        self._positions = deque[int]()

    def add(self, asked_at: float, position: int) -> None:
        """Add a position.

        Args:
            asked_at: the monotonic time before the primary was asked. What was committed until then is in the position.
            position: the number of bytes from the WAL's beginning.
        """
        # After a failover the WAL may go on at an earlier position. Later ones of the former primary are lost.
        while self._positions and self._positions[-1] >= position:
            self._positions.pop()
            self._times.pop()
        self._times.append(asked_at)
        self._positions.append(position)
        while self._times[0] < asked_at - self._max_lag_seconds:
            self._times.popleft()
            self._positions.popleft()

    def lag(self, replayed: int) -> float:
        """Return the lag of a replica in seconds; infinite if it is more than the longest.

        If no positions are added, because the primary is away, the lag grows.

        Args:
            replayed: the position up to which the replica has replayed the WAL.
        """
        known = bisect_right(self._positions, replayed)
        lag = time.monotonic() - self._times[known - 1] if known else math.inf
        return lag if lag <= self._max_lag_seconds else math.inf
