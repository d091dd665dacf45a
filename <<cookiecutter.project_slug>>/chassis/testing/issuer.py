"""An OIDC issuer for tests."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

_KEY_ID = "test"
_VALID_SECONDS = 300


class Issuer:
    """Publishes its key over HTTP, and signs tokens for the callers of a test.

    Attributes:
        name: the issuer's name, as in a token's `iss` claim.
        audience: the service under test, as in a token's `aud` claim.
        settings: the settings of a service that trusts this issuer, for `make_client(**issuer.settings)`.
    """

    name = "https://id.example.com"
    audience = "service-under-test"

    def __init__(self, jwks_url: str) -> None:
        self.settings: dict[str, Any] = {
            "oidc_issuer": self.name,
            "oidc_audience": self.audience,
            "oidc_jwks_url": jwks_url,
        }

    def authorization(self, *scopes: str, **claims: Any) -> dict[str, str]:
        """Return the request headers of a caller with these scopes.

        Args:
            scopes: what the caller may do, such as `items:read`.
            claims: as of `token`.
        """
        return {"Authorization": f"Bearer {self.token(*scopes, **claims)}"}

    def token(self, *scopes: str, subject: str = "alice", **claims: Any) -> str:
        """Sign a token that is valid for 5 minutes, unless its claims say otherwise.

        Args:
            scopes: what its caller may do, such as `items:read`.
            subject: the `sub` claim, which a handler reads as `caller.subject`.
            claims: further claims, or other values: `exp=0`. A claim that is None is left out.
        """
        now = int(time.time())
        usual = {"iss": self.name, "aud": self.audience, "sub": subject, "scope": " ".join(scopes)}
        times = {"iat": now, "nbf": now, "exp": now + _VALID_SECONDS}
        content = {name: value for name, value in {**usual, **times, **claims}.items() if value is not None}
        return jwt.encode(content, _key(), algorithm="RS256", headers={"kid": _KEY_ID})


@asynccontextmanager
async def running_issuer() -> AsyncIterator[Issuer]:
    """Run an issuer until the block ends."""

    async def keys(_: web.Request) -> web.Response:
        key = RSAAlgorithm.to_jwk(_key().public_key(), as_dict=True)
        return web.json_response({"keys": [key | {"kid": _KEY_ID, "use": "sig"}]})

    application = web.Application()
    application.router.add_get("/keys", keys)
    async with TestServer(application) as server:
        yield Issuer(str(server.make_url("/keys")))


@cache
def _key() -> rsa.RSAPrivateKey:
    """Make the key at its first use, once for all tests, because that takes a while."""
    return rsa.generate_private_key(65537, 2048)
