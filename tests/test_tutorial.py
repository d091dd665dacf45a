"""docs/tutorial.md does what it says, and arrives at examples/order-desk, which works in a new service."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.environments import python_with
from harness.example import EXAMPLE, added_files, bake_example
from harness.redis_server import redis_server
from harness.repository import REPOSITORY
from tests.services import run
from tools.tutorial import PAGE, README, Reader, TutorialError, blocks_of, does_fit, follow_in, with_lines


def test_the_tutorial_arrives_at_the_example(tmp_path: Path) -> None:
    reader = follow_in(tmp_path)
    for step, seconds in reader.seconds.items():
        print(f"{seconds:6.0f} s  {step}")
    kept = {str(file.relative_to(EXAMPLE)): file.read_bytes() for file in EXAMPLE.rglob("*") if file.is_file()}
    del kept["README.md"]
    assert added_files(reader.folder) == kept, "make tutorial writes the example"


def test_the_lines_of_the_example_are_told() -> None:
    told = README.read_text("utf-8")
    assert with_lines(told) == told, "make tutorial counts them"


@pytest.mark.parametrize(
    ("expected", "printed", "fits"),
    [("a\n", "a", True), ("{…}", '{"a": 1}', True), ("a…", "b", False), ("1 passed", "11 passed", False)],
)
def test_an_output_fits_what_the_page_shows(expected: str, printed: str, *, fits: bool) -> None:
    assert does_fit(expected, printed) is fits


def test_each_block_of_the_page_belongs_to_a_step() -> None:
    steps = list(dict.fromkeys(block.step for block in blocks_of(PAGE.read_text("utf-8"))))
    assert [step.partition(". ")[0] for step in steps] == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize(
    "block", ["sh\nfalse\n", "sh\necho a\n```\n\n```text\nb\n", "diff\n--- a/x\n+++ b/x\n", "python\nprint()\n"]
)
def test_a_page_that_is_wrong_is_told(tmp_path: Path, block: str) -> None:
    with pytest.raises(TutorialError, match=r"1\. A step: "):
        Reader(REPOSITORY, tmp_path).follow(f"## 1. A step\n\n```{block}```\n")


@pytest.mark.skipif(
    not shutil.which("redis-server") and not os.environ.get("REQUIRE_REDIS"), reason="needs redis-server"
)
def test_the_example_works_in_a_new_service_and_with_a_redis(
    tmp_path: Path, tools: Path, new_service: Callable[..., Path]
) -> None:
    service = bake_example(tmp_path)
    python = python_with("ecosystem", new_service() / "requirements-dev.txt", REPOSITORY / "requirements-ecosystem.txt")
    with redis_server() as url:
        said = run(service, tools, str(python), "-m", "pytest", "-q", "tests/app/test_prices.py", REDIS_URL=url)
    assert "skipped" not in said
