"""Which rows can differ between two snapshots of one file, told by the pages that differ.

The Online Backup API keeps every page where it is, so pages that are equal hold equal rows. ``dbstat`` says which
table a page belongs to in which file, and a leaf page itself says which rowids it holds. Rows on equal pages of the
same table are proven unchanged without being read.

Belongs here: SQLite's file format, as far as this takes it (sqlite.org/fileformat2.html). Does not belong here: reading
what the rows say, or deciding when this way is taken (``sync.delta``).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.source.snapshot import DAMAGE, open_snapshot, read_only_uri

Rowids = npt.NDArray[np.int64]

_BYTES_AT_A_TIME = 8 * 2**20
"""Of each file, compared in one step."""
_TABLE_LEAF = 0x0D
_FILE_HEADER_BYTES = 100
_LEAF_HEADER_BYTES = 8


@dataclass(frozen=True)
class PageChanges:
    """Candidate rowids by table: every row that differs is among them, most of the others are not.

    Tables that are not named have no row that differs.
    """

    rowids_by_table: dict[str, Rowids]


def changed_rows(old: Path, new: Path) -> PageChanges | None:
    """Compare two snapshots of one file page by page.

    None where this way cannot tell: the page size or the definition of a table changed, a snapshot is damaged, or this
    SQLite has no ``dbstat``.
    """
    page_bytes = page_bytes_of(old)
    if page_bytes != page_bytes_of(new):
        return None
    pages = np.concatenate(list(different_pages(old, new, page_bytes)))
    if not pages.size:
        return PageChanges({})
    try:
        trees = [_data_pages(path) for path in (old, new)]
    except DAMAGE:
        return None
    # Not by the header's schema cookie, which the Online Backup API sets to the same number in every copy.
    if trees[0].definitions != trees[1].definitions:
        return None
    # A page that left its table keeps its bytes: SQLite need not overwrite what it frees.
    moved = trees[0].leaves ^ trees[1].leaves
    touched = frozenset(pages.tolist()) | {page for _, page in moved}
    found = [_rows_on_pages(path, tree, touched, page_bytes) for path, tree in zip((old, new), trees, strict=True)]
    tables = found[0].keys() | found[1].keys()
    return PageChanges(
        {table: np.unique(np.concatenate([each[table] for each in found if table in each])) for table in sorted(tables)}
    )


def count_different(old: Path, new: Path, table: str, columns: Iterable[str], rowids: Rowids) -> int:
    """How many of these rows the two snapshots do not have alike, whatever their values mean."""
    with open_snapshot(new) as connection:
        connection.execute("ATTACH ? AS published", (read_only_uri(old, immutable=True),))
        cells = [", ".join(f"{side}.{quoted(name)}" for name in columns) for side in ("now", "before")]
        wanted = "IN (SELECT value FROM json_each(:rowids))"
        one, other = f"main.{quoted(table)}", f"published.{quoted(table)}"
        (count,) = connection.execute(
            f"SELECT (SELECT count(*) FROM {one} now LEFT JOIN {other} before ON before.rowid = now.rowid "
            f"WHERE now.rowid {wanted} AND (before.rowid IS NULL OR ({cells[0]}) IS NOT ({cells[1]}))) "
            f"+ (SELECT count(*) FROM {other} before WHERE before.rowid {wanted} "
            f"AND NOT EXISTS (SELECT 1 FROM {one} now WHERE now.rowid = before.rowid))",
            {"rowids": json.dumps(rowids.tolist())},
        ).fetchone()
    return int(count)


def page_bytes_of(path: Path) -> int:
    """The page size of a file, whose header has no room for 65536 and says 1."""
    with path.open("rb") as file:
        stored = int.from_bytes(file.read(_FILE_HEADER_BYTES)[16:18], "big")
    return 65_536 if stored == 1 else stored


def different_pages(old: Path, new: Path, page_bytes: int) -> Iterator[Rowids]:
    """Numbers, from 1, of pages that differ or that only one file has, in ascending order and by and by."""
    sizes = [path.stat().st_size // page_bytes for path in (old, new)]
    shared, longest = min(sizes), max(sizes)
    pages_at_a_time = max(1, _BYTES_AT_A_TIME // page_bytes)
    # Read, not mapped: mapped pages would count as this process's memory.
    with old.open("rb") as left, new.open("rb") as right:
        for first in range(0, shared, pages_at_a_time):
            pages = min(pages_at_a_time, shared - first)
            here, there = (np.fromfile(file, dtype=np.uint64, count=pages * page_bytes // 8) for file in (left, right))
            differs = (here != there).reshape(pages, -1).any(axis=1)
            yield np.flatnonzero(differs).astype(np.int64) + first + 1
    yield np.arange(shared + 1, longest + 1, dtype=np.int64)


@dataclass(frozen=True)
class _DataPages:
    """Where one file keeps its rows: leaves, and the leaf that each overflow page belongs to, by table and page.

    ``definitions`` are the names and texts of its tables, which say what a stored row means.
    """

    definitions: frozenset[tuple[str, str]]
    leaves: frozenset[tuple[str, int]]
    leaf_by_overflow: dict[tuple[str, int], int]


def _data_pages(snapshot: Path) -> _DataPages:
    """The path of an overflow page begins with its leaf's."""
    with open_snapshot(snapshot) as connection:
        definitions = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
        rows = connection.execute(
            "SELECT name, pageno, pagetype, path FROM dbstat "
            "WHERE name IN (SELECT name FROM sqlite_schema WHERE type = 'table') AND pagetype IN ('leaf', 'overflow')"
        ).fetchall()
    leaf_by_path = {(name, path): page for name, page, kind, path in rows if kind == "leaf"}
    return _DataPages(
        frozenset(definitions),
        frozenset((name, page) for name, page, kind, _ in rows if kind == "leaf"),
        {
            (name, page): leaf_by_path[name, path[: path.rindex("/") + 1]]
            for name, page, kind, path in rows
            if kind == "overflow"
        },
    )


