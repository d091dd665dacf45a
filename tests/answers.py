"""The answers that tests bake with."""

import json
from typing import Any

from tests.baking import REPOSITORY

QUESTIONS: dict[str, Any] = json.loads((REPOSITORY / "cookiecutter.json").read_text(encoding="utf-8"))
CHOICES: dict[str, list[str]] = {
    name: value for name, value in QUESTIONS.items() if isinstance(value, list) and not name.startswith("_")
}

# What people write: quotes of both kinds, a backslash, letters beyond ASCII, a character beyond 16 bits.
ODD_TEXTS = {
    "project_name": """Zoë's "Café" & Søn""",
    "description": r"""Says "hello", it's 100 % {{ fine }}: C:\new #1 <b>yes</b> 😀""",
    "owner": 'Müller & Söhne "Nord" 株式会社',
}


def matrix() -> list[dict[str, str]]:
    """Every choice at least once, all defaults first, in as few services as the longest list of choices has entries."""
    return [
        {
            "project_slug": f"service-{row}",
            **(ODD_TEXTS if row == 1 else {}),
            **{name: choices[row % len(choices)] for name, choices in CHOICES.items()},
        }
        if row
        else {}
        for row in range(max(map(len, CHOICES.values())))
    ]
