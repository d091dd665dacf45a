"""`make tutorial`: follows docs/tutorial.md in an empty folder, and writes examples/order-desk from where it arrives.

It does what the blocks of the page say: `sh` is a command, `text` behind it is what it prints (`…` is any text), a
block that begins with the path of a file is that file, and `diff` is a change for `git apply`. `make run` goes on in
the background; a command with curl waits until it serves the API that openapi.json describes.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.baking import own_settings
from harness.example import EXAMPLE, FOLDERS, added_files
from harness.helm import fetch_helm
from harness.markdown import table
from harness.ports import free_port
from harness.repository import REPOSITORY, TOOLS, copy_what_git_would_commit

PAGE = REPOSITORY / "docs" / "tutorial.md"
README = EXAMPLE / "README.md"
_BEGIN, _END = "<!-- make tutorial writes from here -->\n", "<!-- to here -->"
_GENERATED = re.compile(
    r"app/(customers|lines)/|orders/(__init__|models|queries|handlers)|test_(customers|lines|orders)|000[234]_"
)
_SCAFFOLD = "pipx run cookiecutter gh:org/cookiecutter-aiohttp-service"
_SERVED_SECONDS = 300  # the first start installs the libraries
# Of the make that runs this, or of a service that it must not use.
_NOT_FOR_A_READER = {"DATABASE_URL", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VENV", "VIRTUAL_ENV", "PORT", "INTERNAL_PORT"}


class TutorialError(Exception):
    """The page does not do what it says; the message has the block, and what it printed."""


@dataclass(frozen=True)
class Block:
    """A block of the page: the heading that it stands below, its language, and its text."""

    step: str
    language: str
    text: str


def blocks_of(page: str) -> Iterator[Block]:
    """Yield the blocks of a page in their order."""
    for section in re.split(r"(?m)^## ", page)[1:]:
        step = section.partition("\n")[0]
        for language, text in re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", section):
            yield Block(step, language, text)


def does_fit(expected: str, printed: str) -> bool:
    """Return whether an output is what the page shows, in which `…` stands for any text."""
    pattern = ".*".join(map(re.escape, expected.strip().split("…")))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


@dataclass
class Reader:
    """Someone who follows the page.

    Attributes:
        template: the template's folder, which is scaffolded from.
        folder: where the commands run; `cd` changes it.
        seconds: how long each step has taken so far.
    """

    template: Path
    folder: Path
    seconds: dict[str, float] = field(default_factory=dict)
    _printed: str = ""
    _service: subprocess.Popen[bytes] | None = None
    _ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))

    def follow(self, page: str) -> None:
        """Do all that a page says.

        Raises:
            TutorialError: a command fails or prints something else than the page shows, or a change does not apply.
        """
        try:
            for block in blocks_of(page):
                begun = time.monotonic()
                if block.step not in self.seconds:
                    print(f"tutorial: {block.step}", flush=True)
                self._do(block)
                self.seconds[block.step] = self.seconds.get(block.step, 0) + time.monotonic() - begun
        finally:
            self._stop()

    def _do(self, block: Block) -> None:
        path, _, content = block.text.partition("\n")
        if block.language == "text":
            if not does_fit(block.text, self._printed):
                raise TutorialError(
                    f"{block.step}: the page shows\n{block.text}\nand this was printed:\n{self._printed}"
                )
        elif block.language == "diff":
            self._run(block, "git apply -", block.text)
        elif block.language == "sh" and re.search(r"^(\w+=\w+ )?make run$", block.text, re.MULTILINE):
            log = (self.folder / ".make-run.log").open("wb")
            command = ["bash", "-c", block.text]
            self._service = subprocess.Popen(
                command, cwd=self.folder, env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        elif block.language == "sh":
            if "curl" in block.text:
                self._wait_until_served(block)
            self._printed = self._run(block, block.text.replace("localhost:8080", f"localhost:{self._ports[0]}"))
        elif path.startswith("# "):
            file = self.folder / path.removeprefix("# ")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        else:
            raise TutorialError(f"{block.step}: nobody knows what to do with this block:\n{block.text}")

    def _run(self, block: Block, command: str, given: str | None = None) -> str:
        command = command.replace(_SCAFFOLD, f'"$PYTHON" -m cookiecutter "{self.template}"')
        where = self.folder / ".tutorial-folder"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f'{command}\npwd >"{where}"'],
            cwd=self.folder,
            env=self._environment(),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise TutorialError(f"{block.step}: {command}\n{done.stdout[-6000:]}{done.stderr[-2000:]}{self._log()}")
        self.folder = Path(where.read_text("utf-8").strip())
        where.unlink()
        return done.stdout

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_A_READER}
        api, internal = map(str, self._ports)
        path = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
        return inherited | {"PYTHON": sys.executable, "PATH": path, "PORT": api, "INTERNAL_PORT": internal}

    def _wait_until_served(self, block: Block) -> None:
        wanted = _api_of(json.loads((self.folder / "openapi.json").read_text("utf-8")))
        end = time.monotonic() + _SERVED_SECONDS
        while time.monotonic() < end:
            with suppress(OSError, ValueError):
                urllib.request.urlopen(f"http://127.0.0.1:{self._ports[1]}/readyz", timeout=5).close()
                with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[0]}/openapi.json", timeout=5) as served:
                    if _api_of(json.load(served)) == wanted:
                        return
            time.sleep(0.1)
        raise TutorialError(f"{block.step}: `make run` does not serve what openapi.json describes.{self._log()}")

    def _log(self) -> str:
        log = self.folder / ".make-run.log"
        return f"\nThe end of the output of make run:\n{log.read_text('utf-8')[-3000:]}" if log.exists() else ""

    def _stop(self) -> None:
        if self._service and self._service.poll() is None:
            os.killpg(self._service.pid, signal.SIGINT)
            self._service.wait()
        for left in self.folder.glob(".make-run.log"):
            left.unlink()


def _api_of(document: dict[str, Any]) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Return what a document describes, without what depends on settings."""
    operations = {path: sorted(methods) for path, methods in document["paths"].items()}
    return operations, document["components"]["schemas"]


