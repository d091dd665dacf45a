"""Items, the resource of the example in the template."""

from harness.http import Client, request

ITEM = {"name": "Lamp", "description": "Bright", "price_cents": 1999}


async def create_item(port: int, **headers: str) -> int:
    """Create an item and return its id."""
    client = Client(port)
    answer = await client.send(request("POST", "/v1/items", ITEM, **headers))
    client.close()
    if not answer.ok:
        raise RuntimeError(f"no item could be created: {answer.status or answer.error} {answer.body!r}")
    return int(answer.head.partition(b"\r\nlocation: /v1/items/")[2].partition(b"\r")[0])
