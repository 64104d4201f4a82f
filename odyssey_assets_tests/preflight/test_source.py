"""Every hazard of a source, planted once into a small database, and its equal twin, which must pass unnoticed."""

import random
import shutil
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.findings import Severity
from odyssey_assets_tests.plain_source import TextBytes, facts_of, plant, tables_of, write_database
from odyssey_assets_tests.preflight.examining import examine, told
from odyssey_assets_tests.statements import ask_sqlite, run_sqlite

LONGEST_INDEXED_BYTES = 2692
"""Of one text in a btree: an entry's 2,704 bytes less its own header and the text's."""

UNUSUAL_TEXT = [
    "e\u0301", "é", "👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈", "שָׁלוֹם \u202e", "\x01\x1f\x7f\x80", "\ufeffBOM",
    "\\N", "\\.", "a\tb\\tc", "one\r\ntwo\rthree\n", "", "NULL", "\U0010ffff\ufffe", "x" * 1_000_000,
]  # fmt: skip


def incompressible(length: int) -> str:
    """PostgreSQL compresses long texts in an index where that helps; here it does not."""
    return "".join(random.Random(1).choices(string.ascii_letters + string.digits + string.punctuation, k=length))


BAD_VALUES: list[tuple[str, str, Any, str]] = [
    ("Vote", "createdAt", 1_760_000_000, "date_in_seconds"),
    ("Vote", "createdAt", 1_760_000_000_000.5, "storage_class"),
    ("Vote", "createdAt", b"2025-10-10T09:00:00Z", "storage_class"),
    ("Vote", "createdAt", "", "not_a_date"),
    ("Vote", "createdAt", "yesterday", "not_a_date"),
    ("Vote", "createdAt", "2025-02-30T00:00:00Z", "not_a_date"),
    ("Vote", "createdAt", "2023-02-29 00:00:00", "not_a_date"),
    ("Vote", "createdAt", "2025-10-10", "not_a_date"),
    ("Vote", "createdAt", "2025-10-10T24:00:00Z", "not_a_date"),
    ("Vote", "createdAt", "2025-10-10T09:00:00.0123456789Z", "not_a_date"),
    ("Vote", "createdAt", "2025-10-10T09:00:00 Europe/Rome", "not_a_date"),
    ("Vote", "createdAt", "2025-10-10T09:00:00Z\x00", "not_a_date"),
    ("Vote", "createdAt", "-004713-11-23T23:59:59.999Z", "date_out_of_range"),
    ("Vote", "createdAt", "+294248-01-01T00:00:00Z", "date_out_of_range"),
    ("Vote", "createdAt", -(2**63), "date_out_of_range"),
    ("Vote", "createdAt", 9_223_372_036_854_776, "date_out_of_range"),
    ("User", "displayName", "a\x00b", "nul_character"),
    ("User", "displayName", "\x00", "nul_character"),
    ("User", "displayName", TextBytes(b"caf\xe9"), "not_utf8"),
    ("User", "displayName", TextBytes(b"\xed\xa0\x80"), "not_utf8"),
    ("User", "displayName", TextBytes(b"\xc0\x80"), "not_utf8"),
    ("User", "displayName", b"text", "storage_class"),
    ("AuditLog", "action", incompressible(LONGEST_INDEXED_BYTES + 1), "too_long_for_index"),
    ("Panel", "sizeTarget", 2**31, "integer_out_of_range"),
    ("Panel", "sizeTarget", -(2**31) - 1, "integer_out_of_range"),
    ("Panel", "sizeTarget", 7.5, "storage_class"),
    ("Panel", "sizeTarget", "seven", "storage_class"),
    ("Panel", "sizeTarget", "", "storage_class"),
    ("Panel", "sizeTarget", b"7", "storage_class"),
    ("Panel", "archived", 2, "not_boolean"),
    ("Panel", "archived", -1, "not_boolean"),
    ("Panel", "archived", "true", "storage_class"),
    ("Panel", "archived", "", "storage_class"),
    ("Panel", "archived", 0.5, "storage_class"),
    ("Vote", "weight", "heavy", "storage_class"),
    ("Vote", "weight", b"\x00", "storage_class"),
    ("User", "role", "user", "unknown_enum_label"),
    ("User", "role", "USER ", "unknown_enum_label"),
    ("User", "role", "", "unknown_enum_label"),
    ("User", "role", "CEO", "unknown_enum_label"),
    ("User", "role", "USER\x00", "nul_character"),
    ("User", "role", b"USER", "storage_class"),
    ("User", "consents", b"{}", "storage_class"),
    ("User", "consents", "{}\x00", "nul_character"),
]
"""Table, column, a value that cannot be carried, and the kind of the finding."""

