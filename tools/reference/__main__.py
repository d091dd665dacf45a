"""`make reference`: the command."""

import sys

from tools.reference.completeness import GenerationError
from tools.reference.pages import FOLDER, pages


def main() -> None:
    """Write all pages, and delete pages that are no longer generated. On an error, change nothing."""
    try:
        texts = pages()
    except GenerationError as error:
        sys.exit(f"reference: nothing was written. {error}")
    for path in FOLDER.rglob("*.md"):
        if str(path.relative_to(FOLDER)) not in texts:
            path.unlink()
    for name, text in texts.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
