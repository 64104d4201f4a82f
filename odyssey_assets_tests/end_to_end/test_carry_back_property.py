"""Whatever is written to PostgreSQL, the way back ends in a SQLite file that is equal, and rewrites nothing else.

A seed makes an episode: random edits of PostgreSQL, then a carry-back onto the file of the one before, again and again,
judged by the oracle. Every failure names its seed and can be had again by it; docs/reliability.md has the long run.
"""

import os
import random
from pathlib import Path

import pytest

from odyssey_assets.carry_back.request import CarryBackRequest
from odyssey_assets.carry_back.run import carry_back
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.carry_back.way_back import cells_of, header_of, schema_of
from odyssey_assets_tests.end_to_end.edited_databases import tampering
from odyssey_assets_tests.end_to_end.random_edits import edit_postgres
from odyssey_assets_tests.oracle import differences
from odyssey_assets_tests.plain_source import kind_of, quoted, tables_of
from odyssey_assets_tests.statements import ask_sqlite, run_postgres
from odyssey_assets_tests.sync.dual_run import Template, copied
from odyssey_assets_tests.sync.ordinary_role import as_role

EPISODES = int(os.environ.get("ODYSSEY_CARRY_BACK_EPISODES", "1"))
FIRST_SEED = int(os.environ.get("ODYSSEY_CARRY_BACK_FIRST_SEED", "1"))
ROUNDS = 3
EDITS = 12
"""At most, of each round."""

DOUBLES = [
    (table, column["name"])
    for table, facts in tables_of().items()
    for column in facts["columns"]
    if kind_of(column) == "double"
]
WITHOUT_NEGATIVE_ZEROS = "; ".join(
    f"UPDATE {quoted(table)} SET {quoted(name)} = 0 WHERE {quoted(name)} = 0" for table, name in DOUBLES
)
"""SQLite has none, and the way back says so (``carry_back/test_losses.py``)."""


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + EPISODES))
def test_every_way_back_ends_equal(tmp_path: Path, template: Template, seed: int) -> None:
    chance = random.Random(seed)
    with copied(template, tmp_path) as pair, tampering(pair.uri, "public") as application:
        (base,) = (tmp_path / "snapshots").glob("snapshot-*.db")
        for number in range(ROUNDS):
            done = [edit_postgres(chance, application) for _ in range(chance.randrange(1, EDITS + 1))]
            run_postgres(pair.uri, WITHOUT_NEGATIVE_ZEROS)
            new_file = tmp_path / f"{number}.db"
            request = CarryBackRequest(parse_target_url(as_role(pair.uri)), base, new_file, tmp_path / "scratch")
            with carry_back(request) as carried:
                pass
            assert differences(new_file, pair.uri) == [], done
            assert (schema_of(new_file), header_of(new_file)) == (schema_of(base), header_of(base))
            assert ask_sqlite(new_file, "PRAGMA foreign_key_check") == []
            for table in carried.tables:
                before, after = cells_of(base, table.name), cells_of(new_file, table.name)
                kept = [rowid for rowid, cells in before.items() if after.get(rowid) == cells]
                assert len(kept) >= len(before) - table.updated - table.deleted, (done, table.name)
            base = new_file
