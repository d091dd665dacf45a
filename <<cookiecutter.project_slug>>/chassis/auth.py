"""Who may call: bearer tokens (RFC 6750) of an OIDC issuer, where OIDC_ISSUER is set."""

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
from chassis.jwks import KeySet
from chassis.limits import InFlight
from chassis.settings import Settings

_BEARER = re.compile(r"bearer +([\w.~+/-]+=*)", re.ASCII | re.IGNORECASE)
_CLOCK_SKEW_SECONDS = 30
_KNOWN_TOKENS = 1024
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
    """Checks the tokens that requests bring."""

    def __init__(self, settings: Settings, in_flight: InFlight) -> None:
        self._issuer = settings.oidc_issuer
        self._audience = settings.oidc_audience
        self.keys = KeySet(settings.oidc_jwks_url, in_flight)
        # A client sends its token many times. A key that was read anew is another key, so nothing outlives the keys.
        self._decoded = lru_cache(_KNOWN_TOKENS)(self._decode)

    async def caller(self, request: web.Request, scopes: Collection[str]) -> Caller:
        """Who sent a request.

        Args:
            request: what came.
            scopes: what its token has to allow, all of it.

        Raises:
            UnauthorizedError: it has no valid token.
            ForbiddenError: its token does not allow this.
            DependencyUnavailableError: the token's key is not known yet, and the issuer does not answer.
            OverloadedError: it has come to be known, and every place in flight is taken.
        """
        claims = await self._claims(request)
        # `scope` is the standard's name (RFC 9068); some issuers call it `scp`, and some of those make it a list.
        granted = claims.get("scope") or claims.get("scp") or ""
        granted = granted.split() if isinstance(granted, str) else granted
        if not isinstance(granted, list) or any(scope not in granted for scope in scopes):
            raise ForbiddenError(scopes)
        return Caller(claims["sub"], claims)

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
        # The key brings its algorithm along: what the token says of it is not believed.
        claims = jwt.decode(
            token,
            key,
            issuer=self._issuer,
            audience=self._audience,
            leeway=_CLOCK_SKEW_SECONDS,
            options={"require": _REQUIRED},
        )
        return MappingProxyType(claims)


@lru_cache(_KNOWN_TOKENS)
def _key_id(token: str) -> str | None:
    key_id: str | None = jwt.get_unverified_header(token).get("kid")
    return key_id
