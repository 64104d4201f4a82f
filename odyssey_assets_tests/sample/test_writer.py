"""The sample file is what Prisma would have left: valid, complete, repeatable, never in place of another file."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from odyssey_assets.errors import EXIT_USAGE, ConfigurationError
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.schema import (
    ALL_VERSIONS,
    schema_of_version,
    tables_in_order,
)
from odyssey_assets.sample.writer import DateForm, SampleSummary, write_sample
from odyssey_assets.source.ddl import create_schema_sql


def open_sample(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def contents(path: Path) -> list[str]:
    with open_sample(path) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("scale", [0.05, 1.0])
@pytest.mark.parametrize("version", ALL_VERSIONS)
@pytest.mark.parametrize("dates", DateForm)
def test_every_version_is_valid_and_has_rows_in_every_table(
    tmp_path: Path, version: int, dates: DateForm, scale: float
) -> None:
    summary = write_sample(tmp_path / "odyssey.db", scale=scale, version=version, dates=dates)
    tables = tables_in_order(version)
    with open_sample(summary.path) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA journal_mode").fetchall() == [("delete",)]
        counts = {
            table.name: connection.execute(f"SELECT count(*) FROM {quoted(table.name)}").fetchone()[0]
            for table in tables
        }
        for table in tables:
            for foreign_key in table.foreign_keys:
                column = quoted(foreign_key.parent.name)
                used = connection.execute(f"SELECT count({column}) FROM {quoted(table.name)}").fetchone()[0]
                assert used > 0, foreign_key
    assert min(counts.values()) >= 1
    assert summary.rows_by_table == counts
    assert summary.total_rows == sum(counts.values())
    assert summary.bytes == summary.path.stat().st_size


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_the_schema_is_the_one_of_the_version(tmp_path: Path, version: int) -> None:
    path = write_sample(tmp_path / "odyssey.db", scale=0.05, version=version).path
    with open_sample(path) as connection:
        written = {
            sql
            for name, sql in connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
            if name != "_prisma_migrations"
        }
        migrations = connection.execute("SELECT finished_at IS NOT NULL FROM _prisma_migrations").fetchall()
    assert written == set(create_schema_sql(schema_of_version(version)))
    assert migrations == [(1,)]


def test_the_newest_version_has_all_37_tables(sample: SampleSummary) -> None:
    assert len(sample.rows_by_table) == 37


def test_the_same_arguments_give_the_same_rows(sample: SampleSummary, tmp_path: Path) -> None:
    again = write_sample(tmp_path / "again.db")
    assert contents(again.path) == contents(sample.path)
    assert replace(again, path=sample.path, seconds=sample.seconds) == sample


def test_another_seed_gives_other_rows(sample: SampleSummary, tmp_path: Path) -> None:
    other = write_sample(tmp_path / "other.db", seed=2)
    assert other.rows_by_table == sample.rows_by_table
    assert contents(other.path) != contents(sample.path)


def test_an_existing_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious.db"
    path.write_bytes(b"precious")
    with pytest.raises(ConfigurationError, match="exists already") as refusal:
        write_sample(path)
    assert refusal.value.exit_status == EXIT_USAGE
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_that_leads_nowhere_is_not_replaced(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "nowhere.db")
    with pytest.raises(ConfigurationError, match="exists already"):
        write_sample(link)
    assert link.is_symlink()


def test_missing_folders_are_made_and_nothing_else_is_left_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "odyssey.db"
    write_sample(path, scale=0.05)
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        write_sample(tmp_path / "file" / "odyssey.db")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"scale": 0.0}, "scale"),
        ({"scale": float("nan")}, "scale"),
        ({"scale": float("inf")}, "scale"),
        ({"version": 6}, "version 6"),
        ({"seed": -1}, "seed"),
    ],
)
def test_senseless_arguments_are_refused(tmp_path: Path, arguments: dict[str, float], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        write_sample(tmp_path / "odyssey.db", **arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_number_of_rows_follows_the_scale(sample: SampleSummary, tmp_path: Path) -> None:
    larger = write_sample(tmp_path / "larger.db", scale=10)
    assert 1_650 < sample.total_rows < 1_850
    assert 16_500 < larger.total_rows < 18_500
    for table in ("Vote", "Feedback", "Event", "Notification", "AuditLog"):
        assert larger.rows_by_table[table] == 10 * sample.rows_by_table[table]
    for catalogue in ("Village", "Badge", "Achievement"):
        assert larger.rows_by_table[catalogue] == sample.rows_by_table[catalogue]
