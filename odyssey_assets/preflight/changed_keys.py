"""Keys over the few rows that changed: whether they, or the rows they leave behind, break a foreign key.

Belongs here: yes or no, at a cost that follows the change. Does not belong here: naming rows (``keys``).
"""

import json
import sqlite3
from collections.abc import Iterable

import pyarrow as pa

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.preflight.objections import Rowids
from odyssey_assets.target.catalog import TargetForeignKey


def refers_to_nothing(connection: sqlite3.Connection, key: TargetForeignKey, rowids: Rowids) -> bool:
    """Whether any of these rows names a parent that does not exist."""
    filled = " AND ".join(f"child.{quoted(name)} IS NOT NULL" for name in key.columns)
    matches = " AND ".join(
        f"parent.{quoted(there)} = child.{quoted(here)}"
        for here, there in zip(key.columns, key.parent_columns, strict=True)
    )
    rows = connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM {quoted(key.table)} child "
        f"WHERE child.rowid IN (SELECT value FROM json_each(?)) AND {filled} "
        f"AND NOT EXISTS (SELECT 1 FROM {quoted(key.parent)} parent WHERE {matches}))",
        (json.dumps(rowids.tolist()),),
    )
    return bool(rows.fetchone()[0])


def refers_to_gone(connection: sqlite3.Connection, key: TargetForeignKey, gone: Iterable[pa.RecordBatch]) -> bool:
    """Whether any row still names one of the parents that are gone."""
    names = [
        list(values)
        for batch in gone
        for values in zip(*(batch.column(name).to_pylist() for name in key.parent_columns), strict=True)
    ]
    matches = " AND ".join(
        f"child.{quoted(name)} = json_extract(gone.value, '$[{place}]')" for place, name in enumerate(key.columns)
    )
    rows = connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM json_each(?) gone JOIN {quoted(key.table)} child ON {matches})",
        (json.dumps(names),),
    )
    return bool(rows.fetchone()[0])
