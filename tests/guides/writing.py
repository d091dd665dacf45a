"""Writes the code of pages into a service, with what an editor adds: imports, a migration, the parts of the service."""

import ast
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.guides.pages import blocks, parts_of, routes_of, statements

_DOCSTRING = '"""From the guides."""'
REVISION = '''"""{page}"""

from alembic import op

revision = "{revision}"
down_revision = "{down_revision}"


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
    op.execute("SELECT 1")
'''
MADE = '''"""A service with the code of the guides."""

from app.routes import ROUTES
from app.settings import Settings
from chassis.service import Service

SERVICE = Service(settings=Settings, routes=[*ROUTES, {routes}], {parts})
'''


class Pages:
    """Collects the code of pages, and writes it into a service.

    Args:
        imports: what an editor adds, beside the names that the modules of the pages define.
        code: what the pages leave out, by modules.
        settings: the settings that they leave out.
        routes: the routes that they leave out.
    """

    def __init__(self, imports: str, code: Mapping[str, str], settings: str, routes: str) -> None:
        self._imports, self._settings, self._routes = imports, settings, list(routes_of(routes))
        self._code = defaultdict[str, str](str, code)
        self._parts = defaultdict[str, list[str]](list)
        self._revisions: dict[str, str] = {}

    def add(self, file: Path, *, migrate: bool = True) -> None:
        """Add the code of a page: its modules, its settings, its routes, its parts of a service and its migration."""
        page, name = file.read_text("utf-8"), file.stem
        for first_line, content in blocks(page):
            module = re.split("[;,]", first_line)[0]
            if module == "app/settings.py":
                self._settings += "".join(f"    {line}\n" for line in content.strip().splitlines())
            elif module not in {"app/routes.py", "app/service.py"}:
                self._code[module] += f"\n\n{content.strip()}\n"
        self._routes += routes_of(page)
        for part in parts_of(page):
            call = ast.parse(f"Service({part})", mode="eval").body
            assert isinstance(call, ast.Call)
            for keyword in call.keywords:
                self._parts[str(keyword.arg)].append(ast.unparse(keyword.value)[1:-1])
        if migrate and (found := statements(page)):
            number = len(self._revisions) + 2
            self._revisions[f"{number:04}_{name.replace('-', '_')}.py"] = REVISION.format(
                page=name,
                revision=f"{number:04}",
                down_revision=f"{number - 1:04}",
                upgrade="\n".join(f'    op.execute(\n        r"""\n{each}\n        """\n    )' for each in found),
            )

    def write(self, service: Path, ruff: Callable[..., str]) -> None:
        """Write the code into a service, with the imports that the pages leave out."""
        for file, content in self._code.items():
            path = service / file
            before = without(path.read_text("utf-8"), set(_defined(content))) if path.exists() else _DOCSTRING
            lines = "\n\n" if content.lstrip().startswith(("from ", "import ")) else "\n\n\n"
            path.write_text(f"{before.rstrip()}{lines}{content.strip()}\n", "utf-8")
        for file, content in self._revisions.items():
            (service / "migrations" / "versions" / file).write_text(content, "utf-8")
        brackets = defaultdict(lambda: "[]", errors="{}")
        parts = ", ".join(f"{name}=" + ", ".join(each).join(brackets[name]) for name, each in self._parts.items())
        made = MADE.format(routes=", ".join(self._routes), parts=parts)
        (service / "app" / "service.py").write_text(made, "utf-8")
        with (service / "app" / "settings.py").open("a", encoding="utf-8") as opened:
            opened.write(self._settings and f"\n{self._settings}")
        written = [*self._code, "app/service.py", "app/settings.py"]
        self._add_imports(service, written, ruff)
        ruff("check", "--quiet", "--fix", "--select=I", *written)
        ruff("format", "--quiet", "app/service.py", "app/items/handlers.py")

    def _add_imports(self, service: Path, written: list[str], ruff: Callable[..., str]) -> None:
        known = dict(_imported(self._imports))
        for file in self._code:
            module = file.removesuffix(".py").replace("/", ".")
            known = {name: f"from {module} import {name}" for name in _defined((service / file).read_text())} | known
        found = json.loads(
            ruff("check", "--isolated", "--exit-zero", "--select=F821", "--output-format=json", *written)
        )
        lines = defaultdict[Path, set[str]](set)
        for each in found:
            [name] = re.findall("`(.+?)`", each["message"])
            if name in known:  # and not a word of a Literal that is not imported yet
                lines[Path(each["filename"])].add(known[name])
        for path, needed in lines.items():
            docstring, _, rest = path.read_text("utf-8").partition('"""\n')
            path.write_text(f'{docstring}"""\n\n' + "\n".join(needed) + f"\n{rest}", "utf-8")


def without(code: str, names: set[str]) -> str:
    """Return a module without some of its functions and classes."""
    lines = code.splitlines(keepends=True)
    for node in reversed(ast.parse(code).body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in names:
            begin = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            del lines[begin - 1 : node.end_lineno]
    return "".join(lines)


def _imported(imports: str) -> Iterator[tuple[str, str]]:
    """Yield each name of import statements, with a statement that imports it."""
    for node in ast.parse(imports).body:
        for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            before = f"from {node.module} " if isinstance(node, ast.ImportFrom) else ""
            yield alias.asname or alias.name, f"{before}import {ast.unparse(alias)}"


def _defined(code: str) -> Iterator[str]:
    """Yield the names that a module defines."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
