"""Every value arrives exactly or is named: values of every storage class in every kind of column, and no third outcome.

A value is planted into a row of its own for each kind of column. What must be held back is worked out here, from the
facts alone and by PostgreSQL's own word on ``jsonb``; what must have arrived is judged by the oracle.
"""

import os
import re
import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from odyssey_assets.sync.outcome import Policy
from odyssey_assets.sync.run import run
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.oracle_values import SqliteText, milliseconds
from odyssey_assets_tests.plain_source import (
    create_table_sql,
    facts_of,
    insert,
    kind_of,
    quoted,
    sound_row,
    tables_of,
)
from odyssey_assets_tests.statements import prisma_sql, run_postgres
from odyssey_assets_tests.sync.requests import request_for
from odyssey_assets_tests.value_strategies import VALUES

VALUES_AT_A_TIME = 50
VALUES_WANTED = int(os.environ.get("ODYSSEY_TEST_VALUES", "150"))
"""Generated values for each target; each is planted once for every slot."""

SLOTS = {
    "Village": ["id", "name"],
    "User": ["id", "email", "displayName", "currentVillageId", "role", "consents", "createdAt"],
    "Feature": ["id"],
    "Feedback": [
        "authorId",
        "featureId",
        "duplicateOfId",
        "moderatedBy",
        "state",
        "productArea",
        "hasPii",
        "toxicityScore",
        "createdAt",
        "moderatedAt",
        "moderationSignals",
    ],
    "FeedbackAIMetadata": ["embedding", "sentimentScore", "sentiment"],
    "Panel": ["sizeTarget", "archived"],
    "RoadmapItem": ["featureIds"],
    "UserPoints": ["userId", "totalPoints"],
    "VerificationToken": ["identifier", "token", "expires"],
    "Vote": ["feedbackId", "decayedWeight"],
    "_FeatureToRoadmapItem": ["A"],
}
"""Columns of every kind, required and optional, plain, indexed, unique, keys and references of every sort."""

FOLLOWERS = {
    "Village": ("User", "currentVillageId"),
    "User": ("Feedback", "authorId"),
    "Feature": ("Feedback", "featureId"),
}
"""For each key a row that refers to it: it has to follow its parent, to PostgreSQL or into quarantine."""

TABLES = [name for name in tables_of() if name in SLOTS]
IDENTIFYING = {name: tables_of()[name]["primary_key"] for name in TABLES}

Row = dict[str, Any]
Objection = tuple[str, int, str]
"""Table, rowid, columns."""


def write_source(path: Path, values: list[Any], *, is_bare: bool) -> None:
    """One row a value and slot; SQLite itself keeps some out where the tables have Prisma's constraints."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for table in TABLES:
            for statement in create_table_sql(table, is_bare=is_bare):
                connection.execute(statement)
        for table in TABLES:
            insert(connection, table, sound_row(table, "0"))
        present: set[tuple[str, str]] = set()
        for number, value in enumerate(values):
            for table, columns in SLOTS.items():
                for column in columns:
                    name = f"{table}.{column} {number}"
                    _insert_parents(connection, table, name, present)
                    insert(connection, table, sound_row(table, name, **{column: value}), verb="INSERT OR IGNORE")
            for parent, (table, column) in FOLLOWERS.items():
                name = f"follower of {parent} {number}"
                _insert_parents(connection, table, name, present)
                insert(connection, table, sound_row(table, name, **{column: value}), verb="INSERT OR IGNORE")
        connection.execute("COMMIT")


def _insert_parents(connection: sqlite3.Connection, table: str, name: str, present: set[tuple[str, str]]) -> None:
    required = {column["name"] for column in tables_of()[table]["columns"] if not column["nullable"]}
    for key in tables_of()[table]["foreign_keys"]:
        parent = key["references"]
        if key["columns"][0] in required and (parent, name) not in present:
            present.add((parent, name))
            _insert_parents(connection, parent, name, present)
            insert(connection, parent, sound_row(parent, name))


def stored_rows(path: Path) -> dict[str, dict[int, Row]]:
    """What SQLite really holds after its affinities have had their way, by table and rowid."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = SqliteText
        found = {}
        for table in TABLES:
            cursor = connection.execute(f"SELECT rowid, * FROM {quoted(table)}")
            names = [each[0] for each in cursor.description][1:]
            found[table] = {row[0]: dict(zip(names, row[1:], strict=True)) for row in cursor}
    return found


