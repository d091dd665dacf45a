"""Release notes: the text that is published, and the errors that stop a release."""

import re
from pathlib import Path

import pytest

from harness.releases import releases, write_release
from harness.repository import REPOSITORY
from tools.release_notes import notes


def test_a_release_s_notes_are_its_section_of_the_changelog(tmp_path: Path) -> None:
    for version, commit in releases().items():
        folder = tmp_path / version
        folder.mkdir()
        write_release(commit, folder)
        said = notes(version, folder)
        assert "\n- " in f"\n{said}"
        assert "\n## " not in said
        changelog = (folder / "CHANGELOG.md").read_text(encoding="utf-8")
        [before] = [part for part in changelog.partition(said)[0].splitlines()[-3:] if part.startswith("## ")]
        assert before.startswith(f"## {version} (")


def test_the_readme_makes_a_service_of_the_newest_release() -> None:
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.findall(r"^## (\d\S+) \(", changelog, re.MULTILINE)[0]
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"--checkout (\S+)", readme)) == {newest}


def test_what_is_no_release_has_none_and_is_told_all_that_is_wrong() -> None:
    with pytest.raises(
        ValueError, match=r"_version is .*; pyproject.toml.* is .*; chart/Chart.yaml.* is .*; CHANGELOG"
    ):
        notes("99.0.0", REPOSITORY)
