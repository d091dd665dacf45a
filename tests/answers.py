"""Answers to the template's questions, shared by the tests."""

import json
import os
from itertools import combinations, product
from typing import Any

from harness.repository import REPOSITORY

QUESTIONS: dict[str, Any] = json.loads((REPOSITORY / "cookiecutter.json").read_text(encoding="utf-8"))
CHOICES: dict[str, list[str]] = {
    name: value for name, value in QUESTIONS.items() if isinstance(value, list) and not name.startswith("_")
}

# The example of the documentation, written out in full because a fork has other defaults.
EXAMPLE = {
    "project_name": "Items Service",
    "project_slug": "items-service",
    "description": "Keeps items and serves them over HTTP",
    "owner": "Example Team",
    "image_repository": "ghcr.io/example-team/items-service",
    "ingress_host": "items-service.example.com",
    "python_version": "3.14",
    "gunicorn": "no",
    "ci": "github",
    "license": "MIT",
}

# Hard-to-quote input: both kinds of quotes, a backslash, non-ASCII letters, a character outside the BMP.
ODD_TEXTS = {
    "project_name": """Zoë's "Café" & Søn""",
    "description": r"""Says "hello", it's 100 % {{ fine }}: C:\new #1 <b>yes</b> 😀""",
    "owner": 'Müller & Söhne "Nord" 株式会社',
}


def matrix() -> list[dict[str, str]]:
    """Return the answers of the services to test: first all defaults, then rows that use every choice at least once.
    With ALL_PAIRS set, the rows use every pair of choices of two questions at least once.
    """
    longest = max(map(len, CHOICES.values()))
    rows = [{name: choices[row % len(choices)] for name, choices in CHOICES.items()} for row in range(1, longest)]
    if os.environ.get("ALL_PAIRS"):
        rows = _pairs()
    return [
        {},
        *(
            {"project_slug": f"service-{number}", **(ODD_TEXTS if number == 1 else {}), **row}
            for number, row in enumerate(rows, 1)
        ),
    ]


def _pairs() -> list[dict[str, str]]:
    """Return combinations that cover every pair of choices; each one covers as many missing pairs as possible."""
    every = [dict(zip(CHOICES, values, strict=True)) for values in product(*CHOICES.values())]
    missing = {pair for row in every for pair in combinations(row.items(), 2)}
    rows = []
    while missing:
        best = max(every, key=lambda row: len(missing.intersection(combinations(row.items(), 2))))
        missing -= {*combinations(best.items(), 2)}
        rows.append(best)
    return rows