def follow_in(folder: Path) -> Reader:
    """Follow the page in an empty folder.

    Raises:
        TutorialError: as of `Reader.follow`.
    """
    fetch_helm()
    with tempfile.TemporaryDirectory() as template, own_settings():
        copy_what_git_would_commit(Path(template))
        reader = Reader(Path(template), folder)
        reader.follow(PAGE.read_text("utf-8"))
    return reader


def with_lines(readme: str) -> str:
    """Return the example's README with the number of lines of each file, and of those that `make resource` wrote."""
    files = {str(file.relative_to(EXAMPLE)): file for name in FOLDERS for file in sorted((EXAMPLE / name).rglob("*.*"))}
    lines = {name: len(file.read_text("utf-8").splitlines()) for name, file in files.items()}
    generated = sum(lines[name] for name in lines if _GENERATED.search(name))
    rows = [(name, str(number), "yes" if _GENERATED.search(name) else "") for name, number in lines.items()]
    told = f"{sum(lines.values())} lines, {generated} of them in files that `make resource` wrote.\n"
    head = ("file", "lines", "by `make resource`, some changed by hand")
    before, _, rest = readme.partition(_BEGIN)
    return "\n".join([f"{before}{_BEGIN}", told, *table(head, rows)]) + _END + rest.partition(_END)[2]


def main() -> int:
    """Follow the page, print how long its steps took, and write the example."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            reader = follow_in(Path(folder))
        except TutorialError as error:
            print(error, file=sys.stderr)
            return 1
        for step, seconds in reader.seconds.items():
            print(f"{seconds:6.0f} s  {step}")
        for name in FOLDERS:
            shutil.rmtree(EXAMPLE / name, ignore_errors=True)
        for name, content in added_files(reader.folder).items():
            (EXAMPLE / name).parent.mkdir(parents=True, exist_ok=True)
            (EXAMPLE / name).write_bytes(content)
    README.write_text(with_lines(README.read_text("utf-8")), encoding="utf-8")
    print(f"{EXAMPLE.relative_to(REPOSITORY)} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
