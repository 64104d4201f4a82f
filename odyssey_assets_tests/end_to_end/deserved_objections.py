"""Which rows have to be held back and why, worked out from the facts alone and by PostgreSQL's own word on ``jsonb``.

Belongs here: a judgement that shares no code with the engine. Does not belong here: what the engine did.
"""

import re
from collections import defaultdict
from typing import Any

import psycopg

from odyssey_assets_tests.end_to_end.planted_values import TABLES, Row
from odyssey_assets_tests.oracle_values import SqliteText, milliseconds
from odyssey_assets_tests.plain_source import facts_of, kind_of, tables_of

Objection = tuple[str, int, str]
"""Table, rowid, columns."""


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
