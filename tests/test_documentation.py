"""The pages: their links and anchors, their lengths, and the words that readers search for."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from harness.repository import REPOSITORY, SERVICE
from tests.answers import CHOICES, EXAMPLE, QUESTIONS
from tests.contents import contents

GUIDES = Path("docs/chassis")
LONGEST_README_OF_A_SERVICE, LONGEST_README_OF_THE_TEMPLATE, LONGEST_HOW_TO = 120, 100, 40
SEARCHED = [
    "authentication and authorization",
    "observability",
    "logs",
    "metrics",
    "traces",
    "health checks",
    "graceful shutdown",
    "rate and concurrency limits",
    "retries and idempotency",
    "pagination",
    "transactions",
    "caching",
]
COMBINATIONS = [{"ci": ci, "gunicorn": gunicorn} for ci, gunicorn in product(CHOICES["ci"], CHOICES["gunicorn"])]

_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)? *$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?: \"[^\"]*\")?\)|^ *\[[^\]]+\]: +(\S+)", re.MULTILINE)
_MENTION = re.compile(r"docs/chassis/[\w/.-]+\.md(?:#[\w-]+)?")


def prose(text: str) -> str:
    """Return a page without its code blocks."""
    return _FENCE.sub("", text)


def headings(text: str) -> list[str]:
    """Return the headings of a page, as plain text."""
    found = _HEADING.findall(prose(text))
    return [re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "") for heading in found]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and GitLab make them."""
    found, seen = set(), Counter[str]()
    for heading in headings(text):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def links(text: str) -> Iterator[str]:
    """Yield the targets of a page's links and pictures."""
    for found in _LINK.finditer(_CODE.sub("", prose(text))):
        yield found[1] if found[1] is not None else found[2]


def broken(folder: Path, page: Path, link: str) -> str | None:
    """Return what is wrong with a link of a page, or None.

    Args:
        folder: a copy of the repository, or a baked service.
        page: the page.
        link: the target. A link into the template's repository on the web is looked up in this repository.
    """
    root = folder
    for shown in ("blob", "tree"):
        at = f"{QUESTIONS['_template_url']}/{shown}/main/"
        if link.startswith(at):
            root, page, link = REPOSITORY, REPOSITORY / "README.md", link.removeprefix(at)
    if link.startswith("<<") or urlsplit(link).scheme:  # a placeholder, which is checked in a baked service
        return None
    path, _, anchor = link.partition("#")
    target = (page.parent / unquote(path)).resolve() if path else page
    if not target.exists():
        return "does not exist"
    if not target.is_relative_to(root.resolve()):
        return "leads out of the folder"
    if anchor and (target.suffix != ".md" or anchor not in anchors(target.read_text(encoding="utf-8"))):
        return "has no such anchor"
    return None


def broken_links(folder: Path) -> list[str]:
    """Return all broken links of the pages in a folder, each with its page and the reason."""
    return [
        f"{page.relative_to(folder)}: {link} {reason}"
        for page in sorted(folder.rglob("*.md"))
        for link in links(page.read_text(encoding="utf-8"))
        if (reason := broken(folder, page, link))
    ]


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda answers: "-".join(answers.values()))
def each_service(request: pytest.FixtureRequest, new_service: Callable[..., Path]) -> Path:
    """Bake a service for each combination of the answers that choose pages."""
    return new_service(**EXAMPLE | request.param)


def test_every_link_of_the_repository_leads_somewhere(template: Path) -> None:
    assert broken_links(template) == []


def test_every_link_of_a_service_leads_somewhere(each_service: Path) -> None:
    assert broken_links(each_service) == []


def test_every_page_that_a_service_s_files_mention_is_there(each_service: Path) -> None:
    for name, (_, content) in contents(each_service).items():
        for mention in _MENTION.findall(content.decode(errors="replace")):
            assert broken(each_service, each_service / "README.md", mention) is None, f"{name}: {mention}"


def test_every_guide_can_be_reached_from_the_readme_or_the_index(each_service: Path) -> None:
    reached = set()
    for page in (each_service / "README.md", each_service / GUIDES / "README.md"):
        reached |= {(page.parent / link).resolve() for link in links(page.read_text(encoding="utf-8"))}
    assert {page.resolve() for page in (each_service / GUIDES).glob("*/*.md")} - reached == set()


def test_every_page_of_the_template_can_be_reached_from_its_index() -> None:
    index = REPOSITORY / "docs" / "README.md"
    reached = {(index.parent / unquote(link)).resolve() for link in links(index.read_text(encoding="utf-8"))}
    assert {*index.parent.glob("*.md"), *index.parent.glob("*/README.md")} - reached == {index}


def test_the_readmes_are_short(each_service: Path) -> None:
    assert len(lines_of(each_service / "README.md")) <= LONGEST_README_OF_A_SERVICE
    assert len(lines_of(REPOSITORY / "README.md")) <= LONGEST_README_OF_THE_TEMPLATE


HOW_TO = sorted((REPOSITORY / SERVICE / GUIDES / "how-to").glob("*.md"))


@pytest.mark.parametrize("page", HOW_TO, ids=lambda page: page.stem)
def test_a_how_to_answers_one_question_and_ends_with_its_proof(page: Path) -> None:
    lines = lines_of(page)
    assert len(lines) <= LONGEST_HOW_TO
    assert re.fullmatch(r"# How do I .+\?", lines[0])
    assert len(headings(page.read_text(encoding="utf-8"))) == 1
    assert lines[-1] == "```", "end with the command that proves it"


def test_pages_that_are_copied_hold_no_placeholder() -> None:
    for page in (REPOSITORY / SERVICE / GUIDES).rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert not [each for each in ("<<", "<%", "<#", "#%", "cookiecutter.") if each in text], page.name


def test_the_words_that_readers_search_for_are_headings() -> None:
    pages = [page for page in (REPOSITORY / SERVICE / GUIDES).rglob("*.md") if "reference" not in page.parts]
    found = [each.lower() for page in pages for each in headings(page.read_text(encoding="utf-8"))]
    assert [word for word in SEARCHED if not any(word in heading for heading in found)] == []


def lines_of(page: Path) -> list[str]:
    return page.read_text(encoding="utf-8").splitlines()
