"""The stream of rows that a run carries: all, less those held back, and never a value that was not looked at."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from odyssey_assets.compare.pairing import pair
from odyssey_assets.errors import IntegrityError
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets.preflight.objections import Rowids
from odyssey_assets.source.inspection import inspect_source
from odyssey_assets.source.reader import BATCH_ROWS
from odyssey_assets.source.snapshot import take_snapshot
from odyssey_assets.source.survey import TableSurvey, survey_table
from odyssey_assets.sync.rows import carried_row_count, carried_rows
from odyssey_assets.sync.session import Session
from odyssey_assets.target.catalog_to_be import catalog_to_be
from odyssey_assets.target.connection import connect
from odyssey_assets_tests.plain_source import plant, write_database
from odyssey_assets_tests.statements import run_sqlite
from odyssey_assets_tests.sync.requests import request_for


class Carrying:
    """One table of one file, and the rows that are carried of it."""

    def __init__(self, session: Session, table: CarriedTable, survey: TableSurvey) -> None:
        self.session, self.table, self.survey = session, table, survey

    def ids(self) -> list[str]:
        batches = carried_rows(self.session, self.table, self.survey)
        return [value for batch in batches for value in batch.column("id").to_pylist()]

    def count(self) -> int:
        return carried_row_count(self.session, self.table, self.survey)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_database(tmp_path / "odyssey.db", rows=4)


class Opener:
    def __init__(self, folder: Path, uri: str) -> None:
        self.folder, self.uri = folder, uri

    def __call__(self, source: Path, table: str, held: list[int] | None = None) -> Iterator[Carrying]:
        snapshot = take_snapshot(source, self.folder / "snapshots")
        catalog = inspect_source(snapshot.path)
        carried = {each.name: each for each in pair(catalog, catalog_to_be("public", catalog.version)).tables}[table]
        request = request_for(self.folder, source, self.uri)
        rows: dict[str, Rowids] = {} if held is None else {table: np.array(held, dtype=np.int64)}
        with connect(request.target, read_only=True) as connection:
            session = Session(request, connection, snapshot, catalog, lambda _: None, held_back=rows)
            yield Carrying(session, carried, survey_table(snapshot.path, table, carried.kinds))


@pytest.fixture
def carrying(tmp_path: Path, database_uri: str) -> Opener:
    return Opener(tmp_path, database_uri)


def test_all_rows_are_carried_where_none_is_held_back(carrying: Opener, source: Path) -> None:
    for vote in carrying(source, "Vote"):
        assert vote.ids() == ["Vote-0", "Vote-1", "Vote-2", "Vote-3"]
        assert vote.count() == 4


def test_rows_held_back_are_left_out_and_counted(carrying: Opener, source: Path) -> None:
    plant(source, "Vote", 2, createdAt="broken")
    for vote in carrying(source, "Vote", [2, 4]):
        assert vote.ids() == ["Vote-0", "Vote-2"]
        assert vote.count() == 2


def test_rows_held_back_are_left_out_of_every_batch(carrying: Opener, source: Path) -> None:
    rows = BATCH_ROWS + 10
    run_sqlite(source, f"""WITH RECURSIVE c(i) AS (SELECT 5 UNION ALL SELECT i + 1 FROM c WHERE i < {rows})
        INSERT INTO "Village" SELECT 'v' || i, 'n', 0, 0 FROM c""")  # fmt: skip
    held = [1, BATCH_ROWS, BATCH_ROWS + 1, rows]
    for village in carrying(source, "Village", held):
        ids = village.ids()
        assert len(ids) == village.count() == rows - 4
        assert {"Village-0", f"v{BATCH_ROWS}", f"v{BATCH_ROWS + 1}", f"v{rows}"}.isdisjoint(ids)


@pytest.mark.parametrize("held", [None, [1]])
def test_a_bad_value_that_is_not_held_back_ends_the_stream_with_its_name(
    carrying: Opener, source: Path, held: list[int] | None
) -> None:
    plant(source, "Vote", 1, createdAt="broken")
    plant(source, "Vote", 3, createdAt="broken")
    for vote in carrying(source, "Vote", held):
        with pytest.raises(IntegrityError) as raised:
            vote.ids()
        first = "Vote-0" if held is None else "Vote-2"
        assert (raised.value.table, raised.value.column, raised.value.key) == ("Vote", "createdAt", {"id": first})
        assert f"Vote.createdAt holds a value that PostgreSQL cannot take (not_a_date) in row id='{first}'." in str(
            raised.value
        )
        assert raised.value.exit_status == 1


def test_a_secret_key_is_never_told(carrying: Opener, source: Path) -> None:
    plant(source, "VerificationToken", 1, expires="broken", token="very-secret")
    for token in carrying(source, "VerificationToken"):
        with pytest.raises(IntegrityError) as raised:
            token.ids()
        assert "very-secret" not in str(raised.value)
        assert "sha256:" in str(raised.value)
