"""The proof and the stand-alone verification: every planted fault is found by table, key and column.

Belongs here: faults in a filled PostgreSQL. Does not belong here: the comparison alone (``compare``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from odyssey_assets.compare.checks import CheckName
from odyssey_assets.compare.differences import DifferenceKind
from odyssey_assets.source import reader
from odyssey_assets.source.reader import SourceBatch
from odyssey_assets.sync import rows as rows_module
from odyssey_assets.sync.outcome import TableStatus
from odyssey_assets.sync.run import run
from odyssey_assets_tests.oracle import differences, dump
from odyssey_assets_tests.statements import ask_postgres, ask_sqlite, run_postgres, run_sqlite
from odyssey_assets_tests.sync.requests import NONE, failures, request_for, statuses, verification

TABLES = 37


@dataclass(frozen=True)
class Fault:
    """A change of PostgreSQL, the checks that must fail for it, and the cells (table, column) that must be listed."""

    script: str
    checks: set[tuple[str, str]]
    listed: set[tuple[DifferenceKind, str | None]]


CHANGED, MISSING, EXTRA = DifferenceKind.CHANGED, DifferenceKind.MISSING, DifferenceKind.EXTRA


def cell(table: str, column: str, value: str, *more: str) -> Fault:
    """One cell of one row in the middle of a table."""
    script = (f'UPDATE "{table}" SET "{column}" = {value} WHERE "id" = '
              f'(SELECT "id" FROM "{table}" ORDER BY "id" OFFSET 3 LIMIT 1)')  # fmt: skip
    return Fault(script, {(table, "rows_equal"), *((table, check) for check in more)}, {(CHANGED, column)})


FAULTS = {
    "a letter": cell("Event", "type", '"type" || \' \''),
    "a number": cell("Feedback", "spamScore", '"spamScore" + 2e-16'),
    "minus zero": cell("Vote", "weight", "CASE \"weight\" WHEN 0 THEN '-0'::float8 ELSE \"weight\" * -1 END"),
    "a millisecond": cell("Vote", "createdAt", "\"createdAt\" + interval '1 millisecond'"),
    "an hour": cell("User", "createdAt", "\"createdAt\" + interval '1 hour'"),
    "a boolean": cell("Feedback", "hasPii", 'NOT "hasPii"'),
    "a label": cell("User", "role", 'CASE "role" WHEN \'USER\' THEN \'ADMIN\' ELSE \'USER\' END::"Role"'),
    "a document": cell("Feedback", "moderationSignals", "'[ ]'"),
    "row gone": Fault('DELETE FROM "EmailLog" WHERE "id" = (SELECT min("id") FROM "EmailLog")',
                      {("EmailLog", "row_count"), ("EmailLog", "rows_equal")}, {(MISSING, None)}),
    "row more": Fault("""INSERT INTO "VerificationToken" VALUES ('a', 'b', now())""",
                      {("VerificationToken", "row_count"), ("VerificationToken", "rows_equal")}, {(EXTRA, None)}),
    "row more in a join table": Fault(
        'INSERT INTO "_PanelToQuestionnaire" SELECT p."id", q."id" FROM "Panel" p, "Questionnaire" q '
        'EXCEPT SELECT * FROM "_PanelToQuestionnaire" LIMIT 1',
        {("_PanelToQuestionnaire", "row_count"), ("_PanelToQuestionnaire", "rows_equal")}, {(EXTRA, None)}),
    "foreign key gone": Fault('ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey"',
                              {("Vote", "foreign_keys"), ("Vote", "schema")}, set()),
    "other action": Fault(
        'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey", ADD CONSTRAINT "Vote_userId_fkey" '
        'FOREIGN KEY ("userId") REFERENCES "User" ON DELETE SET NULL ON UPDATE CASCADE',
        {("Vote", "foreign_keys"), ("Vote", "schema")}, set()),
    "never validated": Fault(
        'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey", ADD CONSTRAINT "Vote_userId_fkey" '
        'FOREIGN KEY ("userId") REFERENCES "User" ON DELETE CASCADE ON UPDATE CASCADE NOT VALID',
        {("Vote", "foreign_keys"), ("Vote", "schema")}, set()),
    "orphan": Fault(
        'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey"; UPDATE "Vote" SET "userId" = \'gone\' '
        'WHERE "id" = (SELECT min("id") FROM "Vote")',
        {("Vote", "foreign_keys"), ("Vote", "schema"), ("Vote", "rows_equal")}, {(CHANGED, "userId")}),
    "empty for nothing": Fault(
        """UPDATE "EmailLog" SET "userId" = ''
           WHERE "id" = (SELECT min("id") FROM "EmailLog" WHERE "userId" IS NULL)""",
        {("EmailLog", "nulls"), ("EmailLog", "rows_equal")}, {(CHANGED, "userId")}),
    "nothing in a required column": Fault(
        'ALTER TABLE "Event" ALTER "type" DROP NOT NULL; UPDATE "Event" SET "type" = NULL '
        'WHERE "id" = (SELECT min("id") FROM "Event")',
        {("Event", "nulls"), ("Event", "rows_equal")}, {(CHANGED, "type")}),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_nothing_is_changed(
    tmp_path: Path, source: Path, loaded_uri: str, name: str
) -> None:
    fault = FAULTS[name]
    run_postgres(loaded_uri, fault.script)
    before = dump(loaded_uri)
    ((table, _), *_) = fault.checks
    outcome = run(request_for(tmp_path, source, loaded_uri, publish=NONE, verify=frozenset({table, "Village"})))
    found = failures(outcome)
    assert found.keys() == fault.checks
    listed = {(each.kind, each.column) for check in found.values() for each in check.listed}
    assert listed == fault.listed
    assert (outcome.problem or "").startswith(f"Integrity checks failed: {table} fails ")
    assert statuses(outcome) == {TableStatus.VERIFIED: 1, TableStatus.DIFFERS: 1}
    assert dump(loaded_uri) == before
    assert bool(differences(source, loaded_uri)) is bool(fault.listed)


def test_a_changed_cell_is_told_with_key_and_both_values(tmp_path: Path, source: Path, loaded_uri: str) -> None:
    ((id_, weight),) = ask_sqlite(source, 'SELECT "id", "weight" FROM "Vote" ORDER BY rowid LIMIT 1 OFFSET 9')
    run_postgres(loaded_uri, f"""UPDATE "Vote" SET "weight" = 1234.5 WHERE "id" = '{id_}'""")
    votes = frozenset({"Vote"})
    outcome = run(request_for(tmp_path, source, loaded_uri, publish=NONE, verify=votes, show_values=True))
    (difference,) = failures(outcome)["Vote", "rows_equal"].listed
    assert (difference.key, difference.column) == ({"id": id_}, "weight")
    assert (difference.source_value, difference.target_value) == (weight, 1234.5)


def test_equal_databases_pass_every_check_of_every_table(tmp_path: Path, source: Path, loaded_uri: str) -> None:
    outcome = run(verification(tmp_path, source, loaded_uri))
    assert (outcome.ok, failures(outcome), statuses(outcome)) == (True, {}, {TableStatus.VERIFIED: TABLES})
    checks = [check for table in outcome.tables for check in table.checks]
    assert len(checks) == len(CheckName) * TABLES
    rows = {table.name: (table.source_rows, table.target_rows) for table in outcome.tables}
    assert rows["Vote"] == (28, 28)
    assert all((table.inserted, table.updated, table.deleted) == (0, 0, 0) for table in outcome.tables)
    sizes = {table.name: table.bytes for table in outcome.tables}
    assert sizes["Vote"] == ask_postgres(loaded_uri, """SELECT pg_total_relation_size('"Vote"')""")[0][0]


def test_a_change_of_the_source_is_found(tmp_path: Path, source: Path, loaded_uri: str) -> None:
    run_sqlite(
        source, 'UPDATE "Vote" SET "decayedWeight" = 0.125 WHERE rowid = 5', 'DELETE FROM "EmailLog" WHERE rowid = 1'
    )
    found = failures(run(verification(tmp_path, source, loaded_uri)))
    assert found.keys() == {("Vote", "rows_equal"), ("EmailLog", "row_count"), ("EmailLog", "rows_equal")}


def test_one_table_alone_can_be_verified(tmp_path: Path, source: Path, loaded_uri: str) -> None:
    run_postgres(loaded_uri, 'TRUNCATE "EmailLog"')
    one = request_for(tmp_path, source, loaded_uri, publish=frozenset(), verify=frozenset({"Vote"}))
    outcome = run(one)
    assert (outcome.ok, [table.name for table in outcome.tables]) == (True, ["Vote"])


def short_of_a_row(real: Callable[..., object]) -> Callable[..., object]:
    """A reader that loses the first row of every batch, as a driver's bug would."""

    def read(*arguments: object, **options: object) -> object:
        for each in real(*arguments, **options):  # type: ignore[attr-defined]
            assert isinstance(each, SourceBatch)
            yield SourceBatch(each.rows.slice(1), each.misfits, None)

    return read


def test_rows_that_the_reader_loses_on_both_ways_are_missed(
    tmp_path: Path, source: Path, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Load and proof read through the same reader; SQLite's own count tells."""
    monkeypatch.setattr(rows_module, "read_table", short_of_a_row(reader.read_table))
    outcome = run(request_for(tmp_path, source, database_uri, publish=frozenset({"Village"})))
    assert {name for _, name in failures(outcome)} == {"row_count", "nulls", "rows_equal"}
    assert ask_postgres(database_uri, """SELECT to_regclass('"Village"')""") == [(None,)]
