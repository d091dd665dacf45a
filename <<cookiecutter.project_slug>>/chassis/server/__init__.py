"""Serving: sockets, signals, connections, and a shutdown that loses no request."""

from typing import Any

from chassis.compatibility.moved_modules import moved_name


def __getattr__(name: str) -> Any:
    return moved_name(__name__, name)
