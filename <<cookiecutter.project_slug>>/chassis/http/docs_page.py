"""The documentation page at /docs: Swagger UI from an installed package, so that no internet access is needed."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from aiohttp import web
from pydantic_core import to_json

# See docs/decisions/0002 of the template. The names of the files may change with the package's minor version.
_PACKAGE = "offapi"

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

# A relative URL, as a proxy may add a prefix to both paths.
_START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});\n'
_CACHED = {"Cache-Control": "max-age=3600"}
# All scripts, styles and data come from this service, and none are inline.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _swagger_ui() -> Path:
    """Return the folder with Swagger UI's files, without importing the package, which would read all of its pages.

    Raises:
        ImportError: the package is not installed.
    """
    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"{_PACKAGE} is not installed: it is in requirements.txt.")
    return Path(found.submodule_search_locations[0])


def docs_routes(document: Callable[[], dict[str, object]]) -> list[web.AbstractRouteDef]:
    """Make the routes of the OpenAPI document, of the page, and of the files that the page loads.

    Args:
        document: makes the OpenAPI document; called at the first request, so that it does not delay the start.
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
    return file.read_bytes()
