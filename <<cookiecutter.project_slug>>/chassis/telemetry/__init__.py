"""Logs, metrics, traces and health checks."""

from typing import Any

from chassis.compatibility.moved_modules import moved_name


def __getattr__(name: str) -> Any:
    return moved_name(__name__, name)
