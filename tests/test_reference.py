"""Tests of the reference in docs/chassis/reference, which `make reference` generates."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tools.reference.pages import BY_HAND, FOLDER, pages
from tools.reference.source import CHASSIS, SERVICE

ROOT = SERVICE.parent
# Page: what it has to name, by patterns in the sources. They are not the generator's, which reads syntax trees.
NAMED = {
    "settings.md": [("settings.py", r"^    (\w+): .*(?:Field|Literal|=)")],
    "metrics.md": [("telemetry/metrics.py", r'(?:Histogram|Gauge|Counter)\(\s*"(\w+)"')],
    "errors.md": [
        ("http/problem_details.py", r'ProblemType\(HTTPStatus\.\w+, "([a-z-]+)"\)'),
        ("errors.py", r"^class (\w+)\("),
    ],
    "log-events.md": [("**/*.py", r'\.(?:debug|info|warning|error|exception)\(\s*"(\w+)"[,)]')],
}
# A part of the template, what it becomes, and what the command then says.
INCOMPLETE = {
    "a setting without a description": (
        "chassis/settings.py",
        'description="Longest time to open a connection."',
        'description=""',
        "Describe DATABASE_CONNECT_TIMEOUT_SECONDS in a sentence",
    ),
    "a setting in no group": (
        "chassis/settings.py",
        "    max_body_bytes:",
        "    more: int = 1\n    max_body_bytes:",
        "Describe each setting in _GROUPS of tools/reference/settings.py: MORE.",
    ),
    "an event without a meaning": (
        "chassis/server/serve.py",
        'log.info("stopped")',
        'log.info("stopped")\n    log.info("gone")',
        "Describe each log event in _EVENTS of tools/reference/log_events.py: gone.",
    ),
    "a meaning without an event": (
        "chassis/server/serve.py",
        'log.info("stopped")',
        "pass",
        "Remove from _EVENTS of tools/reference/log_events.py, as there is no such log event: stopped.",
    ),
    "a field without a meaning": (
        "chassis/server/serve.py",
        'log.info("stopped")',
        'log.info("stopped", after=1)',
        "Describe each field of stopped in _EVENTS of tools/reference/log_events.py: after.",
    ),
    "an event that is not a literal": (
        "chassis/server/serve.py",
        'log.info("stopped")',
        "log.info(stopped)",
        "Name the event by a string literal: log.info(stopped)",
    ),
    "a metric without a meaning": (
        "chassis/telemetry/metrics.py",
        "READY = Gauge(",
        'MORE = Counter("more", "More.")\nREADY = Gauge(',
        "Describe each metric in _MEANINGS of tools/reference/metrics.py: more_total.",
    ),
    "a problem type without a meaning": (
        "chassis/http/problem_details.py",
        'ProblemType(HTTPStatus.NOT_FOUND, "not-found")',
        'ProblemType(HTTPStatus.GONE, "gone")',
        "Describe each problem type in _TYPES of tools/reference/problems.py: gone.",
    ),
    "a target in no group": (
        "Makefile",
        "run: $(ENV_READY) ## ",
        "more: ## more\n\nrun: $(ENV_READY) ## ",
        "Describe each make target in _TARGETS of tools/reference/commands.py: more.",
    ),
    "a class without a docstring": (
        "chassis/errors.py",
        '    """The resource that was asked for does not exist."""',
        "    pass",
        "Write docstrings: chassis.errors.NotFoundError.",
    ),
    "a field without a description": (
        "chassis/caller.py",
        "        claims: all claims of the token.\n",
        "",
        "Describe the fields in the section Attributes of their class: chassis.caller.Caller.claims.",
    ),
}


def committed() -> dict[str, str]:
    return {str(path.relative_to(FOLDER)): path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.md")}


def anchors_in(text: str) -> Iterator[str]:
    """Yield the anchors that GitHub gives to the headings of a page."""
    seen: dict[str, Iterator[int]] = {}
    for heading in re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    ):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = next(seen.setdefault(slug, count()))
        yield f"{slug}-{number}" if number else slug


def generate(template: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.reference"]
    return subprocess.run(command, cwd=template, capture_output=True, text=True, check=False)


@pytest.fixture
def own_template(tmp_path: Path) -> Path:
    """Return a copy of what the generator reads, in which a test may change something."""
    shutil.copytree(ROOT / "tools" / "reference", tmp_path / "tools" / "reference")
    shutil.copytree(CHASSIS, tmp_path / SERVICE.name / "chassis", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SERVICE / "Makefile", tmp_path / SERVICE.name)
    folder = tmp_path / FOLDER.relative_to(ROOT)
    folder.mkdir(parents=True)
    for page in BY_HAND:
        shutil.copy(FOLDER / page, folder)
    return tmp_path


def test_the_pages_are_what_the_generator_writes() -> None:
    written, now = committed(), pages()
    assert sorted(written) == sorted(now), "Run `make reference` and commit docs/chassis/reference."
    stale = [name for name, text in now.items() if written[name] != text]
    assert stale == [], "Run `make reference` and commit docs/chassis/reference."


@pytest.mark.parametrize("page", NAMED)
def test_everything_is_listed(page: str) -> None:
    text = committed()[page]
    for files, pattern in NAMED[page]:
        names = {
            name
            for path in CHASSIS.glob(files)
            if not {"development", "testing"} & {*path.parts}
            for name in re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
        } - {"model_config"}
        assert names
        shown = names if page != "settings.md" else {name.upper() for name in names}
        assert sorted(name for name in shown if not re.search(rf"`{name}(?:_total)?`", text)) == []


@pytest.mark.parametrize("case", INCOMPLETE)
def test_what_is_not_described_fails_and_writes_nothing(own_template: Path, case: str) -> None:
    name, old, new, message = INCOMPLETE[case]
    file = own_template / SERVICE.name / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    done = generate(own_template)
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name for path in (own_template / FOLDER.relative_to(ROOT)).rglob("*.md")} == set(BY_HAND)


def test_a_copy_has_the_same_pages_and_loses_old_ones(own_template: Path) -> None:
    folder = own_template / SERVICE.name / FOLDER.relative_to(SERVICE)
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "gone.md").touch()
    done = generate(own_template)
    assert done.returncode == 0, done.stderr
    assert {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*.md")} == committed()


@pytest.mark.parametrize("name", committed())
def test_links_lead_somewhere_and_the_first_sentence_says_what_is_listed(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    comment = "" if name in BY_HAND else r"<!-- .* -->\n\n"
    assert re.match(rf"{comment}# .+\n\nThis page lists [^\n]+\.\n", text)
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (FOLDER / name).parent / path if path else FOLDER / name
        assert target.exists(), link
        assert not anchor or anchor in anchors_in(target.read_text(encoding="utf-8")), link
