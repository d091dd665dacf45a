"""`breakpoint()` under `make run`: the variable PYTHONBREAKPOINT names `stop`."""

import pdb
import sys
from typing import Any

from chassis.concurrency.deadline import lift_deadlines


def stop(*, header: str | None = None, **_: Any) -> None:
    """Stop in the debugger of the standard library; the request that stops has no deadline any more.

    Args:
        header: a line to print first.
    """
    lift_deadlines()
    debugger = pdb.Pdb(nosigint=True)  # otherwise Ctrl-C would open the debugger again, in place of ending the service
    if header is not None:
        debugger.message(header)
    debugger.set_trace(sys._getframe().f_back)
