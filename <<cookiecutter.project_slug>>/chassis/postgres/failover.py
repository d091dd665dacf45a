"""Failover: connecting to the first of several hosts that answers."""

from typing import Any
from urllib.parse import urlsplit

import asyncpg

# What connecting raises, whatever the reason: refused, wrong password, no such database, too many clients, a timeout.
CANNOT_CONNECT = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # no host is what `target_session_attrs` asks for, such as the primary
    OSError,
    TimeoutError,
    ValueError,  # asyncpg cannot parse the address
)


class FailoverConnector:
    """Connects to one of the hosts in a database's address.

    asyncpg has one timeout for all hosts together: a first host that does not respond would leave no time for the
    others. Here each host gets the whole timeout.

    Args:
        url: the database's address; its hosts are separated by commas.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        credentials, at, hosts = address.netloc.rpartition("@")
        self._urls = [address._replace(netloc=f"{credentials}{at}{host}").geturl() for host in hosts.split(",")]
        if len(self._urls) == 1:
            self._urls = [url]

    async def connect(self, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
        """Connect to the first host that answers; the next call tries that host first.

        Args:
            options: as of `asyncpg.connect`.

        Raises:
            Exception: one of `CANNOT_CONNECT`, from the last host.
        """
        *others, last = self._urls
        for url in others:
            try:
                return await self._connect(url, options)
            except CANNOT_CONNECT:
                continue
        return await self._connect(last, options)

    async def _connect(self, url: str, options: dict[str, Any]) -> "asyncpg.Connection[asyncpg.Record]":
        connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(url, **options)
        self._urls.sort(key=lambda each: each != url)
        return connection
