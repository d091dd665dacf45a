"""An OIDC issuer for tests: publishes its keys over HTTP and signs any token."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "items"
_KEYS = {"one": rsa.generate_private_key(65537, 2048), "two": rsa.generate_private_key(65537, 2048)}
_CURVE = ec.generate_private_key(ec.SECP256R1())


class Issuer:
    """An issuer: the settings of a service that trusts it, and its tokens.

    Attributes:
        published: the ids of the keys that are published now.
        asked: the number of requests for the keys.
        instead: a text to send in place of the keys.
    """

    def __init__(self) -> None:
        self.published = {"one", "curve"}
        self.asked = 0
        self.instead: str | None = None
        application = web.Application()
        application.router.add_get("/keys", self._send_keys)
        self.server = TestServer(application)

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a service that trusts this issuer."""
        return {
            "oidc_issuer": self.name,
            "oidc_audience": AUDIENCE,
            "oidc_jwks_url": str(self.server.make_url("/keys")),
        }

    @property
    def name(self) -> str:
        return "https://id.example.com"

    async def _send_keys(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.instead is not None:
            return web.Response(text=self.instead)
        keys = [RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": id_} for id_, key in _KEYS.items()]
        keys.append(ECAlgorithm.to_jwk(_CURVE.public_key(), as_dict=True) | {"kid": "curve"})
        # Issuers may also publish keys that sign no tokens: for encryption, symmetric ones, or with an invalid id.
        other = [{**keys[0], "kid": "encrypts", "use": "enc"}, {"kty": "oct", "kid": "secret", "k": "c2VjcmV0" * 8}]
        other.append({**keys[0], "kid": ["no", "id"]})
        return web.json_response({"keys": [*(key for key in keys if key["kid"] in self.published), *other]})

    def token(self, key: str = "one", signed_with: str = "", algorithm: str = "RS256", **changes: Any) -> str:
        """Return a token that is valid except for the changes; a claim that is None is left out."""
        now = int(time.time())
        claims: dict[str, Any] = {"iss": self.name, "aud": AUDIENCE, "sub": "alice", "exp": now + 300, "nbf": now}
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        signer = _CURVE if algorithm.startswith("ES") else _KEYS[signed_with or key]
        return jwt.encode(claims, signer, algorithm=algorithm, headers={"kid": key})


def by_hand(token: str, header: dict[str, object], secret: bytes = b"") -> str:
    """Return the claims of a token under another header, signed by HMAC if there is a secret."""
    parts = [base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("="), token.split(".")[1]]
    signature = hmac.new(secret, ".".join(parts).encode(), hashlib.sha256).digest() if secret else b""
    return ".".join([*parts, base64.urlsafe_b64encode(signature).decode().rstrip("=")])


def public_pem() -> bytes:
    """Return the first public key as PEM, which an attacker could use as an HMAC secret."""
    return _KEYS["one"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@asynccontextmanager
async def issuer() -> AsyncIterator[Issuer]:
    """Run an issuer until the block ends."""
    made = Issuer()
    async with made.server:
        yield made
