"""Checks every answer before a file is written and reports all mistakes in one message.

cookiecutter has no validator for a question, so this hook is the only place that can refuse an answer. When a hook
fails, cookiecutter deletes the project's folder, so a refused answer leaves nothing behind.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST = rf"{LABEL}(\.{LABEL})*"
# They change how text is displayed. Right-to-left scripts do not need them.
BIDIRECTIONAL_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
IMAGE = rf"(?P<registry>{HOST})(:(?P<port>[1-9][0-9]{{0,4}}))?(/[a-z0-9]+((\.|_{{1,2}}|-+)[a-z0-9]+)*)+"


@dataclass(frozen=True)
class Rule:
    text: str
    example: str
    accepts: Callable[[str], bool]


def is_slug(value: str) -> bool:
    # Must start with a letter: the chart names its Service after the release, and Service names are RFC 1035 labels.
    return len(value) <= 40 and re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", value) is not None


def is_image_repository(value: str) -> bool:
    match = re.fullmatch(IMAGE, value) if len(value) <= 255 else None
    # Without a dot, a port or localhost, container tools read the first part as a path on their default registry.
    return match is not None and (
        int(match["port"]) <= 65535 if match["port"] else "." in match["registry"] or match["registry"] == "localhost"
    )


def is_host(value: str) -> bool:
    # A host with a numeric last label is an IP address, which Kubernetes rejects in an Ingress and in an HTTPRoute.
    return len(value) <= 253 and re.fullmatch(HOST, value) is not None and not value.rpartition(".")[2].isdigit()


def text_rule(longest: int, example: str, delimiters: list[str]) -> Rule:
    def accepts(value: str) -> bool:
        return (
            len(value) <= longest
            and value == value.strip()
            and any(unicodedata.category(character)[0] in "LNPS" for character in value)
            and not any(unicodedata.category(character) in {"Cc", "Cn", "Cs", "Zl", "Zp"} for character in value)
            and not any(unicodedata.bidirectional(character) in BIDIRECTIONAL_CONTROLS for character in value)
            and not any(delimiter in value for delimiter in delimiters)
        )

    text = (
        f"one line of 1 to {longest} characters, some of them visible, no blank at either end, no control characters, "
        f"and none of {' '.join(delimiters)} (a later update would read them as template code)"
    )
    return Rule(text, example, accepts)


def rules(delimiters: list[str]) -> dict[str, Rule]:
    return {
        "project_name": text_rule(80, "Items Service", delimiters),
        "project_slug": Rule(
            "1 to 40 lower-case letters, digits and hyphens, a letter first and no hyphen last (an RFC 1035 label)",
            "items-service",
            is_slug,
        ),
        "description": text_rule(200, "Keeps items and serves them over HTTP", delimiters),
        "owner": text_rule(80, "Example Team", delimiters),
        "image_repository": Rule(
            "registry[:port]/path in lower case, at most 255 characters, no tag and no digest; "
            "the registry has a dot or a port, or is localhost",
            "ghcr.io/example-team/items-service",
            is_image_repository,
        ),
        "ingress_host": Rule(
            "a host name in lower case (an RFC 1123 subdomain): labels of up to 63 letters, digits and inner hyphens, "
            "at most 253 characters; no scheme, port, path or wildcard, no IP address",
            "items-service.example.com",
            is_host,
        ),
    }


def mistakes(answers: dict[str, Any]) -> list[str]:
    # Read from the settings, because cookiecutter would render delimiters in this file.
    syntax = answers["_jinja2_env_vars"]
    delimiters = [syntax[f"{kind}_start_string"] for kind in ("variable", "block", "comment")]
    return [
        f"  {field}: {answers[field]!r} cannot be used\n    rule:    {rule.text}\n    example: {rule.example}"
        for field, rule in rules([*delimiters, syntax["line_statement_prefix"]]).items()
        # In a user's configuration file, which is YAML, an unquoted `yes` is not a string.
        if not isinstance(answers[field], str) or not rule.accepts(answers[field])
    ]


def refuse_to_replace_a_service() -> None:
    # cookiecutter -f replaces copied folders as a whole, so files that a team has added would be deleted.
    folder = Path.cwd()
    if (folder / "app").exists():
        sys.exit(
            f"Nothing was generated: {folder} holds a service already; the files that its team added would be lost.\n"
            "To bring it up to this template, run `make update` in it (docs/updating.md). "
            "To generate it anew, move the folder away first."
        )


def main() -> None:
    refuse_to_replace_a_service()
    # Works for every answer: JSON has no three quotes in a row, and a raw string does not interpret backslashes.
    found = mistakes(json.loads(r"""<< cookiecutter | tojson >>"""))
    if found:
        sys.exit("\n".join(["Nothing was generated. Please change:", *found]))


if __name__ == "__main__":
    main()
