"""Authentication and authorization by the bearer tokens (RFC 6750) of an OIDC issuer."""

import re
import time
from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import jwt
from aiohttp import hdrs, web

from chassis.caller import Caller
from chassis.errors import ForbiddenError, UnauthorizedError
from chassis.http.admission import InFlightLimit
from chassis.http.jwks import KeySet
from chassis.settings import Settings

_BEARER = re.compile(r"bearer +([\w.~+/-]+=*)", re.ASCII | re.IGNORECASE)
_CLOCK_SKEW_SECONDS = 30
_CACHED_TOKENS = 1024
_REQUIRED = ["exp", "iss", "aud", "sub"]
_REASONS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "The token has expired.",
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.InvalidIssuerError: "The token comes from another issuer.",
    jwt.InvalidAudienceError: "The token is meant for another service.",
    jwt.MissingRequiredClaimError: f"The token lacks one of the claims {', '.join(_REQUIRED)}.",
    jwt.InvalidSignatureError: "The token's signature does not fit.",
    jwt.InvalidAlgorithmError: "The token is not signed in the way of its key.",
    Exception: "The token is not a valid JWT.",
}


class Authentication:
    """Verifies the tokens of requests."""

    def __init__(self, settings: Settings, in_flight: InFlightLimit) -> None:
        self._issuer = settings.oidc_issuer
        self._audience = settings.oidc_audience
        self.keys = KeySet(settings.oidc_jwks_url, in_flight)
        # Clients send a token many times. An entry is valid for one key object; reading the keys again makes new ones.
        self._decoded = lru_cache(_CACHED_TOKENS)(self._decode)

    async def caller(self, request: web.Request, scopes: Collection[str]) -> Caller:
        """Return the caller of a request, whose token must have all of the scopes.

        Raises:
            UnauthorizedError: the request has no valid token.
            ForbiddenError: the token lacks a scope.
            DependencyUnavailableError: the token's key is unknown, and the issuer does not answer.
            OverloadedError: the request waited for the key, and then no room in flight became free in time.
        """
        claims = await self._claims(request)
        # RFC 9068 has the claim `scope`. Some issuers name it `scp`, and some of these send a list.
        granted = claims.get("scope") or claims.get("scp") or ""
        granted = granted.split() if isinstance(granted, str) else granted
        if not isinstance(granted, list) or any(scope not in granted for scope in scopes):
            raise ForbiddenError(scopes)
        return Caller(claims["sub"], claims)

    def expiry_of(self, caller: Caller) -> float:
        """Return from when on the token of a caller is not accepted any more, in seconds of Unix time."""
        return int(caller.claims["exp"]) + _CLOCK_SKEW_SECONDS

    async def _claims(self, request: web.Request) -> Mapping[str, Any]:
        if hdrs.AUTHORIZATION not in request.headers:
            raise UnauthorizedError
        found = _BEARER.fullmatch(", ".join(request.headers.getall(hdrs.AUTHORIZATION)))
        if not found:
            raise UnauthorizedError("Authorization should be given once, as Bearer and the token.")
        token = found[1]
        try:
            key = await self.keys.find(_key_id(token))
            if key is None:
                raise UnauthorizedError("The token is signed with a key that its issuer does not publish.")
            claims = self._decoded(token, key)
            if int(claims["exp"]) <= time.time() - _CLOCK_SKEW_SECONDS:
                raise jwt.ExpiredSignatureError
            return claims
        except (jwt.PyJWTError, RecursionError) as error:
            reason = next(_REASONS[each] for each in type(error).__mro__ if each in _REASONS)
            raise UnauthorizedError(reason) from error

    def _decode(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        # The key determines the algorithm, not the token's header, which an attacker could choose.
        claims = jwt.decode(
            token,
            key,
            issuer=self._issuer,
            audience=self._audience,
            leeway=_CLOCK_SKEW_SECONDS,
            options={"require": _REQUIRED},
        )
        return MappingProxyType(claims)


@lru_cache(_CACHED_TOKENS)
def _key_id(token: str) -> str | None:
    key_id: str | None = jwt.get_unverified_header(token).get("kid")
    return key_id
