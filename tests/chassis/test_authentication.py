"""Authentication and authorization with tokens of a real issuer, whose keys are fetched over HTTP."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from chassis.http.authentication import _CLOCK_SKEW_SECONDS
from chassis.settings import Settings, SettingsError, load_settings
from tests.chassis.conftest import Running, Start
from tests.chassis.issuer import Issuer, by_hand, issuer, public_pem


@pytest.fixture(name="issuer")
async def _issuer() -> AsyncIterator[Issuer]:
    async with issuer() as made:
        yield made


@pytest.fixture
async def guarded(start: Start, issuer: Issuer) -> Running:
    """The example with authentication enabled."""
    return await start(**issuer.settings)


async def _ask(service: Running, token: str, path: str = "/who") -> tuple[int, str, str]:
    """Return the status, the challenge and the body of a response."""
    response = await service.api.get(path, headers={"Authorization": f"Bearer {token}"})
    return response.status, response.headers.get("WWW-Authenticate", ""), await response.text()


@pytest.mark.parametrize("key", ["one", "curve"])
async def test_a_token_lets_in_and_says_who_asks(guarded: Running, issuer: Issuer, key: str) -> None:
    token = issuer.token(key, algorithm="ES256" if key == "curve" else "RS256")
    assert await _ask(guarded, token) == (200, "", '{"subject":"alice"}')


async def test_without_a_token_nothing_but_the_documentation_is_shown(guarded: Running) -> None:
    response = await guarded.api.get("/who")
    assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert (await response.json())["type"] == "urn:problem-type:unauthorized"
    # The token is checked before the rest of the request.
    assert (await guarded.api.post("/echo", data=b"not JSON")).status == 401
    document = await (await guarded.api.get("/openapi.json")).json()
    assert document["paths"]["/call"]["get"]["security"] == [{"bearer": ["calls:make", "calls:pay"]}]
    assert document["paths"]["/call"]["get"]["responses"].keys() >= {"401", "403"}
    assert (await guarded.api.get("/docs")).status == 200
    assert (await guarded.internal.get("/readyz")).status == 200


NOW = int(time.time())


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda issuer: issuer.token(exp=NOW - 60), "The token has expired."),
        (lambda issuer: issuer.token(nbf=NOW + 600), "The token is not valid yet."),
        (lambda issuer: issuer.token(iss="https://other.example.com"), "The token comes from another issuer."),
        (lambda issuer: issuer.token(aud="other"), "The token is meant for another service."),
        (lambda issuer: issuer.token(aud=[]), "The token lacks one of the claims"),
        (lambda issuer: issuer.token("two"), "The token is signed with a key that its issuer does not publish."),
        (lambda issuer: issuer.token("one", signed_with="two"), "The token's signature does not fit."),
        (lambda issuer: issuer.token(algorithm="PS256"), "The token is not signed in the way of its key."),
        (lambda issuer: issuer.token("curve", signed_with="one"), "The token is not signed in the way of its key."),
        (lambda issuer: issuer.token("encrypts", signed_with="one"), "The token is signed with a key that its issuer"),
        *(
            (lambda issuer, claim=claim: issuer.token(**{claim: None}), "The token lacks one of the claims")
            for claim in ("exp", "iss", "aud", "sub")
        ),
        (lambda issuer: issuer.token(exp="soon"), "The token is not a valid JWT."),
        (lambda issuer: issuer.token(sub=7), "The token is not a valid JWT."),
        (lambda issuer: by_hand(issuer.token(), {"alg": "none", "kid": "one"}), "The token is not signed in the way"),
        (lambda issuer: by_hand(issuer.token(), {"alg": "none"}), "The token is signed with a key that its issuer"),
        (
            lambda issuer: by_hand(issuer.token(), {"alg": "HS256", "kid": "one"}, public_pem()),
            "The token is not signed in the way of its key.",
        ),
        (
            lambda issuer: by_hand(issuer.token(), {"alg": "HS256", "kid": "secret"}, b"secret" * 8),
            "The token is signed with a key that its issuer does not publish.",
        ),
        (lambda _: "e30.e30", "The token is not a valid JWT."),
        (lambda issuer: by_hand("." + issuer.token(), {}).replace(".", "x"), "The token is not a valid JWT."),
        (lambda _: "W" * 6000 + ".e30.e30", "The token is not a valid JWT."),
        (lambda _: "W1tb" * 1500 + ".e30.e30", "The token is not a valid JWT."),
        (lambda _: "é", "Authorization should be given once, as Bearer and the token."),
        (lambda _: "a, Bearer b", "Authorization should be given once, as Bearer and the token."),
    ],
)
async def test_no_other_token_lets_in(
    guarded: Running, issuer: Issuer, make: Callable[[Issuer], str], reason: str
) -> None:
    with capture_logs() as logs:
        status, challenge, body = await _ask(guarded, make(issuer))
    [line] = [line for line in logs if line["event"] == "token_refused"]
    assert line["reason"].startswith(reason)
    assert (status, json.loads(body)["type"]) == (401, "urn:problem-type:unauthorized")
    assert challenge.startswith(f'Bearer error="invalid_token", error_description="{reason}')


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 403),
        ({"scope": "calls:make"}, 403),
        ({"scope": "calls:make-not calls:pay"}, 403),
        ({"scope": None, "scp": 7}, 403),
        ({"scope": "other calls:pay calls:make"}, 422),  # authorized, but the query string is missing
        ({"scp": ["calls:make", "calls:pay"]}, 422),
    ],
)
async def test_a_token_has_to_have_every_scope_of_the_route(
    guarded: Running, issuer: Issuer, claims: dict[str, Any], status: int
) -> None:
    answered, challenge, _ = await _ask(guarded, issuer.token(**claims), "/call")
    assert answered == status
    refused = 'Bearer error="insufficient_scope", scope="calls:make calls:pay"'
    assert challenge == (refused if status == 403 else "")


async def test_keys_that_are_new_are_found_and_those_taken_back_are_refused(guarded: Running, issuer: Issuer) -> None:
    assert (await _ask(guarded, issuer.token()))[0] == 200
    issuer.published = {"two"}
    assert (await _ask(guarded, issuer.token("two")))[0] == 200
    assert (await _ask(guarded, issuer.token("one")))[0] == 401


async def test_tokens_of_made_up_keys_do_not_become_a_load_on_the_issuer(guarded: Running, issuer: Issuer) -> None:
    assert (await _ask(guarded, issuer.token()))[0] == 200
    before = issuer.asked
    for number in range(20):
        assert (await _ask(guarded, issuer.token(f"made-up-{number}", signed_with="two")))[0] == 401
    assert issuer.asked == before + 1


async def test_a_token_that_was_good_a_moment_ago_expires(guarded: Running, issuer: Issuer) -> None:
    token = issuer.token(exp=int(time.time()) - _CLOCK_SKEW_SECONDS + 2)
    assert (await _ask(guarded, token))[0] == 200
    async with asyncio.timeout(10):
        while (await _ask(guarded, token))[0] == 200:
            await asyncio.sleep(0.1)
    assert "The token has expired." in (await _ask(guarded, token))[1]


async def test_an_issuer_that_is_away_locks_out_nobody_who_is_known(guarded: Running, issuer: Issuer) -> None:
    assert (await _ask(guarded, issuer.token()))[0] == 200
    await issuer.server.close()
    with capture_logs() as logs:
        status, _, body = await _ask(guarded, issuer.token("two"))
        assert (status, json.loads(body)["type"]) == (503, "urn:problem-type:dependency-unavailable")
        assert (await _ask(guarded, issuer.token()))[0] == 200
    [line] = [line for line in logs if line["event"] == "jwks_unavailable"]
    assert line["known_keys"] == 2


@pytest.mark.parametrize(
    "content",
    [
        "not JSON",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": [{"kty": "oct"}]}',
    ],
)
async def test_what_is_no_key_set_is_like_an_issuer_that_is_away(
    guarded: Running, issuer: Issuer, content: str
) -> None:
    assert (await _ask(guarded, issuer.token()))[0] == 200
    issuer.instead = content
    assert (await _ask(guarded, issuer.token("two")))[0] == 503
    assert (await _ask(guarded, issuer.token()))[0] == 200


async def test_an_open_api_says_so_once_and_lets_in_everybody(start: Start) -> None:
    with capture_logs() as logs:
        service = await start()
        assert await (await service.api.get("/who")).json() == {"subject": ""}
    [line] = [line for line in logs if line["event"] == "api_open"]
    assert line["log_level"] == "warning"
    document = await (await service.api.get("/openapi.json")).json()
    assert "security" not in document["paths"]["/who"]["get"]


async def test_no_line_of_the_log_holds_a_token(guarded: Running, issuer: Issuer) -> None:
    with capture_logs() as logs:
        for token in (
            issuer.token(),
            issuer.token(exp=NOW - 60),
            "hunter2",
            issuer.token(scope="calls:make calls:pay"),
        ):
            for path in ("/who", "/broken", "/call?word=http://127.0.0.1:1/"):
                await _ask(guarded, token, path)
                for line in logs:
                    assert token not in repr(line)


async def test_the_same_idempotency_key_of_another_caller_is_another_request(
    guarded: Running, issuer: Issuer, database_url: str
) -> None:
    for subject in ("alice", "bob", "alice"):
        headers = {"Authorization": f"Bearer {issuer.token(sub=subject)}", "Idempotency-Key": "one"}
        response = await guarded.api.post("/try-again", headers=headers)
        assert response.status == 200
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT count(*) FROM idempotency_keys") == 2
    await connection.close()


@pytest.mark.parametrize(
    ("given", "mistakes"),
    [
        ({"OIDC_ISSUER": "https://a"}, ["OIDC_AUDIENCE", "OIDC_JWKS_URL"]),
        ({"OIDC_AUDIENCE": "a"}, ["OIDC_AUDIENCE"]),
        ({"OIDC_ISSUER": "https://a", "OIDC_AUDIENCE": "a", "OIDC_JWKS_URL": "file:///a"}, ["OIDC_JWKS_URL"]),
    ],
)
def test_half_a_configuration_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], mistakes: list[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/name")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings(Settings)
    assert [line.split(":")[0].strip() for line in str(error.value).splitlines()[1:]] == mistakes
