"""Connecting to a database that may be on several hosts, of which one may be silent."""

from typing import Any
from urllib.parse import urlsplit

import asyncpg

# No connection to be had, for whatever reason: refused, wrong password, no such database, too many clients, too late; a
# ValueError where asyncpg cannot read the address.
CANNOT_CONNECT = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server is none of those that `target_session_attrs` asks for, as a standby
    OSError,
    TimeoutError,
    ValueError,
)


class Hosts:
    """The hosts that a database's address names.

    asyncpg has one time-out for all of them together: a first one that says nothing would leave none for the others.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        who, at, hosts = address.netloc.rpartition("@")
        self._urls = [address._replace(netloc=f"{who}{at}{host}").geturl() for host in hosts.split(",")]
        if len(self._urls) == 1:
            self._urls = [url]

    async def connect(self, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
        """Connects to the first host that answers, and asks that one first from then on.

        Raises:
            Exception: one of `CANNOT_CONNECT`, of the last host.
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
