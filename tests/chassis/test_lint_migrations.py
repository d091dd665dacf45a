"""`make lint` rejects migrations that would block the service or break its old pods."""

from pathlib import Path

import pytest

from chassis.development import lint_migrations
from chassis.migrations.revisions import HISTORIES
from tests.chassis.histories import write_history

pytestmark = pytest.mark.development
ADD_REQUIRED = "ALTER TABLE items ADD COLUMN colour text NOT NULL"


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (ADD_REQUIRED, "adding-required-field"),
        ("CREATE INDEX items_colour ON items (colour)", "require-concurrent-index-creation"),
        ("ALTER TABLE items ALTER COLUMN price_cents TYPE numeric", "changing-column-type"),
        ("ALTER TABLE items DROP COLUMN description", "ban-drop-column"),
        ("ALTER TABLE items RENAME COLUMN name TO title", "renaming-column"),
        ("ALTER TABLE items ALTER COLUMN colour SET NOT NULL", "adding-not-nullable-field"),
    ],
)
def test_what_is_unsafe_is_refused_by_file_rule_and_statement(tmp_path: Path, statement: str, rule: str) -> None:
    [found] = lint_migrations.lint(write_history(tmp_path, f'op.execute("{statement}")'))
    assert f"0001_test.py: {rule}: {statement}" in found


@pytest.mark.parametrize(
    "upgrade",
    [
        'op.execute("ALTER TABLE items ADD COLUMN colour text")',
        'op.execute("CREATE TABLE t (a text)")\nop.execute("CREATE INDEX t_a ON t (a)")',
        (
            "with op.get_context().autocommit_block():\n"
            '    op.execute("DROP INDEX CONCURRENTLY IF EXISTS i")\n'
            '    op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON items (colour)")'
        ),
        f'op.execute("-- squawk-ignore adding-required-field\\n{ADD_REQUIRED}")',
    ],
    ids=["expand", "index of a new table", "index of an old table", "let pass"],
)
def test_what_is_safe_passes_and_what_its_author_lets_pass(tmp_path: Path, upgrade: str) -> None:
    assert lint_migrations.lint(write_history(tmp_path, upgrade)) == []


def test_the_service_passes(capsys: pytest.CaptureFixture[str]) -> None:
    lint_migrations.main()
    assert capsys.readouterr().out.count("\n") == 1


def test_an_unsafe_migration_fails_with_a_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unsafe = write_history(tmp_path, f'op.execute("{ADD_REQUIRED}")')
    monkeypatch.setattr(lint_migrations, "HISTORIES", [*HISTORIES, unsafe])
    with pytest.raises(SystemExit, match=r"adding-required-field(.|\n)*Make the field nullable(.|\n)*migrations.md"):
        lint_migrations.main()
