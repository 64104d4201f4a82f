"""Who takes part in the benchmark, in the order of the table. Add a contender here and it is measured.

Belongs here: the list. Does not belong here: what each of them does.
"""

from odyssey_assets.benchmark import engine, limits, pgloader, scripts
from odyssey_assets.benchmark.contender import Contender, Measure

CONTENDERS: tuple[Contender, ...] = (
    Contender(
        "limit",
        (Measure("limit", "the limit: server-side COPY of ready files, keys and indexes", "limit"),),
        limits.load_copy_files,
    ),
    Contender(
        "migrate",
        (
            Measure("load", "odyssey: load with keys and indexes", "limit"),
            Measure("load_and_proof", "odyssey: load and proof", "limit"),
            Measure("migrate", "odyssey: everything, from snapshot to commit", "limit"),
        ),
        engine.migrate,
    ),
    Contender(
        "resync",
        (
            Measure("resync_nothing", "odyssey: re-sync, nothing changed, snapshot left out", "migrate"),
            Measure("resync_few", "odyssey: re-sync, 0.1 % of the rows changed", "migrate"),
        ),
        engine.resync,
    ),
    Contender(
        "pgloader",
        (Measure("pgloader", "pgloader: indexes, no primary or foreign keys, dates left as they are", "limit"),),
        pgloader.load,
        unavailable=pgloader.unavailable,
    ),
    Contender(
        "pgloader_rows",
        (Measure("pgloader_rows", "pgloader: rows alone, no index, dates left as they are", "limit"),),
        pgloader.load_rows,
        unavailable=pgloader.unavailable,
    ),
    Contender(
        "text_copy",
        (Measure("text_copy", "Python sqlite3 and text COPY, indexes kept, no foreign keys", "limit"),),
        scripts.text_copy,
        largest_rows=1_000_000,
    ),
    Contender(
        "many_values",
        (Measure("many_values", "Python sqlite3 and executemany, indexes kept, no foreign keys", "limit"),),
        scripts.many_values,
        largest_rows=100_000,
    ),
    Contender(
        "row_loop",
        (Measure("row_loop", "Python sqlite3 and one INSERT a row, indexes kept, no foreign keys", "limit"),),
        scripts.row_loop,
        largest_rows=10_000,
    ),
    Contender(
        "plain_read",
        (Measure("plain_read", "plain read of both sides, to nowhere", "plain_read"),),
        limits.read_both_sides,
        needs_rows=True,
    ),
    Contender(
        "verify",
        (
            Measure("compare", "odyssey: every check of every table", "plain_read"),
            Measure("verify", "odyssey: verify, from snapshot to verdict", "plain_read"),
        ),
        engine.verify,
        needs_rows=True,
    ),
)


def contender_named(name: str) -> Contender:
    """The contender of that name."""
    return next(contender for contender in CONTENDERS if contender.name == name)
