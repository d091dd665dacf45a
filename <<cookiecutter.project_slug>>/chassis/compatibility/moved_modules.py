"""Modules that have moved since release 0.2: importing one by its old name goes on working until 0.5.

`chassis/__init__.py` installs a finder that Python asks last, so imports of modules that exist cost nothing.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_REMOVED_IN = "0.5"
# Old module: the modules that have its names now.
_MOVED = {
    "auth": "http.authentication",
    "bodies": "http.request_body",
    "client": "http.client",
    "connection": "server.connection server.runner",
    "cors": "http.cors",
    "deadline": "concurrency.deadline",
    "docs": "http.docs_page",
    "endpoint": "http.endpoint",
    "health": "telemetry.health",
    "hosts": "postgres.failover",
    "idempotency": "http.idempotency",
    "jwks": "http.jwks",
    "limits": "http.admission",
    "loader": "postgres.batched_reads",
    "logs": "telemetry.logs telemetry.request_log",
    "metrics": "telemetry.metrics",
    "migrate": "migrations.run",
    "observe": "telemetry.request_id telemetry.request_log",
    "openapi": "http.openapi",
    "output": "telemetry.stdout",
    "pool": "postgres.pool",
    "problems": "http.problem_details",
    "runner": "server.runner",
    "saturation": "postgres.pool_metrics",
    "schema": "migrations.revisions",
    "server": "server.signals server.sockets server.serve",
    "telemetry": "telemetry.request_log",
    "tracing": "telemetry.tracing",
    "turns": "concurrency.semaphore",
    "writing": "http.aiohttp_internals",
}
# Names that have changed, too.
_RENAMED = {
    "Bodies": "RequestBodyReader",
    "Hosts": "FailoverConnector",
    "InFlight": "InFlightLimit",
    "KINDS": "PROBLEM_TYPES",
    "Kind": "ProblemType",
    "Loader": "BatchedReads",
    "Output": "NonBlockingStdout",
    "Patience": "ClientTimeouts",
    "Stop": "Shutdown",
    "Telemetry": "RequestLog",
    "Turns": "FifoSemaphore",
    "clean": "delete_expired",
    "is_ordinary": "is_plain",
    "kind_of": "problem_type_of",
    "limits": "Admission",
    "log_request": "write_line",
    "observe": "request_log",
    "problems": "problem_details",
    "sample": "measure_pool",
    "stop_on_signals": "shutdown_on_signals",
    "write_ordinary": "write_plain",
}

_imported = dict[str, str]()


def moved_name(module: str, name: str) -> Any:
    """Return what a module had under this name before it moved.

    Args:
        module: the old name, such as `chassis.pool`, or `chassis.server`, which is a package now.
        name: of a function, a class or a constant.

    Raises:
        AttributeError: it had no such name.
    """
    _, _, old = module.partition(".")
    if not name.startswith("__"):
        for new in _MOVED[old].split():
            found = import_module(f"chassis.{new}")
            for each in (name, _RENAMED.get(name, name)):
                if hasattr(found, each):
                    _imported[module] = found.__name__
                    return getattr(found, each)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def log_moved_imports() -> None:
    """Log the modules that this process imports by their old names, once at the start."""
    if _imported:
        import structlog  # imported here, because the template's `make update` runs without it

        structlog.get_logger().warning("deprecated_imports", now=_imported, reason=f"the old names go in {_REMOVED_IN}")


def install() -> None:
    """Have Python find modules by their old names."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002
        """Find a module that has moved."""
        package, _, old = name.partition(".")
        return ModuleSpec(name, _Loader()) if package == "chassis" and old in _MOVED else None


class _Loader(Loader):
    def exec_module(self, module: ModuleType) -> None:
        """Have the module look its names up where they are now."""
        module.__getattr__ = lambda name: moved_name(module.__name__, name)  # type: ignore[method-assign]
