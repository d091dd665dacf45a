"""Invalid answers are rejected in one message, each with its rule and an example; no files stay on disk."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from cookiecutter.exceptions import FailedHookException

from harness.baking import bake
from harness.repository import REPOSITORY
from tests.answers import QUESTIONS
from tests.contents import contents

REFUSED = {
    "project_name": [
        "\u200b",
        "a\u202eb",
        " ",
        "Items ",
        "two\nlines",
        "tab\there",
        "escape\x1b[31m",
        "separator\u2028",
        "x" * 81,
    ],
    "description": ["", "  leading", "nul\x00", "x" * 201],
    "owner": ["", "\u0085", "lone \udc80 surrogate", "x" * 81],
    "project_slug": [
        *(
            "My_Service",
            "-x",
            "x-",
            "3d-items",
            "items.service",
            "items service",
            "ítems",
            "x" * 41,
            "x" * 60,
            "items\n",
        ),
    ],
    "image_repository": [
        *("ghcr.io/example/items:1.0", "ghcr.io/Example/items", "ghcr.io/example/items@sha256:" + "0" * 64, "items"),
        *("example/items", "ghcr.io", "ghcr.io/", "ghcr.io//items", "https://ghcr.io/items", "ghcr.io:0/items", ""),
        *("ghcr.io:65536/items", "ghcr.io:/items", "ghcr.io/items-", "ghcr.io/a___b", "ghcr.io/" + "x" * 248),
    ],
    "ingress_host": [
        *(
            "items_service.example.com",
            "-items.example.com",
            "items-.example.com",
            "*.example.com",
            "items.example.com.",
        ),
        *(
            "Items.example.com",
            "https://items.example.com",
            "items.example.com:8080",
            "items.example.com/v1",
            "a..b",
            "",
        ),
        *("10.0.0.1", "2001:db8::1", "x" * 64 + ".example.com", ".".join(["x" * 63] * 4), "itéms.example.com"),
    ],
}
ACCEPTED = {
    "project_name": ["x", "x" * 80, "  inner  blanks".strip(), "a < b > c", "שירות", "👩\u200d💻", "50 %> 40 #> >>"],
    "project_slug": ["x", "x" * 40, "a--b", "items-3d"],
    "image_repository": [
        "localhost/items",
        "registry:5000/items",
        "127.0.0.1:5000/a/b/c",
        "docker.io/a.b/c__d/e-f",
        "ghcr.io/9",
    ],
    "ingress_host": ["localhost", "items", "3d.example.com", "xn--itms-epa.example.com", "x" * 63 + ".example.com"],
}


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(field, value) for field, values in table.items() for value in values]


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pre_gen_project", REPOSITORY / "hooks/pre_gen_project.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks up its module there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def mistakes(hook: ModuleType) -> Callable[..., list[str]]:
    """Return a function that finds the mistakes in answers; the messages' examples answer the other questions."""
    examples = {field: rule.example for field, rule in hook.rules([]).items()}
    return lambda **answers: hook.mistakes(QUESTIONS | examples | answers)


def test_the_examples_in_the_messages_pass(mistakes: Callable[..., list[str]]) -> None:
    assert mistakes() == []


@pytest.mark.parametrize(("field", "value"), cases(REFUSED))
def test_refuses(mistakes: Callable[..., list[str]], field: str, value: str) -> None:
    [message] = mistakes(**{field: value})
    assert message.startswith(f"  {field}: {value!r} ")


@pytest.mark.parametrize(("field", "value"), cases(ACCEPTED))
def test_accepts(mistakes: Callable[..., list[str]], field: str, value: str) -> None:
    assert mistakes(**{field: value}) == []


def test_refuses_what_is_no_text(mistakes: Callable[..., list[str]]) -> None:
    assert len(mistakes(project_name=True, owner=None)) == 2


@pytest.mark.parametrize("field", REFUSED)
@pytest.mark.parametrize("delimiter", ["<<", "<%", "<#", "#%"])
def test_refuses_delimiters(mistakes: Callable[..., list[str]], field: str, delimiter: str) -> None:
    assert len(mistakes(**{field: f"items {delimiter} x"})) == 1


def test_all_mistakes_are_reported_at_once_and_nothing_is_left(
    template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = {field: values[0] for field, values in REFUSED.items()}
    with pytest.raises(FailedHookException):
        bake(template, tmp_path, wrong)
    message = capfd.readouterr().err
    assert [line.split(":")[0].strip() for line in message.splitlines() if " cannot be used" in line] == list(
        QUESTIONS
    )[:6]
    assert message.count("    rule: ") == message.count("    example: ") == len(wrong)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["Items << x >>", "Items <% x %>", "<# Items", "#% if Items"])
def test_a_delimiter_that_is_typed_in_is_refused(template: Path, tmp_path: Path, name: str) -> None:
    """At the prompt, an answer reaches the hook unrendered. On the command line, cookiecutter itself fails first."""
    output = tmp_path / "output"
    output.mkdir()
    asked = subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--default-config", "--output-dir", output, template],
        input=f"{name}\nitems\n" + "\n" * len(QUESTIONS),
        env={**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 1
    assert f"project_name: {name!r} cannot be used" in asked.stderr
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("options", [["--overwrite-if-exists"], ["--overwrite-if-exists", "--skip-if-file-exists"]])
def test_a_service_that_is_there_is_not_replaced(
    template: Path, new_service: Callable[..., Path], tmp_path: Path, options: list[str]
) -> None:
    """cookiecutter would delete files that the team has added to the folders that are copied without rendering."""
    service = new_service()
    for own in ("app/invoices.py", "tests/app/test_invoices.py", "migrations/versions/0002_create_invoices.py"):
        (service / own).write_text("# the team's own\n", encoding="utf-8")
    before = contents(service)
    again = subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--no-input", *options, "--output-dir", service.parent, template],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode != 0
    assert f"{service} holds a service already" in again.stderr
    assert "make update" in again.stderr
    assert contents(service) == before
