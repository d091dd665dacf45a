"""The template: its repository, its releases, and a service as it makes it."""

import json
import re
import subprocess
import sys
from pathlib import Path

from chassis.development.update.errors import UpdateError
from chassis.development.update.git import describe, git
from chassis.development.update.origin import Origin, without_private

# 0.2.1 or v0.2.1. A fork numbers its own releases of it: 0.2.1+shop.1, 0.2.1+shop.2.
_RELEASE = re.compile(r"v?\d+\.\d+\.\d+(\+[\w.]+)?", re.ASCII)
# Neither hooks nor another name of the remote, be they in the user's settings.
_CLONE = ["git", "-c", "core.hooksPath=/dev/null", "clone", "--quiet", "--template=", "--origin=origin", "--"]


def clone(address: str, folder: Path) -> None:
    """Clone the template, with its history, into a folder.

    Raises:
        UpdateError: Git cannot; it has printed why.
    """
    if subprocess.run([*_CLONE, address, folder], check=False).returncode != 0:
        raise UpdateError(f"{address} cannot be cloned; Git says why above. TEMPLATE=… names another address.")


def newest_release(repository: Path) -> str:
    """Return the commit of the release with the highest version.

    Raises:
        UpdateError: there is no release.
    """
    releases = [tag for tag in git(repository, "tag", "--list").split() if _RELEASE.fullmatch(tag)]
    if not releases:
        raise UpdateError("The template has no release, a tag such as 0.2.1. Name a branch or a commit: REF=main")
    newest = max(releases, key=lambda tag: [int(number) for number in re.findall(r"\d+", tag)])
    return git(repository, "rev-parse", f"{newest}^{{commit}}").strip()


def is_ancestor(repository: Path, commit: str, of: str) -> bool:
    """True if one commit is an ancestor of another."""
    command = ["git", "merge-base", "--is-ancestor", commit, of]
    return subprocess.run(command, cwd=repository, check=False).returncode == 0


def known_commit(repository: Path, name: str, way_out: str) -> str:
    """Return the commit that a tag, a branch or a shortened hash stands for.

    Raises:
        UpdateError: there is none; the message ends with the way out.
    """
    for candidate in (name, f"origin/{name}"):
        command = ["git", "rev-parse", "--quiet", "--verify", "--end-of-options", f"{candidate}^{{commit}}"]
        done = subprocess.run(command, cwd=repository, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    raise UpdateError(f"The template has no tag, branch or commit {name}. {way_out}")


def check_answers(repository: Path, commit: str, origin: Origin) -> None:
    """Check that the answers are to questions of the template.

    Raises:
        UpdateError: an answer is to no question, or is not a string.
    """
    path = f"{origin.directory}/cookiecutter.json".lstrip("/")
    questions = without_private(json.loads(git(repository, "show", f"{commit}:{path}")))
    wrong = [f"{name}={value!r}" for name, value in origin.answers.items() if name not in questions]
    wrong += [f"{name}={value!r}" for name, value in origin.answers.items() if not isinstance(value, str)]
    if wrong:
        raise UpdateError(f"ANSWERS: {', '.join(wrong)} is no answer. The questions are {', '.join(questions)}.")


def render(repository: Path, commit: str, origin: Origin, output: Path) -> tuple[Path, dict[str, str]]:
    """Generate a service from the template as it was at a commit.

    Returns:
        Its folder, below `output`, and the answers that it was made with, defaults included.

    Raises:
        UpdateError: cookiecutter fails; it has printed why.
    """
    git(repository, "-c", "core.hooksPath=/dev/null", "checkout", "--quiet", "--force", commit)
    settings, replay, made = output / "settings.yaml", output / "replay", output / "made"
    replay.mkdir(parents=True)
    settings.write_text(f"replay_dir: {json.dumps(str(replay))}\n", encoding="utf-8")  # and none of the user's
    options = ["--no-input", f"--config-file={settings}", f"--output-dir={made}"]
    answers = [f"{name}={answer}" for name, answer in origin.answers.items()]
    command = [sys.executable, "-m", "cookiecutter", *options, str(repository / origin.directory), *answers]
    if subprocess.run(command, check=False).returncode != 0:
        raise UpdateError(f"The template of {describe(repository, commit)} fails; cookiecutter says why above.")
    [service], [context] = made.iterdir(), replay.iterdir()
    return service, without_private(json.loads(context.read_text(encoding="utf-8"))["cookiecutter"])
