"""The scenarios of the guide on mails: a real SMTP server that takes them, refuses them, and is away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from app.mails import send_mails

from chassis.database import Database
from chassis.testing import Client, MakeClient


class Server:
    """Answers as the test has set, and keeps what it accepts.

    Attributes:
        recipient: the answer to a recipient.
        data: the answer to a mail.
        received: the mails, also those that it has not accepted.
    """

    def __init__(self) -> None:
        self.recipient, self.data = "250 OK", "250 OK"
        self.received: list[Any] = []

    async def handle_RCPT(self, _: object, __: object, envelope: Any, address: str, ___: object) -> str:  # noqa: N802
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, _: object, __: object, envelope: Any) -> str:  # noqa: N802
        self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        return self.data


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, int]]:
    made = Server()
    loop = asyncio.get_running_loop()
    opened = await loop.create_server(lambda: SMTP(made, loop=loop), "127.0.0.1", 0)
    async with opened:
        yield made, opened.sockets[0].getsockname()[1]


@pytest.fixture
async def client(make_client: MakeClient, server: tuple[Server, int]) -> Client:
    return await make_client(smtp_port=server[1])


async def write(client: Client, content: str = "a\nmail") -> int:
    status: int = (await client.post("/v1/mails", json={"body": content})).status
    return status


async def due(database: Database) -> list[tuple[int, datetime | None]]:
    """Return the attempts and the next time of each mail, and make all of them due that are to be sent again."""
    rows = await database.fetch("SELECT attempts, due_at FROM mails ORDER BY id")
    await database.execute("UPDATE mails SET due_at = now() WHERE due_at IS NOT NULL")
    return [(row["attempts"], row["due_at"]) for row in rows]


async def test_a_mail_is_sent_if_the_transaction_commits(
    client: Client, server: tuple[Server, int], database: Database
) -> None:
    assert [await write(client), await write(client, "fails")] == [204, 404]
    await client.run_background(send_mails)
    [mail] = server[0].received
    assert (mail["From"], mail["To"], mail["Subject"]) == ("items@example.com", "ada@example.com", "Grüße")
    assert mail.get_content() == "a\r\nmail\r\n"
    await client.run_background(send_mails)
    assert len(server[0].received) == 1
    assert await due(database) == []


@pytest.mark.parametrize(("part", "answer"), [("recipient", "450 Later"), ("data", "451 Later"), ("data", "554 No")])
async def test_a_mail_that_is_not_accepted_is_sent_again_with_the_same_id(
    client: Client, server: tuple[Server, int], database: Database, part: str, answer: str
) -> None:
    setattr(server[0], part, answer)
    await write(client)
    for attempts in (1, 2):
        await client.run_background(send_mails)
        [(count, again)] = await due(database)
        assert (count, again is None) == (attempts, False)
    setattr(server[0], part, "250 OK")
    await client.run_background(send_mails)
    [message_id] = {mail["Message-ID"] for mail in server[0].received}
    assert message_id
    assert await due(database) == []


async def test_a_recipient_that_does_not_exist_is_not_tried_again_and_stops_no_other_mail(
    client: Client, server: tuple[Server, int], database: Database
) -> None:
    server[0].recipient = "550 No such user"
    await write(client)
    await client.run_background(send_mails)
    server[0].recipient = "250 OK"
    await write(client, "another")
    await client.run_background(send_mails)
    assert await due(database) == [(1, None)]
    assert [mail.get_content() for mail in server[0].received] == ["another\r\n"]


async def test_a_server_that_is_away_loses_nothing(make_client: MakeClient, database: Database) -> None:
    client = await make_client(smtp_port=1)
    await write(client)
    await client.run_background(send_mails)
    [(attempts, again)] = await due(database)
    assert (attempts, again is None) == (1, False)