GOOD_VALUES: list[tuple[str, str, list[Any]]] = [
    ("Vote", "createdAt", [
        1_760_000_000_000, 0, -1, 999_999_999, 4_200_000_001, -210_866_803_200_000, 9_223_372_036_854_775,
        "2025-10-10T09:00:00.000+00:00", "2025-10-10 09:00:00", "2025-10-10T09:00:00Z",
        "2025-10-10T09:00:00.123456789-0530", "2025-10-10 09:00:00.9+14", "2024-02-29T00:00:00",
        "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "-004713-11-24T00:00:00Z", "+294247-01-10T04:00:54.775Z",
        "9999-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z",
    ]),
    ("User", "displayName", UNUSUAL_TEXT),
    ("User", "email", ["same", "same ", "Same", ""]),
    ("AuditLog", "action", [incompressible(LONGEST_INDEXED_BYTES)]),
    ("Panel", "sizeTarget", [2**31 - 1, -(2**31), 0, "12", 12.0]),
    ("Panel", "archived", [0, 1, "1", 1.0]),
    ("Vote", "weight", [5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), -0.0, 7, "7"]),
    ("User", "role", facts_of()["enums"]["Role"]),
    ("User", "consents", ["{", "NaN", '"\\u0000"', ""]),
]  # fmt: skip
"""Table, column, values that can be carried although they look like their bad twins."""

BAD_DOCUMENTS = [
    "{",
    "",
    "NaN",
    "[Infinity]",
    "[1,]",
    "'a'",
    '"\\u0000"',
    '"\\ud800"',
    "1e131073",
    '{"x":"\\u0000","x":1}',
    "\ufeff{}",
]
GOOD_DOCUMENTS = ["{}", "null", ' {"b": 1, "a": [1.0, 1e0], "b": 2} ', '"\\ud83d\\ude00"', "1e131071", '"é"']


@pytest.fixture(scope="module")
def prisma_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("prisma") / "odyssey.db", rows=20)


