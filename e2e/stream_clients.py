"""Clients of streams, in a process of their own with the libraries of a service: `python -m e2e.stream_clients`.

Arguments: the port of the Ingress controller on 127.0.0.1, the host, and how many clients of each kind. Each line on
standard input is answered with a report, a line of JSON. The end of the input ends the clients.
"""

import asyncio
import json
import random
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import WSCloseCode, WSMsgType

_PAUSE_SECONDS = 1.0  # before a client connects again, on average
_SILENCE_SECONDS = 10  # streams of the service send something several times a second
_ASK_SECONDS = 0.5
_DRAINING = 503


@dataclass
class Report:
    """What the clients of a kind have seen.

    Attributes:
        pods: for each client, the pod that it is connected to; empty if none.
        received: events or messages.
        ended: streams that have ended properly.
        refused: connections that were refused because the pod was draining; the client tries again.
        errors: whatever else has ended a stream, or was wrong in it, by description.
    """

    pods: list[str]
    received: int = 0
    ended: int = 0
    refused: int = 0
    errors: Counter[str] = field(default_factory=Counter)


class Clients:
    """Clients of a kind, which connect again whenever their stream ends.

    Args:
        session: connects through the Ingress controller.
        count: how many clients.
    """

    def __init__(self, session: aiohttp.ClientSession, count: int) -> None:
        self._session = session
        self.report = Report([""] * count)

    async def run(self, client: int) -> None:
        """Run a client until it is cancelled."""
        while True:
            try:
                await self.follow(client)
            except aiohttp.ClientResponseError as error:
                if error.status == _DRAINING:
                    self.report.refused += 1
                else:
                    self.report.errors[f"status {error.status}"] += 1
            except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError) as error:
                self.report.errors[repr(error)] += 1
            self.report.pods[client] = ""
            await asyncio.sleep(random.uniform(0, 2 * _PAUSE_SECONDS))

    async def follow(self, client: int) -> None:
        """Follow a stream until it ends.

        Raises:
            aiohttp.ClientError: the stream could not begin, or was cut.
            TimeoutError: nothing has arrived for too long.
        """
        raise NotImplementedError


class Listeners(Clients):
    """Clients of server-sent events, whose ids follow each other."""

    def __init__(self, session: aiohttp.ClientSession, count: int) -> None:
        super().__init__(session, count)
        self._last = [0] * count

    async def follow(self, client: int) -> None:
        headers = {"Last-Event-ID": str(self._last[client])} if self._last[client] else {}
        async with self._session.get("/v1/ticks", headers=headers) as response:
            event: dict[str, str] = {}
            async for line in response.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                elif event:
                    self._received(client, int(event["id"]), event["data"])
                    event = {}
            self.report.ended += 1
            if event:
                self.report.errors["the end is in the middle of an event"] += 1

    def _received(self, client: int, number: int, pod: str) -> None:
        last, self._last[client] = self._last[client], number
        if last and number != last + 1:
            self.report.errors[f"the event after {last} is {number}"] += 1
        self.report.received += 1
        self.report.pods[client] = pod


class Talkers(Clients):
    """Clients of WebSockets, who ask again and again."""

    async def follow(self, client: int) -> None:
        async with self._session.ws_connect("/v1/echo") as socket:
            number = 0
            while True:
                number += 1
                with suppress(ConnectionError):  # the service closes: what has arrived says why
                    await socket.send_json(number)
                message = await socket.receive(timeout=_SILENCE_SECONDS)
                if (message.type, message.data) == (WSMsgType.CLOSE, WSCloseCode.GOING_AWAY):
                    self.report.ended += 1
                    return
                if message.type is not WSMsgType.TEXT:
                    self.report.errors[f"{message.type.name} {message.data!r}"] += 1
                    return
                answer = json.loads(message.data)
                if answer["number"] != number:
                    self.report.errors[f"the answer to {number} is {answer['number']}"] += 1
                self.report.received += 1
                self.report.pods[client] = answer["pod"]
                await asyncio.sleep(_ASK_SECONDS)


async def main(port: str, host: str, count: str) -> None:
    """Run the clients until the input ends."""
    timeout = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE_SECONDS)
    options: dict[str, Any] = {"headers": {"Host": host}, "timeout": timeout, "raise_for_status": True}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector, **options) as session:
        kinds = {"events": Listeners(session, int(count)), "sockets": Talkers(session, int(count))}
        tasks = [asyncio.create_task(kind.run(client)) for kind in kinds.values() for client in range(int(count))]
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({name: vars(kind.report) for name, kind in kinds.items()}), flush=True)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