def _rows_on_pages(snapshot: Path, tree: _DataPages, pages: frozenset[int], page_bytes: int) -> dict[str, Rowids]:
    """Rowids of the table leaves among ``pages``, and of leaves that own an overflow page among them."""
    leaves: defaultdict[str, set[int]] = defaultdict(set)
    for table, page in tree.leaves:
        if page in pages:
            leaves[table].add(page)
    for (table, page), leaf in tree.leaf_by_overflow.items():
        if page in pages:
            leaves[table].add(leaf)
    with snapshot.open("rb") as file:
        found = {}
        for table, numbers in leaves.items():
            rowids: list[int] = []
            for number in sorted(numbers):
                file.seek((number - 1) * page_bytes)
                rowids.extend(_rowids_on_leaf(file.read(page_bytes), is_first=number == 1))
            found[table] = np.unique(np.array(rowids, dtype=np.int64))
    return found


def _rowids_on_leaf(page: bytes, *, is_first: bool) -> Iterable[int]:
    start = _FILE_HEADER_BYTES if is_first else 0
    if page[start] != _TABLE_LEAF:
        return
    cells = int.from_bytes(page[start + 3 : start + 5], "big")
    pointers = start + _LEAF_HEADER_BYTES
    for number in range(cells):
        place = int.from_bytes(page[pointers + 2 * number : pointers + 2 * number + 2], "big")
        _, place = _varint(page, place)
        rowid, _ = _varint(page, place)
        yield rowid


def _varint(page: bytes, place: int) -> tuple[int, int]:
    """SQLite's variable-length integer, two's complement in nine bytes, and the place behind it."""
    value = 0
    for taken in range(8):
        byte = page[place + taken]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + taken + 1
    value = value << 8 | page[place + 8]
    return value - (1 << 64) if value >= 1 << 63 else value, place + 9
