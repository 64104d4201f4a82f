"""The content digest: one number for the rows, whatever their order, known once the last has passed."""

import pyarrow as pa

from odyssey_assets.compare.digest import ContentDigest, DigestedRows
from odyssey_assets.compare.rows import comparable
from odyssey_assets.prefetch import prefetched
from odyssey_assets_tests.compare.streams import KEYED, Row, in_batches, row

ROWS: list[Row] = [row(f"id {number}", number=number, document=f'{{"a": {number}}}') for number in range(200)]


def total(rows: list[Row], seed: int = 0) -> int:
    digest = ContentDigest()
    for batch in in_batches(KEYED, rows, seed):
        digest.add(comparable(KEYED, batch))
    return digest.total


def test_neither_the_order_nor_the_batches_count() -> None:
    assert total(ROWS) == total(ROWS[::-1], seed=1)
    assert total(ROWS[:90]) + total(ROWS[90:]) == total(ROWS)
    assert total([]) == 0


def test_one_cell_counts_and_the_spelling_of_a_document_does_not() -> None:
    assert total([row("a", number=1)]) != total([row("a", number=2)])
    assert total([row("a", weight=0.0)]) != total([row("a", weight=-0.0)])
    assert total([row("a", document='{"a": 1}')]) == total([row("a", document='{"a":1}')])


def test_rows_pass_unchanged_and_their_digest_is_known_after_the_last() -> None:
    passing = DigestedRows(KEYED, in_batches(KEYED, ROWS))
    passed: list[pa.RecordBatch] = []
    for batch in passing:
        assert passing.digest() is None
        passed.append(batch)
    assert pa.Table.from_batches(passed).equals(pa.Table.from_batches(list(in_batches(KEYED, ROWS))))
    assert passing.digest() == total(ROWS)


def test_a_digest_that_is_known_is_not_made_again() -> None:
    passing = DigestedRows(KEYED, in_batches(KEYED, ROWS), known=7)
    assert sum(batch.num_rows for batch in passing) == len(ROWS)
    assert passing.digest() == 7


def test_it_is_known_as_soon_as_a_stream_that_was_read_ahead_has_ended() -> None:
    for _ in range(50):
        passing = DigestedRows(KEYED, in_batches(KEYED, ROWS))
        with prefetched(iter(passing)) as ahead:
            assert sum(batch.num_rows for batch in ahead) == len(ROWS)
            assert passing.digest() is not None
