"""The id of a request: the client's `X-Request-ID`, or a new one; also in the response, the log and outgoing calls."""

import re
from random import getrandbits

from aiohttp import web
from multidict import CIMultiDictProxy, istr

REQUEST_ID = web.RequestKey("request_id", str)
REQUEST_ID_HEADER = istr("X-Request-ID")
_WELL_FORMED = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def request_id_of(headers: CIMultiDictProxy[str]) -> str:
    """Return the client's request id if it is well-formed, else a new one."""
    given = headers.get(REQUEST_ID_HEADER)
    return given if given and _WELL_FORMED.fullmatch(given) else f"{getrandbits(128):032x}"