@pytest.fixture(scope="module")
def bare_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows where SQLite enforces nothing."""
    return write_database(tmp_path_factory.mktemp("bare") / "odyssey.db", rows=2, is_bare=True)


@pytest.fixture
def prisma(prisma_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(prisma_file, tmp_path / "odyssey.db"))


@pytest.fixture
def bare(bare_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(bare_file, tmp_path / "odyssey.db"))


def key_of(table: str, name: str = "1") -> tuple[tuple[str, object], ...]:
    """The key of the row that ``plain_source`` gives this name."""
    if table == "VerificationToken":
        return (("token", f"token {name}"),)
    parents = {key["columns"][0]: key["references"] for key in tables_of()[table]["foreign_keys"]}
    if "A" in parents:
        return (("A", f"{parents['A']}-{name}"), ("B", f"{parents['B']}-{name}"))
    return (("id", f"{table}-{name}"),)


def test_a_sound_database_has_no_finding(prisma: Path, bare: Path) -> None:
    assert examine(prisma).findings == ()
    assert examine(prisma, is_jsonb=True).findings == ()
    assert examine(bare).findings == ()


@pytest.mark.parametrize(("table", "column", "value", "kind"), BAD_VALUES)
def test_a_value_that_cannot_be_carried_is_named(prisma: Path, table: str, column: str, value: Any, kind: str) -> None:
    plant(prisma, table, 2, **{column: value})
    examination = examine(prisma, [table])
    assert told(examination.findings) == {("error", kind, table, column, key_of(table))}
    assert {name: rowids.tolist() for name, rowids in examination.rows_held_back.items()} == {table: [2]}


@pytest.mark.parametrize(
    ("table", "column", "values"), GOOD_VALUES, ids=lambda each: each if isinstance(each, str) else ""
)
def test_twins_that_can_be_carried_pass_unnoticed(prisma: Path, table: str, column: str, values: list[Any]) -> None:
    for number, value in enumerate(values):
        plant(prisma, table, number + 1, **{column: value})
    assert examine(prisma, [table]).findings == ()


def test_an_unknown_label_is_told_with_the_labels_there_are(prisma: Path) -> None:
    plant(prisma, "User", 2, role="CEO")
    (finding,) = examine(prisma, ["User"]).findings
    assert finding.detail == f"not a label of the enum Role; allowed are {', '.join(facts_of()['enums']['Role'])}"


@pytest.mark.parametrize("document", BAD_DOCUMENTS)
def test_a_document_that_jsonb_refuses_is_named_and_goes_into_text(prisma: Path, document: str) -> None:
    plant(prisma, "User", 2, consents=document)
    assert told(examine(prisma, ["User"], is_jsonb=True).findings) == {
        ("error", "not_json", "User", "consents", key_of("User"))
    }
    assert examine(prisma, ["User"]).findings == ()


def test_documents_that_jsonb_takes_pass_unnoticed(prisma: Path) -> None:
    for number, document in enumerate(GOOD_DOCUMENTS):
        plant(prisma, "User", number + 1, consents=document)
    assert examine(prisma, ["User"], is_jsonb=True).findings == ()


REQUIRED = [
    (name, column["name"])
    for name, table in tables_of().items()
    for column in table["columns"]
    if not column["nullable"]
]


def test_a_null_in_any_required_column_is_named(bare: Path) -> None:
    for table, column in REQUIRED:
        run_sqlite(bare, f'UPDATE "{table}" SET "{column}" = NULL WHERE rowid = 2')
    found = {
        (each.table, each.column, each.count)
        for each in examine(bare).findings
        if each.kind == "null_in_required_column" and each.severity is Severity.ERROR
    }
    assert found == {(table, column, 1) for table, column in REQUIRED}


def test_a_null_where_it_is_allowed_passes_unnoticed(bare: Path) -> None:
    optional = [
        (name, each["name"]) for name, table in tables_of().items() for each in table["columns"] if each["nullable"]
    ]
    assert len(optional) > 50
    for table, column in optional:
        run_sqlite(bare, f'UPDATE "{table}" SET "{column}" = NULL')
    assert examine(bare).findings == ()


def test_a_row_with_two_bad_values_is_told_twice_and_held_once(prisma: Path) -> None:
    plant(prisma, "Panel", 3, archived=2, sizeTarget="many")
    examination = examine(prisma, ["Panel"])
    assert told(examination.findings) == {
        ("error", "not_boolean", "Panel", "archived", key_of("Panel", "2")),
        ("error", "storage_class", "Panel", "sizeTarget", key_of("Panel", "2")),
    }
    assert examination.rows_held_back["Panel"].tolist() == [3]


@pytest.mark.parametrize("value", ["not a date", 1_760_000_000, b"x"])
def test_one_bad_date_among_dates_of_all_forms_is_found_alone(prisma: Path, value: Any) -> None:
    forms = [1_760_000_000_000, "2025-10-10T09:00:00.000+00:00", "2025-10-10 09:00:00", "2025-10-10T09:00:00Z"]
    for rowid in range(1, 21):
        plant(prisma, "Vote", rowid, createdAt=forms[rowid % len(forms)])
    plant(prisma, "Vote", 13, createdAt=value)
    assert [each.key for each in examine(prisma, ["Vote"]).findings] == [{"id": "Vote-12"}]


def test_a_table_of_one_storage_class_alone_that_is_wrong_is_named_in_every_row(prisma: Path) -> None:
    run_sqlite(prisma, """UPDATE "Vote" SET "createdAt" = x'00'""")
    examination = examine(prisma, ["Vote"])
    assert len(examination.rows_held_back["Vote"]) == 20
    assert {each.kind for each in examination.findings} == {"storage_class"}


def test_columns_in_another_order_and_indexes_of_other_names_change_nothing(tmp_path: Path) -> None:
    grown = write_database(tmp_path / "grown.db", reorder=-1)
    run_sqlite(grown, 'CREATE INDEX "extra" ON "Vote" ("weight", "createdAt")', 'DROP INDEX "Vote_createdAt_idx"',
               'DROP INDEX "User_email_key"', 'CREATE UNIQUE INDEX "other_name" ON "User" ("email")')  # fmt: skip
    assert examine(grown).findings == ()
    plant(grown, "User", 1, role="CEO")
    assert told(examine(grown).row_findings) >= {("error", "unknown_enum_label", "User", "role", key_of("User", "0"))}


MIGRATION = """INSERT INTO "_prisma_migrations" ("id", "checksum", "migration_name", "finished_at", "rolled_back_at")
               VALUES ('{name}', 'c', '{name}', {finished}, {rolled_back})"""


def migrations(path: Path, rows: Mapping[str, tuple[str, str]]) -> None:
    run_sqlite(
        path,
        'CREATE TABLE "_prisma_migrations" ("id" TEXT PRIMARY KEY NOT NULL, "checksum" TEXT NOT NULL, "finished_at" '
        'DATETIME, "migration_name" TEXT NOT NULL, "logs" TEXT, "rolled_back_at" DATETIME, "started_at" DATETIME NOT '
        'NULL DEFAULT current_timestamp, "applied_steps_count" INTEGER UNSIGNED NOT NULL DEFAULT 0)',
        *(MIGRATION.format(name=name, finished=each[0], rolled_back=each[1]) for name, each in rows.items()),
    )


def test_an_unfinished_migration_is_an_error_that_quarantine_cannot_get_around(prisma: Path) -> None:
    migrations(prisma, {"init": ("1", "NULL"), "given_up": ("NULL", "2"), "broken": ("NULL", "NULL")})
    examination = examine(prisma)
    (finding,) = examination.blocking
    assert (finding.kind, finding.table) == ("unfinished_migration", "_prisma_migrations")
    assert "broken" in finding.detail
    assert examination.objections == ()


def test_migrations_that_finished_or_were_rolled_back_pass_unnoticed(prisma: Path) -> None:
    migrations(prisma, {"init": ("1", "NULL"), "given_up": ("NULL", "2")})
    assert examine(prisma).findings == ()


def test_a_table_without_rowid_is_an_error_that_quarantine_cannot_get_around(prisma: Path) -> None:
    (names,) = ask_sqlite(prisma, """SELECT group_concat('"' || name || '"') FROM pragma_table_info('Village')""")
    run_sqlite(prisma, 'ALTER TABLE "Village" RENAME TO old', 'CREATE TABLE "Village" ("id" TEXT PRIMARY KEY NOT NULL, '
               '"name" TEXT, "createdAt" DATETIME, "updatedAt" DATETIME) WITHOUT ROWID',
               f'INSERT INTO "Village" ({names[0]}) SELECT {names[0]} FROM old', "DROP TABLE old")  # fmt: skip
    examination = examine(prisma)
    assert [(each.kind, each.table) for each in examination.blocking] == [("table_without_rowid", "Village")]


def test_a_damaged_page_is_a_finding(prisma: Path) -> None:
    ((page,),) = ask_sqlite(prisma, "SELECT rootpage FROM sqlite_schema WHERE name = 'Vote_createdAt_idx'")
    ((size,),) = ask_sqlite(prisma, "PRAGMA page_size")
    with prisma.open("r+b") as file:
        file.seek((page - 1) * size + 8)
        file.write(b"\xff" * 64)
    examination = examine(prisma)
    assert {each.kind for each in examination.blocking} == {"damaged_file"}
