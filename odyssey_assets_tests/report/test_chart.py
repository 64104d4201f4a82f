"""The bars of a report: the right ones, to scale, and told apart without colour."""

from typing import Any

from odyssey_assets.report.chart import LENGTH, MOST_BARS, charts_of


def table(name: str, rows: int = 0, inserted: int = 0, updated: int = 0, deleted: int = 0) -> dict[str, Any]:
    return {"name": name, "source_rows": rows, "inserted": inserted, "updated": updated, "deleted": deleted}


def test_bars_are_to_scale() -> None:
    phases, rows = charts_of({"seconds": {"load": 2.0, "proof": 1.0}, "tables": [table("A", 10), table("B", 40)]})
    assert [(bar.label, bar.value, bar.length) for bar in phases.bars] == [
        ("load", "2.00 s", LENGTH),
        ("proof", "1.00 s", LENGTH / 2),
    ]
    assert [(bar.label, bar.value, bar.length) for bar in rows.bars] == [("B", "40", LENGTH), ("A", "10", LENGTH / 4)]


def test_a_first_load_shows_rows_and_a_sync_shows_changes() -> None:
    loaded = [table("A", 10, inserted=10), table("B", 5, inserted=5)]
    assert [chart.title for chart in charts_of({"tables": loaded})] == ["Rows by table"]
    synced = [table("A", 10, inserted=1, updated=2, deleted=1), table("B", 5, deleted=1), table("C", 9)]
    (changes,) = charts_of({"tables": synced})
    assert changes.title == "Rows changed by table"
    assert [(bar.label, bar.value) for bar in changes.bars] == [("A", "+1 ~2 −1"), ("B", "−1")]
    assert [(part.kind, part.start, part.length) for part in changes.bars[0].parts] == [
        ("inserted", 0.0, LENGTH / 4),
        ("updated", LENGTH / 4, LENGTH / 2),
        ("deleted", LENGTH * 3 / 4, LENGTH / 4),
    ]
    assert set(changes.kinds) == {"inserted", "updated", "deleted"}


def test_small_tables_share_a_bar() -> None:
    (rows,) = charts_of({"tables": [table(f"T{n}", 100 - n) for n in range(MOST_BARS + 3)]})
    assert len(rows.bars) == MOST_BARS + 1
    assert (rows.bars[-1].label, rows.bars[-1].value) == ("3 others", str(90 + 89 + 88))


def test_what_is_there_at_all_can_be_seen() -> None:
    (rows,) = charts_of({"tables": [table("A", 1_000_000), table("B", 1)]})
    assert rows.bars[1].length >= 1


def test_nothing_to_compare_is_not_drawn() -> None:
    assert charts_of({"tables": []}) == []
    assert charts_of({"seconds": {"load": 0.0}, "tables": [table("A", 10)]}) == []
