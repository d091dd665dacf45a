"""The lists that `make resource` writes are served by the indexes that it writes, in tables of 100,000 rows."""

import shutil
from collections.abc import Callable
from pathlib import Path

from harness.environments import python_for
from harness.repository import REPOSITORY
from tests.services import run
from tests.test_resource import make

TYPES = {
    "str": "str",
    "int": "int",
    "bigint": "bigint",
    "decimal": "decimal(12,2)",
    "float": "float",
    "bool": "bool",
    "date": "date",
    "datetime": "datetime",
    "uuid": "uuid",
    "enum": "enum(draft,placed,paid)",
    "ref": "ref(items)",
}


def fields(name: str, kind: str, options: str) -> str:
    """Return two fields, of which the second may be null."""
    return f"{name}_a:{kind}:{options} {name}_b:{kind}?:{options}"


THINGS = [fields(name, kind, "filter:sort") for name, kind in TYPES.items()]
THINGS += [fields("list", "list(str)", "filter"), fields("unique", "str", "unique:filter:sort")]
PIECES = [fields(name, TYPES[name], "filter:sort") for name in ("date", "ref", "bool")]
PIECES += [fields("list", "list(str)", "filter"), fields("unique", "str", "unique:filter:sort")]


def test_an_index_serves_each_filter_and_each_order(new_service: Callable[..., Path], tools: Path) -> None:
    service = new_service()
    for arguments in (
        {"NAME": "thing", "FIELDS": " ".join(THINGS)},
        {"NAME": "piece", "PARENT": "things", "KEY": "uuid", "FIELDS": " ".join(PIECES)},
    ):
        done = make(service, "resource", **arguments)
        assert done.returncode == 0, done.stderr
    shutil.copy2(REPOSITORY / "tests" / "generated" / "lists.py", service / "tests" / "test_lists.py")
    (service / "harness").mkdir()
    shutil.copy2(REPOSITORY / "harness" / "served_by_index.py", service / "harness")
    run(service, tools, str(python_for(service)), "-m", "pytest", "--quiet", "tests/test_lists.py")
