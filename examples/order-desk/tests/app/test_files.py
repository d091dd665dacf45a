"""Tests of the files that come in and go out: attachments and the export."""

import csv
from io import BytesIO

from aiohttp import FormData

from chassis.testing import Client
from tests.app import test_orders
from tests.app.test_drafts import order


def form(content: bytes, name: str = "file") -> FormData:
    data = FormData(quote_fields=False)  # as browsers and curl send names
    data.add_field(name, BytesIO(content), filename="../../Maß.pdf")
    return data


async def test_a_file_is_kept_as_it_was_sent(client: Client) -> None:
    path, content = f"/v1/orders/{(await test_orders.create(client))['id']}/attachments", bytes(range(256)) * 8000
    response = await client.post(path, data=form(content))
    attached = await response.json()
    assert (response.status, attached["name"], attached["size"]) == (201, "../../Maß.pdf", len(content))
    assert await (await client.get(path)).json() == [attached]
    sent = await client.get(response.headers["Location"])
    assert (sent.content_type, await sent.read()) == ("application/octet-stream", content)
    assert sent.headers["Content-Disposition"] == "attachment; filename*=UTF-8''..%2F..%2FMa%C3%9F.pdf"
    assert (await client.get(f"{path}/404404")).status == 404


async def test_what_is_not_an_attachment_is_refused(client: Client) -> None:
    path = f"/v1/orders/{(await test_orders.create(client))['id']}/attachments"
    assert (await client.post(path, data=form(b"", name="picture"))).status == 422
    assert (await client.post(path, data=form(bytes(5 * 1024**2)))).status == 413
    assert (await client.post("/v1/orders/404404/attachments", data=form(b"x"))).status == 404
    assert await (await client.get(path)).json() == []


async def test_the_export_has_all_orders(client: Client) -> None:
    orders = [await order(client, quantity=number) for number in range(1, 4)]
    response = await client.get("/v1/orders.csv")
    rows = list(csv.DictReader((await response.text()).splitlines()))
    assert (response.status, response.content_type) == (200, "text/csv")
    assert [(int(row["id"]), row["total"], row["placed_at"]) for row in rows] == [
        (each["id"], each["total"], "") for each in orders
    ]
