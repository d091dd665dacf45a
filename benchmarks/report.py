"""Writes the figures into README.md and docs/benchmarks.md with the pages behind it, and draws their pictures.

The prose of the pages is written by hand. `<!-- figures: NAME -->` and `<!-- end of figures -->` enclose the figures.
Run `python -m benchmarks.report build/bench/results.json`.
"""

import sys
from dataclasses import replace
from pathlib import Path

from benchmarks import details, judge, overview
from benchmarks.markdown import renewed
from benchmarks.results import Results
from harness.repository import BUILD, REPOSITORY

PREVIEW = BUILD / "bench" / "preview"
MAIN_PAGE = "docs/benchmarks.md"
PAGES = ("README.md", MAIN_PAGE, *(f"docs/benchmarks/{name}.md" for name in ("matrix", "article", "sizing")))
NOTICE = "**Not to be quoted: a quick run, or one on a busy machine.**\n\n"


def publish(results: Results) -> None:
    """Write the pages; of a quick run, or if rounds have to be repeated, only a preview.

    Raises:
        SystemExit: too few rounds are good, or there is no Chrome or Chromium to draw the pictures.
    """
    refused = [] if results.quick else judge.refusals(results)
    quoted = not (results.quick or refused)
    folder = REPOSITORY if quoted else PREVIEW
    write(results if quoted else replace(results, quick=True), folder)
    print(f"{(folder / MAIN_PAGE).relative_to(REPOSITORY)} is written{'' if quoted else ', with all rounds'}.")
    if refused:
        parts = " ".join(part for part in results.taken if any(each.startswith(part) for each in refused))
        print(*refused, sep="\n")
        sys.exit(f"Too few good rounds, so nothing is published. On a quiet machine: make bench ONLY='{parts}'")


def write(results: Results, folder: Path) -> None:
    """Write the pages, their pictures and the results."""
    from benchmarks import charts  # imported here, because writing text does not need Plotly

    behind = folder / "docs" / "benchmarks"
    pictures = charts.stills(_shown(results), behind)
    for old in behind.glob("*.svg"):
        if old.stem not in pictures:
            old.unlink()
    for name, text in pages(results).items():
        (folder / name).write_text(text, encoding="utf-8")
    results.save(behind / "results.json")


def pages(results: Results) -> dict[str, str]:
    """Return the pages with the figures of the results, by their path in the repository."""
    shown = _shown(results)
    figures = overview.figures(shown) | {"runs": overview.runs(results)} | details.figures(shown)
    texts = {name: (REPOSITORY / name).read_text(encoding="utf-8") for name in PAGES}
    return {name: NOTICE * results.quick + renewed(text, figures) for name, text in texts.items()}


def _shown(results: Results) -> Results:
    """Return the good rounds; those of a quick run are too few to be judged."""
    return results if results.quick else judge.good(results)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).exists():
        sys.exit("usage: python -m benchmarks.report build/bench/results.json, a file that `make bench` makes")
    publish(Results.load(Path(sys.argv[1])))