def objections_to(rows: dict[str, dict[int, Row]], not_jsonb: set[bytes]) -> set[Objection]:
    """Every objection a row deserves for itself: values, duplicates, orphans."""
    found: set[Objection] = set()
    for table in TABLES:
        facts = tables_of()[table]
        for column in facts["columns"]:
            for rowid, row in rows[table].items():
                value = row[column["name"]]
                if not is_acceptable(column, value) or (column.get("holds_json") and value in not_jsonb):
                    found.add((table, rowid, column["name"]))
        uniques = [index["columns"] for index in facts["indexes"] if index["unique"]]
        uniques += [facts["primary_key"]["columns"]] if facts["primary_key"] else []
        for columns in uniques:
            for rowids in same_values(rows[table], columns).values():
                if len(rowids) > 1:
                    found |= {(table, rowid, ", ".join(columns)) for rowid in rowids}
        for key in facts["foreign_keys"]:
            (column,) = key["columns"]
            if key["references"] in TABLES:
                parents = same_values(rows[key["references"]], ["id"])
                for values, rowids in same_values(rows[table], [column]).items():
                    if values not in parents:
                        found |= {(table, rowid, column) for rowid in rowids}
    return found


def same_values(rows: dict[int, Row], columns: list[str]) -> dict[tuple[Any, ...], list[int]]:
    """Rowids by values with their storage class, NULLs left out."""
    found = defaultdict(list)
    for rowid, row in rows.items():
        if all(row[column] is not None for column in columns):
            found[tuple((type(row[column]), row[column]) for column in columns)].append(rowid)
    return found


def is_acceptable(column: dict[str, Any], value: Any) -> bool:
    """Whether PostgreSQL can hold the value exactly, by the issue's own words."""
    if value is None:
        return bool(column["nullable"])
    match kind_of(column):
        case "integer":
            return isinstance(value, int) and -(2**31) <= value < 2**31
        case "boolean":
            return isinstance(value, int) and value in (0, 1)
        case "double":
            return isinstance(value, float)
        case "moment":
            return is_moment(value)
        case "enum":
            labels = facts_of()["enums"][column["postgres_type"]]
            return isinstance(value, SqliteText) and bytes(value) in [label.encode() for label in labels]
        case _:
            return is_text(value)


def is_text(value: Any) -> bool:
    try:
        return isinstance(value, SqliteText) and "\x00" not in value.decode("utf-8")
    except UnicodeDecodeError:
        return False


MOMENT = re.compile(
    r"([0-9]{4}|[+-][0-9]{5,6})-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(\.[0-9]{1,9})?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
)
FIRST_MOMENT, LAST_MOMENT = -210_866_803_200_000, (2**63 - 1) // 1000


def is_moment(value: Any) -> bool:
    """Integers that look like seconds are no dates here, although some may be milliseconds of early 1970."""
    if isinstance(value, int):
        return FIRST_MOMENT <= value <= LAST_MOMENT and not 1_000_000_000 <= value <= 4_200_000_000
    if not is_text(value):
        return False
    text = value.decode()
    if not MOMENT.fullmatch(text) or re.match("-0+-", text):
        return False
    try:
        return FIRST_MOMENT <= milliseconds(text) <= LAST_MOMENT
    except ValueError:
        return False


def with_descendants(rows: dict[str, dict[int, Row]], held: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """The rows held, and those that refer to them over any number of steps."""
    held = set(held)
    before = -1
    while len(held) > before:
        before = len(held)
        for table in TABLES:
            for key in tables_of()[table]["foreign_keys"]:
                (column,) = key["columns"]
                parent = key["references"]
                gone = {
                    (type(row["id"]), row["id"])
                    for rowid, row in rows.get(parent, {}).items()
                    if (parent, rowid) in held and row["id"] is not None
                }
                held |= {
                    (table, rowid) for rowid, row in rows[table].items() if (type(row[column]), row[column]) in gone
                }
    return held


def refused_documents(rows: dict[str, dict[int, Row]], uri: str) -> set[bytes]:
    """Texts in JSON columns that PostgreSQL's own parser refuses as ``jsonb``."""
    json_columns = [
        (table, column["name"])
        for table in TABLES
        for column in tables_of()[table]["columns"]
        if column.get("holds_json")
    ]
    texts = {row[column] for table, column in json_columns for row in rows[table].values() if is_text(row[column])}
    with psycopg.connect(uri) as connection:
        return {
            bytes(text)
            for text in texts
            if connection.execute("SELECT pg_input_is_valid(%s, 'jsonb')", [text.decode()]).fetchone() == (False,)
        }


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


def without_rows(path: Path, held: set[tuple[str, int]]) -> Path:
    copy = path.with_suffix(".carried.db")
    shutil.copyfile(path, copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        for table, rowid in held:
            connection.execute(f"DELETE FROM {quoted(table)} WHERE rowid = ?", (rowid,))
    return copy


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
