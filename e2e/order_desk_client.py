"""A client of the order desk, with the libraries of a service: `python -m e2e.order_desk_client`.

Arguments: the port of the Ingress controller on 127.0.0.1, the host, and the secret of the webhook. It uses each
feature once, opens a stream of events and a chat, and prints a line. After a line on standard input it places another
order, waits until the stream and the chat have it, and prints a report as JSON; `errors` has what was wrong.
"""

import asyncio
import hmac
import json
import sys
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import ClientSession, FormData, WSCloseCode, WSMsgType

_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = 0.5


class Visitor:
    """Someone who uses the order desk.

    Attributes:
        errors: what was not as it should be.
        requests: how many there were.
        events: the ids that the stream has sent, over all its connections.
        streams: how often the stream was connected.
        chats: how often the chat was connected.
        heard: the messages of the chat.
    """

    def __init__(self, session: ClientSession, secret: str) -> None:
        self._session, self._secret = session, secret.encode()
        self.errors: list[str] = []
        self.requests = 0
        self.events: list[int] = []
        self.streams = 0
        self.chats = 0
        self.heard: list[str] = []
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def ask(self, method: str, path: str, status: int, body: Any = None, **options: Any) -> Any:
        """Send a request, and return the body of the response; a wrong status is an error."""
        self.requests += 1
        async with self._session.request(method, path, json=body, **options) as response:
            if response.status != status:
                self.errors.append(f"{method} {path}: {response.status}, not {status}: {(await response.text())[:300]}")
            return await (response.json() if "json" in response.content_type else response.text())

    async def order(self, email: str, price: str = "19.99") -> str:
        """Create a customer and an order of two lines, and return the order's path."""
        customer = await self.ask("POST", "/v1/customers", 201, {"email": email, "name": "Ada"})
        fields = {"customer_id": customer["id"], "tags": ["phone"], "metadata": {"gift": True}}
        path = f"/v1/orders/{(await self.ask('POST', '/v1/orders', 201, fields))['id']}"
        for sku in ("LAMP", "DESK"):
            await self.ask("POST", f"{path}/lines", 201, {"sku": sku, "quantity": 2, "price": price})
        return path

    async def use_everything(self) -> str:
        """Use each feature, and return the path of an order."""
        path = await self.order("ada@example.com")
        await self.ask("POST", "/v1/customers", 409, {"email": "ada@example.com", "name": "Ada"})
        await self.ask("PATCH", path, 200, {"tags": ["phone", "gift"]})
        lines = await self.ask("GET", f"{path}/lines", 200)
        await self.ask("DELETE", f"{path}/lines/{lines['items'][0]['id']}", 204)
        placed = await self.ask("PUT", f"{path}/placement", 200)
        self._hold(placed["total"] == "39.98", f"the total is {placed['total']}")
        await self.ask("PUT", f"{path}/placement", 200)
        await self.ask("PUT", f"{await self.order('eve@example.com', '999.99')}/placement", 402)
        await self.ask("GET", "/v1/prices/LAMP", 200)
        found = await self.ask("GET", "/v1/orders?status=placed&sort=-placed_at", 200)
        self._hold([each["id"] for each in found["items"]] == [placed["id"]], f"the placed orders are {found}")
        form = FormData(quote_fields=False)
        form.add_field("file", b"picture", filename="picture.jpg")
        attached = await self.ask("POST", f"{path}/attachments", 201, data=form)
        content = await self.ask("GET", f"{path}/attachments/{attached['id']}", 200)
        self._hold(content == "picture", f"the attachment is {content!r}")
        export = await self.ask("GET", "/v1/orders.csv", 200)
        self._hold(export.count("\n") == 3, f"the export is {export!r}")
        body = json.dumps({"order_id": 404404}).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Signature": hmac.new(self._secret, body, "sha256").hexdigest(),
        }
        await self.ask("POST", "/v1/refunds", 204, data=body, headers=headers)
        return path

    async def follow_events(self) -> None:
        """Follow the stream of events until it is cancelled; it goes on where it was."""
        while True:
            headers = {"Last-Event-ID": str(self.events[-1])} if self.events else {}
            with suppress(aiohttp.ClientConnectionError):
                async with self._session.get("/v1/order-events", headers=headers) as stream:
                    if stream.status == 200:
                        self.streams += 1
                        async for line in stream.content:
                            if line.startswith(b"id: "):
                                self.events.append(int(line[4:]))
                    elif stream.status != 503:
                        self.errors.append(f"the stream of events: {stream.status}")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def talk(self, path: str) -> None:
        """Listen to a chat until it is cancelled, and connect again after a deployment."""
        while True:
            with suppress(aiohttp.ClientConnectionError, aiohttp.WSServerHandshakeError):
                async with self._session.ws_connect(f"{path}/chat") as socket:
                    self.chats, self._socket = self.chats + 1, socket
                    async for message in socket:
                        if message.type is WSMsgType.TEXT:
                            self.heard.append(message.json()["text"])
                    again = {WSCloseCode.GOING_AWAY, WSCloseCode.TRY_AGAIN_LATER}
                    self._hold(socket.close_code in again, f"the chat was closed with {socket.close_code}")
            self._socket = None
            await asyncio.sleep(_PAUSE_SECONDS)

    async def say(self, text: str) -> None:
        """Say something until it is heard."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while text not in self.heard:
                with suppress(aiohttp.ClientConnectionError):
                    if self._socket and not self._socket.closed:
                        await self._socket.send_json({"name": "Desk", "text": text})
                await asyncio.sleep(_PAUSE_SECONDS)

    async def until_sent(self, count: int) -> None:
        """Wait until the stream has sent so many events, each once."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(self.events) < count:
                await asyncio.sleep(_PAUSE_SECONDS)
        self._hold(self.events == sorted(set(self.events)), f"the events are {self.events}")

    def _hold(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.errors.append(otherwise)


async def main(port: str, host: str, secret: str) -> None:
    """Use the order desk, before and after a line on standard input."""
    timeout = aiohttp.ClientTimeout(total=None, sock_read=_PATIENCE_SECONDS)
    async with ClientSession(f"http://127.0.0.1:{port}", headers={"Host": host}, timeout=timeout) as session:
        visitor = Visitor(session, secret)
        path = await visitor.use_everything()
        streams = [asyncio.create_task(visitor.follow_events()), asyncio.create_task(visitor.talk(path))]
        await visitor.until_sent(1)
        await visitor.say("before")
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await visitor.ask("PUT", f"{await visitor.order('bob@example.com')}/placement", 200)
        await visitor.until_sent(2)
        await visitor.say("after")
        for each in streams:
            each.cancel()
        report = {"errors": visitor.errors, "requests": visitor.requests}
        print(json.dumps(report | {"streams": visitor.streams, "chats": visitor.chats}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
