"""The documentation page at /docs: Swagger UI from an installed package, so that it works with no internet."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from aiohttp import web
from pydantic_core import to_json

_PACKAGE = "offapi"  # of which only the files of Swagger UI are used; their names may change with its minor version

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>API documentation</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

# The page and the document lie side by side, also where a proxy puts both under a prefix.
_START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});\n'

_CACHED = {"Cache-Control": "max-age=3600"}

# Everything on the page comes from this service, and nothing in it is inline.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _swagger_ui() -> Path:
    """The folder with Swagger UI's files.

    The package is not imported: it would read all of its pages into memory, and the image does not have them all.

    Raises:
        ImportError: it is not installed.
    """
    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"{_PACKAGE} is not installed: it is in requirements.txt.")
    return Path(found.submodule_search_locations[0])


def docs_routes(document: Callable[[], dict[str, object]]) -> list[web.AbstractRouteDef]:
    """The routes of the documentation: the OpenAPI document, the page, and the files it loads.

    Args:
        document: makes the document, when it is first asked for: no start waits for it.
    """
    openapi_json = cache(lambda: to_json(document()))
    swagger_ui = _swagger_ui()

    async def openapi(_: web.Request) -> web.Response:
        return web.Response(body=openapi_json(), content_type="application/json")

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html", headers={"Content-Security-Policy": _POLICY})

    async def start(_: web.Request) -> web.Response:
        return web.Response(text=_START, content_type="text/javascript")

    def asset(name: str, file: str, content_type: str) -> web.RouteDef:
        async def send(_: web.Request) -> web.Response:
            return web.Response(body=_content(swagger_ui / file), content_type=content_type, headers=_CACHED)

        return web.get(f"/docs/{name}", send)

    return [
        web.get("/openapi.json", openapi),
        web.get("/docs", page),
        web.get("/docs/start.js", start),
        asset("swagger-ui-bundle.js", "swagger_bundle.js", "text/javascript"),
        asset("swagger-ui.css", "swagger_style.css", "text/css"),
    ]


@cache
def _content(file: Path) -> bytes:
    """A file of the page; it is in memory from the first visit on."""
    return file.read_bytes()
