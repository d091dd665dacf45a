"""CORS: a page of another origin may call the API only if CORS_ORIGINS names its origin."""

import pytest

from chassis.settings import Settings, SettingsError, load_settings
from tests.chassis.conftest import Start

HERE, ELSEWHERE = "https://example.com", "https://example.org"
PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "if-match"}


async def test_off_by_default(start: Start) -> None:
    service = await start()
    response = await service.api.get("/search?word=a", headers={"Origin": HERE})
    assert not [name for name in response.headers if name.startswith("Access-Control-") or name == "Vary"]
    assert (await service.api.options("/counter", headers={"Origin": HERE, **PREFLIGHT})).status == 405


@pytest.mark.parametrize("path", ["/search?word=a", "/missing", "/no/such/route", "/search"])
async def test_an_origin_that_is_named_may_read_answers_and_errors(start: Start, path: str) -> None:
    service = await start(cors_origins=(HERE,))
    for origin, allowed in ((HERE, HERE), (ELSEWHERE, None), ("null", None)):
        response = await service.api.get(path, headers={"Origin": origin})
        assert (response.headers.get("Access-Control-Allow-Origin"), response.headers["Vary"]) == (allowed, "Origin")
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert (await service.api.get(path)).headers["Vary"] == "Origin"


async def test_a_browser_is_told_what_it_may_send(start: Start) -> None:
    service = await start(cors_origins=(HERE,))
    response = await service.api.options("/counter", headers={"Origin": HERE, **PREFLIGHT})
    assert (response.status, response.headers["Access-Control-Allow-Methods"]) == (204, "PUT")
    assert "If-Match" in response.headers["Access-Control-Allow-Headers"]
    refused = await service.api.options("/counter", headers={"Origin": ELSEWHERE, **PREFLIGHT})
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert (await service.api.options("/no/such/route", headers={"Origin": HERE, **PREFLIGHT})).status == 404
    assert (await service.api.options("/counter", headers={"Origin": HERE})).status == 405


async def test_every_origin_may_be_named(start: Start) -> None:
    service = await start(cors_origins=("*",))
    response = await service.api.get("/search?word=a", headers={"Origin": ELSEWHERE})
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_origins_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/name")
    monkeypatch.setenv("CORS_ORIGINS", f"{HERE}, http://localhost:3000")
    assert load_settings(Settings).cors_origins == (HERE, "http://localhost:3000")
    for wrong in ("example.com", f"{HERE}/", f"{HERE}/path", "ftp://example.com"):
        monkeypatch.setenv("CORS_ORIGINS", wrong)
        with pytest.raises(SettingsError, match="CORS_ORIGINS: should be origins"):
            load_settings(Settings)
