"""Fixtures: a service with the code of a section of the page, in the environment that has the libraries."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from harness.environments import python_with
from harness.repository import REPOSITORY, SERVICE
from tests.ecosystem.page import write_code
from tests.ecosystem.running import Running, database_of, postgres_server, running

LOCKS = REPOSITORY / SERVICE / "requirements-dev.txt", REPOSITORY / "requirements-ecosystem.txt"


class Run(Protocol):
    """Starts a process of the module's service: `with run_service(SOME_SETTING="…") as service:`."""

    def __call__(self, until: str = "ready", /, **environment: str) -> AbstractContextManager[Running]: ...


@pytest.fixture(scope="session")
def python() -> Path:
    """Return the Python of the environment with a service's packages and the libraries."""
    return python_with("ecosystem", *LOCKS)


@pytest.fixture(scope="module")
def made(new_service: Callable[..., Path], request: pytest.FixtureRequest) -> Path:
    """Bake a service, and write the module's CODE into it."""
    service = new_service()
    write_code(service, request.module.CODE)
    return service


@pytest.fixture(scope="session")
def server_url(service: Path, python: Path) -> Iterator[str]:
    """Yield the address of a PostgreSQL server for all modules."""
    with postgres_server(service, python) as url:
        yield url


@pytest.fixture(scope="module")
def database_url(made: Path, python: Path, server_url: str) -> Iterator[str]:
    """Yield the address of the service's database."""
    with database_of(made, python, server_url) as url:
        yield url


@pytest.fixture(scope="module")
def run_service(made: Path, python: Path, database_url: str) -> Run:
    """Return a function that runs the service until a block ends. The block begins with a log event, `ready`."""

    @contextmanager
    def run(until: str = "ready", /, **environment: str) -> Iterator[Running]:
        with running(made, python, {"DATABASE_URL": database_url, **environment}) as service:
            service.until_logged(until)
            yield service

    return run
