"""The pages on libraries, and what a reader does with their code."""

import re
from collections.abc import Mapping
from pathlib import Path

from harness.repository import REPOSITORY, SERVICE

PAGES = REPOSITORY / SERVICE / "docs" / "chassis"
LIBRARIES = PAGES / "explanation" / "libraries.md"

# What an editor adds to app/service.py and app/settings.py.
_IMPORTS = """from app.routes import ROUTES
from app.settings import Settings
from chassis.contract import Route
from chassis.errors import Problem
from chassis.service import Resource, Service
"""
_SETTINGS_IMPORTS = "from pydantic import Field, SecretStr\n\n"
_OWN = {"app/routes.py", "app/service.py", "app/settings.py"}


def code_of(page: Path, section: str = "") -> dict[str, str]:
    """Return the code of a page, or of one of its sections, by the files that comments in it name.

    Args:
        page: the page.
        section: how the section's heading ends, such as the name of a library.
    """
    text = page.read_text(encoding="utf-8")
    if section:
        [text] = re.findall(rf"^##+ [^\n]*{re.escape(section)}\n(.*?)(?=^##+ |\Z)", text, re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        for file, code in re.findall(r"^# (app/\w+\.py)[^\n]*\n(.*?)(?=^# app/|\Z)", block, re.MULTILINE | re.DOTALL):
            found[file] = code.strip("\n") + "\n"
    return found


def write_code(service: Path, code: Mapping[str, str]) -> None:
    """Write code into a service.

    What a page has for `app/settings.py` are fields, and for `app/service.py` the object. Both lack the imports.
    """
    for file, text in code.items():
        path, whole = service / file, text
        if file == "app/settings.py":
            before = path.read_text(encoding="utf-8").replace("from chassis", f"{_SETTINGS_IMPORTS}from chassis", 1)
            whole = f"{before}\n" + "".join(f"    {line}\n" for line in text.splitlines())
        elif file == "app/service.py":
            modules = [Path(each).stem for each in code if re.fullmatch(r"app/\w+\.py", each) and each not in _OWN]
            whole = "".join(f"from app.{module} import *\n" for module in modules) + _IMPORTS + text
        path.parent.mkdir(exist_ok=True)
        path.write_text(whole, encoding="utf-8")
