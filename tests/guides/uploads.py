"""The scenarios of the guide on uploads: a real object store checks the signatures."""

import asyncio
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from time_machine import TimeMachineFixture

from chassis.testing import Client, MakeClient, free_port

KEY, SECRET = "AKIDEXAMPLE", "a-secret-for-tests"
CONTENT = b"a picture"
FIELDS = {"size": len(CONTENT), "media_type": "image/png"}
RCLONE = Path(sys.executable).with_name("rclone")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[tuple[Path, str]]:
    """An object store with a bucket, which is a folder; yields the folder and the bucket's address."""
    bucket, port = tmp_path / "bucket", free_port()
    bucket.mkdir()
    options = ["serve", "s3", f"--auth-key={KEY},{SECRET}", f"--addr=127.0.0.1:{port}", "--config=", str(tmp_path)]
    process = await asyncio.create_subprocess_exec(str(RCLONE), *options, stderr=DEVNULL)
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
                except OSError:
                    await asyncio.sleep(0.02)
        yield bucket, f"http://127.0.0.1:{port}/bucket"
    finally:
        process.kill()
        await process.wait()


async def create(client: Client, **changes: Any) -> dict[str, Any]:
    response = await client.post("/v1/uploads", json=FIELDS | changes)
    created: dict[str, Any] = await response.json()
    assert response.status == 201, created
    return created


async def put(url: str, headers: dict[str, str], content: bytes = CONTENT) -> int:
    async with aiohttp.ClientSession() as session, session.put(url, headers=headers, data=content) as response:
        status: int = response.status
        return status


@pytest.fixture
async def client(make_client: MakeClient, store: tuple[Path, str]) -> Client:
    return await make_client(store_url=store[1], store_key=KEY, store_secret=SECRET)


async def test_a_file_arrives_in_the_store(client: Client, store: tuple[Path, str]) -> None:
    first, second = await create(client), await create(client)
    assert await put(**first) == 200
    assert await put(**second) == 200
    assert [path.read_bytes() for path in store[0].iterdir()] == [CONTENT, CONTENT]


async def test_the_store_refuses_what_is_not_signed(client: Client, store: tuple[Path, str]) -> None:
    created = await create(client)
    url, headers = created["url"], created["headers"]
    other = headers | {"content-length": str(len(CONTENT) + 1)}
    assert await put(url, other, CONTENT + b"!") == 403
    assert await put(url, headers | {"content-type": "text/html"}) == 403
    assert await put(url.replace("/bucket/", "/bucket/x"), headers) == 403
    assert await put(url.replace("Expires=300", "Expires=3000"), headers) == 403
    assert list(store[0].iterdir()) == []


async def test_an_address_expires(client: Client, store: tuple[Path, str], time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(time.time() - 301)
    created = await create(client)
    assert await put(**created) in {400, 403}
    assert list(store[0].iterdir()) == []


async def test_another_secret_is_refused(make_client: MakeClient, store: tuple[Path, str]) -> None:
    client = await make_client(store_url=store[1], store_key=KEY, store_secret="another-secret")
    assert await put(**await create(client)) == 403


@pytest.mark.parametrize("change", [{"size": 0}, {"size": 2**40}, {"media_type": "text/html"}, {"media_type": "a\nb"}])
async def test_a_file_that_is_not_wanted_gets_no_address(client: Client, change: dict[str, Any]) -> None:
    assert (await client.post("/v1/uploads", json=FIELDS | change)).status == 422
