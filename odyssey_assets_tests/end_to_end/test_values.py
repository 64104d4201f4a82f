"""Every value arrives exactly or is named: values of every storage class in every kind of column, and no third outcome.

A value is planted into a row of its own for each kind of column. What must be held back is worked out by
``deserved_objections``; what must have arrived is judged by the oracle.
"""

import os
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from odyssey_assets.sync.outcome import Policy
from odyssey_assets.sync.run import run
from odyssey_assets_tests.end_to_end.deserved_objections import objections_to, refused_documents, with_descendants
from odyssey_assets_tests.end_to_end.planted_values import TABLES, Row, stored_rows, without_rows, write_source
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.oracle_values import SqliteText
from odyssey_assets_tests.plain_source import quoted, tables_of
from odyssey_assets_tests.statements import prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for
from odyssey_assets_tests.value_strategies import HARD_VALUES, VALUES

VALUES_AT_A_TIME = 50
VALUES_WANTED = int(os.environ.get("ODYSSEY_TEST_VALUES", "100"))
"""Generated values for each target; each is planted once for every slot."""


def original_cells(original: dict[str, dict[str, str]]) -> Row:
    """The row as the quarantine keeps it, turned back into what SQLite held."""
    return {name: original_cell(cell) for name, cell in original.items()}


def original_cell(cell: dict[str, str]) -> Any:
    match cell["class"]:
        case "null":
            return None
        case "integer":
            return int(cell["value"])
        case "real":
            return float.fromhex(cell["value"])
        case "blob":
            return bytes.fromhex(cell["hex"])
        case _:
            return SqliteText(bytes.fromhex(cell["hex"]) if "hex" in cell else cell["value"].encode())


def same_cells(one: Row, other: Row) -> bool:
    return {name: (type(value), repr(value)) for name, value in one.items()} == {
        name: (type(value), repr(value)) for name, value in other.items()
    }


QUARANTINE_SQL = """
SELECT table_name, source_rowid, column_name, reason, key, original, snapshot_id FROM odyssey_sync.quarantine"""


def check_values(folder: Path, uri: str, values: list[Any], *, is_bare: bool, is_jsonb: bool) -> int:
    """Carry the values and hold every one of them to account; returns how many rows were looked at."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    source = folder / "odyssey.db"
    write_source(source, values, is_bare=is_bare)
    rows = stored_rows(source)
    expected = objections_to(rows, refused_documents(rows, uri) if is_jsonb else set())
    held = with_descendants(rows, {(table, rowid) for table, rowid, _ in expected})

    outcome = run(request_for(folder, source, uri, publish=frozenset(TABLES), policy=Policy.QUARANTINE))

    assert outcome.ok, outcome.problem
    with psycopg.connect(uri) as connection:
        quarantined = connection.execute(QUARANTINE_SQL).fetchall() if held else []
    named = {(table, rowid, column) for table, rowid, column, reason, *_ in quarantined if reason != "held_back_parent"}
    assert named == expected
    assert {(table, rowid) for table, rowid, *_ in quarantined} == held
    for table, rowid, _, _, key, original, snapshot in quarantined:
        assert snapshot == outcome.snapshot.id
        assert same_cells(original_cells(original), rows[table][rowid]), (table, rowid)
        assert names_row(key, rowid, rows[table][rowid])
    assert differences(without_rows(source, held), uri) == []
    for table in outcome.tables:
        assert table.source_rows + table.quarantined == len(rows[table.name])
        assert table.target_rows == table.source_rows
    return sum(map(len, rows.values()))


def names_row(key: Row, rowid: int, row: Row) -> bool:
    """By its rowid where the key cannot tell, by its key otherwise."""
    if "rowid" in key:
        return bool(key["rowid"] == rowid)
    return all(SqliteText(str(value).encode()) == row[name] for name, value in key.items())


@pytest.fixture
def jsonb_uri(database_uri: str) -> str:
    run_postgres(database_uri, prisma_sql(5))
    run_postgres(
        database_uri,
        "; ".join(
            f"ALTER TABLE {quoted(table)} ALTER {quoted(column['name'])} DROP DEFAULT, "
            f"ALTER {quoted(column['name'])} TYPE jsonb USING {quoted(column['name'])}::jsonb"
            for table in TABLES
            for column in tables_of()[table]["columns"]
            if column.get("holds_json")
        ),
    )
    return database_uri


@pytest.fixture
def text_uri(database_uri: str) -> str:
    run_postgres(database_uri, prisma_sql(5))
    return database_uri


@pytest.mark.parametrize(("target", "is_bare"), [("text", True), ("jsonb", False)], ids=["text-bare", "jsonb-prisma"])
def test_every_hard_value_arrives_exactly_or_is_named(
    tmp_path: Path, request: pytest.FixtureRequest, target: str, is_bare: bool
) -> None:
    uri: str = request.getfixturevalue(f"{target}_uri")
    assert check_values(tmp_path / "run", uri, HARD_VALUES, is_bare=is_bare, is_jsonb=target == "jsonb") > 1000


@pytest.mark.timeout(3600 if VALUES_WANTED > 1000 else 300)
@pytest.mark.parametrize("target", ["text", "jsonb"])
def test_every_value_arrives_exactly_or_is_named(
    tmp_path: Path, request: pytest.FixtureRequest, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    uri: str = request.getfixturevalue(f"{target}_uri")
    counts: dict[str, int] = defaultdict(int)

    @settings(
        max_examples=max(VALUES_WANTED // VALUES_AT_A_TIME, 1),
        deadline=None,
        database=None,
        derandomize=VALUES_WANTED <= 1000,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(VALUES, min_size=VALUES_AT_A_TIME, max_size=VALUES_AT_A_TIME), st.booleans())
    def check(values: list[Any], is_bare: bool) -> None:
        run_postgres(
            uri, f"TRUNCATE {', '.join(map(quoted, TABLES))} CASCADE; DROP SCHEMA IF EXISTS odyssey_sync CASCADE"
        )
        counts["rows"] += check_values(tmp_path / "run", uri, values, is_bare=is_bare, is_jsonb=target == "jsonb")
        counts["values"] += len(values)

    check()
    assert counts["values"] >= VALUES_WANTED
    with capsys.disabled():
        if VALUES_WANTED > 1000:
            print(f"{target}: {counts['values']:,} values, {counts['rows']:,} rows, each arrived or was named")
