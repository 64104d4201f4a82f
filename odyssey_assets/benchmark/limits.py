"""The floor: what the databases themselves need when nothing is converted and nothing travels.

Belongs here: the limit of a load and of a verification. Does not belong here: any contender that does the work.
"""

from pathlib import Path

import adbc_driver_sqlite.dbapi as adbc_sqlite

from odyssey_assets.benchmark.contender import Task, clocked
from odyssey_assets.model.identifiers import quoted
from odyssey_assets.model.kinds import Kind, kind_of
from odyssey_assets.model.schema import NEWEST_VERSION, schema_of_version, tables_in_order
from odyssey_assets.source.snapshot import read_only_uri
from odyssey_assets.target.catalog import read_catalog
from odyssey_assets.target.connection import connect, execute, stream
from odyssey_assets.target.ddl import create_schema_sql
from odyssey_assets.target.rebuild import put_back, take_off
from odyssey_assets.target.url import parse_target_url

BATCH_ROWS = 16_384
"""As the project's own reader; the plain read is no faster with other sizes."""

_ONE_OF_THE_TYPE = {Kind.INTEGER: "0", Kind.BOOLEAN: "0", Kind.MOMENT: "0", Kind.DOUBLE: "0.5"}


def write_copy_files(uri: str, folder: Path) -> None:
    """Let the server write each table of the database into ``folder``. Fails where it may not, or is elsewhere."""
    with connect(parse_target_url(uri)) as connection:
        for table in tables_in_order():
            execute(connection, f"COPY {quoted(table.name)} TO {_file(folder, table.name)} (FORMAT binary)")


def load_copy_files(task: Task) -> dict[str, float]:
    """COPY the ready files into tables without keys, then build every index, primary key and foreign key."""
    url = parse_target_url(task.uri)
    with connect(url) as connection:
        for statement in create_schema_sql(schema_of_version(NEWEST_VERSION)):
            execute(connection, statement)
        catalog = read_catalog(connection, url.schema)
        taken = take_off(connection, catalog, frozenset(catalog.tables))
        connection.commit()
    seconds: dict[str, float] = {}
    with connect(url) as connection, clocked(seconds, "limit"):
        for table in tables_in_order():
            execute(connection, f"COPY {quoted(table.name)} FROM {_file(task.copy_folder, table.name)} (FORMAT binary)")
        put_back(connection, catalog, taken, lambda _: None)
        connection.commit()
    return seconds


def read_both_sides(task: Task) -> dict[str, float]:
    """Read every row of the file and of the database, one side after the other, and drop them."""
    seconds: dict[str, float] = {}
    with clocked(seconds, "plain_read"):
        _read_file(task.sqlite)
        with connect(parse_target_url(task.uri), read_only=True) as connection:
            for table in tables_in_order():
                for _ in stream(connection, f"SELECT * FROM {quoted(table.name)}"):
                    pass
    return seconds


def _read_file(path: Path) -> None:
    with adbc_sqlite.connect(read_only_uri(path, immutable=True)) as connection:
        for table in tables_in_order():
            # A row of known types first, as the driver takes a column's type from the first batch it sees.
            kinds = {column.name: kind_of(column) for column in table.columns}
            typed = ", ".join(f"{_ONE_OF_THE_TYPE.get(kind, repr(''))}" for kind in kinds.values())
            # Dates may be numbers and text in one column; adding zero makes one type of both and costs nothing.
            columns = ", ".join(f"{quoted(name)}{' + 0' * (kind is Kind.MOMENT)}" for name, kind in kinds.items())
            with connection.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(BATCH_ROWS)})
                cursor.execute(f"SELECT {typed} UNION ALL SELECT {columns} FROM {quoted(table.name)} NOT INDEXED")
                for _ in cursor.fetch_record_batch():
                    pass


def _file(folder: Path, table: str) -> str:
    return "'" + str(folder / f"{table}.copy").replace("'", "''") + "'"
