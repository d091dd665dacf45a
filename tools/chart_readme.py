"""`python -m tools.chart_readme` generates the table of values in chart/README.md from chart/values.yaml."""

import re
from typing import Any

import yaml

from harness.markdown import table
from harness.repository import REPOSITORY

CHART = REPOSITORY / "chart"
BEGIN, END = "<!-- values: made by tools/chart_readme.py -->\n", "<!-- /values -->\n"


def documented(values_yaml: str) -> dict[str, str]:
    """Return the description of each value, by its path: the text of the `# --` comment above the key."""
    found: dict[str, str] = {}
    parent, comment = "", list[str]()
    for line in values_yaml.splitlines():
        if (text := line.strip()).startswith("#"):
            comment = [text.removeprefix("# --").strip()] if text.startswith("# --") else [*comment, text[1:].strip()]
        elif key := re.match(r"( *)(\w+):", line):
            indent, name = key.groups()
            if not indent:
                parent = name
            path = f"{parent}.{name}" if indent else name
            if comment and len(indent) <= 2:
                found[path] = " ".join(comment)
            comment = []
        else:
            comment = []
    return found


def values_table(values_yaml: str) -> str:
    """Return the values as a Markdown table."""
    values: Any = yaml.safe_load(values_yaml)
    rows = []
    for path, description in documented(values_yaml).items():
        default: Any = values
        for step in path.split("."):
            default = default[step]
        shown = yaml.safe_dump(default, default_flow_style=True, width=1000).removesuffix("\n").removesuffix("\n...")
        rows.append((f"`{path}`", f"`{shown}`", description))
    return "\n".join(table(("value", "default", "meaning"), rows))


def readme(text: str, values_yaml: str) -> str:
    """Return the text of the README with an up-to-date table."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{values_table(values_yaml)}\n{END}{after}"


if __name__ == "__main__":
    file = CHART / "README.md"
    file.write_text(
        readme(file.read_text(encoding="utf-8"), (CHART / "values.yaml").read_text(encoding="utf-8")), encoding="utf-8"
    )
