"""Tests of the chat, between two processes of the service."""

import pytest
from aiohttp import WSCloseCode, WSServerHandshakeError

from chassis.testing import Client, MakeClient
from tests.app import test_orders
from tests.app.conftest import Listening

HELLO = {"name": "Desk", "text": "Hello! \N{SLIGHTLY SMILING FACE} \x01"}


async def test_a_message_reaches_all_processes_and_only_its_order(
    make_client: MakeClient, listening: Listening
) -> None:
    clients = [await make_client(), await make_client()]
    for client in clients:
        await listening(client)
    paths = [f"/v1/orders/{(await test_orders.create(clients[0]))['id']}/chat" for _ in range(2)]
    async with (
        clients[0].ws_connect(paths[0]) as desk,
        clients[1].ws_connect(paths[0]) as customer,
        clients[1].ws_connect(paths[1]) as other,
    ):
        await desk.send_json(HELLO)
        assert [await customer.receive_json(), await desk.receive_json()] == [HELLO, HELLO]
        await other.send_json({"name": "Other", "text": "Bye"})
        assert await other.receive_json() == {"name": "Other", "text": "Bye"}


@pytest.mark.parametrize(("sent", "code"), [("{}", WSCloseCode.POLICY_VIOLATION), ("x" * 3000, 1009)])
async def test_what_is_no_message_ends_the_chat(client: Client, sent: str, code: int) -> None:
    created = await test_orders.create(client)
    async with client.ws_connect(f"/v1/orders/{created['id']}/chat") as socket:
        await socket.send_str(sent)
        await socket.receive()
        assert socket.close_code == code


async def test_there_is_no_chat_about_an_order_that_is_not_there(client: Client) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect("/v1/orders/404404/chat")
    assert refused.value.status == 404
