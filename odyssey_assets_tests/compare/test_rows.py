"""The comparison of two streams: verdicts against a naive one, and the walk in step that needs no join.

Belongs here: ``compare_rows`` as a whole. Does not belong here: the join on its own (``test_keyed``).
"""

import struct
from collections import Counter
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odyssey_assets.compare import rows as rows_module
from odyssey_assets.compare.differences import Comparison, Difference, DifferenceKind
from odyssey_assets.compare.keyed import KeyedDifferences
from odyssey_assets.compare.rows import compare_rows
from odyssey_assets.model.carried import CarriedTable
from odyssey_assets_tests.compare.streams import KEYED, KEYLESS, NEW_YEAR, Row, batch, in_batches, row
from odyssey_assets_tests.oracle_values import json_meaning

MANY = 10_000


def compared(table: CarriedTable, source: list[Row], target: list[Row], scratch: Path, seed: int = 0) -> Comparison:
    return compare_rows(
        table, in_batches(table, source, seed), in_batches(table, target, seed + 1), scratch, listed=MANY
    )


def meaning(name: str, value: Any) -> Hashable:
    """When two cells are equal, without any of the engine's code."""
    if value is None:
        return None
    if name == "weight":
        return struct.pack(">d", value)
    return json_meaning(value) if name == "document" else (type(value).__name__, value)


def meanings(each: Row) -> tuple[Hashable, ...]:
    return tuple(meaning(name, value) for name, value in each.items())


texts = st.sampled_from(["", "a", "A", "á", "a\u0301", "\u200b", "\U0001f469", " a"])
cells = st.fixed_dictionaries(
    {
        "number": st.none() | st.integers(-1, 1) | st.sampled_from([-(2**63), 2**63 - 1]),
        "weight": st.none() | st.sampled_from([0.0, -0.0, 1.5, float("inf"), 5e-324]),
        "note": st.none() | texts,
        "flag": st.none() | st.booleans(),
        "moment": st.none() | st.sampled_from([NEW_YEAR, 0, -210_866_803_200_000_000, 9_223_371_331_199_999_000]),
        "document": st.none() | st.sampled_from(["{}", " {}", '{"a":1,"b":2}', '{"b":2.0,"a":1}', "1", "1.0", "true"]),
        "raw": st.none() | st.sampled_from(["{}", " {}"]),
    }
)
keyed_rows = st.dictionaries(st.text("abc", min_size=0, max_size=3), cells, max_size=25).map(
    lambda drawn: [{"id": name, **each} for name, each in drawn.items()]
)
few_cells = st.fixed_dictionaries({name: st.none() for name in ("number", "weight", "moment", "raw")} | {
    "note": st.none() | st.sampled_from(["", "a"]), "flag": st.none() | st.booleans(),
    "document": st.sampled_from(["1", "1.0"])})  # fmt: skip
keyless_rows = st.lists(
    st.builds(lambda name, each: {"id": name, **{key: each[key] for key in row("")if key != "id"}},
              st.sampled_from("ab"), few_cells), max_size=25)  # fmt: skip


@st.composite
def changed(
    draw: st.DrawFn, rows: st.SearchStrategy[list[Row]], other: st.SearchStrategy[Any]
) -> tuple[list[Row], list[Row]]:
    """Two lists of rows: the second is the first with rows gone, cells changed, rows added, and perhaps shuffled."""
    source = draw(rows)
    fates = draw(st.lists(st.sampled_from(["same", "same", "same", "gone", "other"]), min_size=len(source),
                          max_size=len(source)))  # fmt: skip
    target = [
        {**each, **draw(other)} if fate == "other" else each
        for each, fate in zip(source, fates, strict=True)
        if fate != "gone"
    ]
    known = {each["id"] for each in source}
    target += [each for each in draw(rows) if rows is keyless_rows or each["id"] not in known]
    return source, draw(st.permutations(target)) if draw(st.booleans()) else target


SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SETTINGS
@given(sides=changed(keyed_rows, cells), seed=st.integers(0, 9))
def test_rows_with_a_key_are_judged_as_by_a_dictionary(
    tmp_path: Path, sides: tuple[list[Row], list[Row]], seed: int
) -> None:
    source, target = ({each["id"]: each for each in side} for side in sides)
    found = compared(KEYED, *sides, tmp_path, seed)
    missing, extra = source.keys() - target.keys(), target.keys() - source.keys()
    cells_off = {
        (name, column)
        for name in source.keys() & target.keys()
        for column in source[name]
        if meaning(column, source[name][column]) != meaning(column, target[name][column])
    }
    counts = (found.missing_rows, found.extra_rows, found.changed_rows)
    assert counts == (len(missing), len(extra), len({name for name, _ in cells_off}))
    assert (found.source_rows, found.target_rows) == (len(source), len(target))
    listed = Counter((each.kind, each.key["id"], each.column) for each in found.listed)
    assert listed == Counter(
        [(DifferenceKind.MISSING, name, None) for name in missing]
        + [(DifferenceKind.EXTRA, name, None) for name in extra]
        + [(DifferenceKind.CHANGED, name, column) for name, column in cells_off]
    )
    assert all(is_true(each, source[str(each.key["id"])], target[str(each.key["id"])])
               for each in found.listed if each.column)  # fmt: skip
    for nulls, side in ((found.source_nulls, sides[0]), (found.target_nulls, sides[1])):
        assert nulls == {name: sum(each[name] is None for each in side) for name in KEYED.column_names}


def is_true(difference: Difference, source: Row, target: Row) -> bool:
    """Whether a listed cell says what stands on the two sides, documents in whatever spelling."""
    column = difference.column or ""
    if column == "moment":
        return difference.source_value != difference.target_value
    return (meaning(column, difference.source_value), meaning(column, difference.target_value)) == (
        meaning(column, source[column]), meaning(column, target[column]))  # fmt: skip


@SETTINGS
@given(sides=changed(keyless_rows, few_cells), seed=st.integers(0, 9))
def test_rows_without_a_key_are_judged_as_by_a_multiset(
    tmp_path: Path, sides: tuple[list[Row], list[Row]], seed: int
) -> None:
    source, target = (Counter(map(meanings, side)) for side in sides)
    found = compared(KEYLESS, *sides, tmp_path, seed)
    counts = (found.missing_rows, found.extra_rows, found.changed_rows)
    assert counts == ((source - target).total(), (target - source).total(), 0)
    listed = {kind: Counter(meanings(dict(each.key)) for each in found.listed if each.kind is kind)
              for kind in DifferenceKind}  # fmt: skip
    assert listed[DifferenceKind.MISSING] == source - target
    assert listed[DifferenceKind.EXTRA] == target - source


FAR = 9_223_371_331_199_999_000
RULES = {
    "zero and minus zero": ("weight", 0.0, -0.0, 0.0),
    "neighbouring doubles": ("weight", 0.1, 0.1 + 2**-56, 0.1),
    "nothing and empty": ("note", None, "", None),
    "composed and decomposed": ("note", "é", "e\u0301", "é"),
    "case": ("note", "a", "A", "a"),
    "trailing space": ("note", "a", "a ", "a"),
    "false and nothing": ("flag", False, None, False),
    "zero and nothing": ("number", 0, None, 0),
    "one microsecond": ("moment", 1_000, 1_001, 1_000),
    "far moment": ("moment", FAR, FAR - 1000, FAR),
    "documents": ("document", '{"a":1}', '{"a":2}', ' {"a": 1.0} '),
    "document and nothing": ("document", "null", None, "null"),
    "spelling of raw documents": ("raw", "{}", "{ }", "{}"),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_sees_its_fault_and_is_silent_on_the_equal_twin(tmp_path: Path, rule: str) -> None:
    column, source, fault, twin = RULES[rule]
    rows = [row("a"), row("b", **{column: source}), row("c")]
    silent = compared(KEYED, rows, [row("c"), row("b", **{column: twin}), row("a")], tmp_path)
    assert (silent.different_rows, silent.listed) == (0, ())
    seen = compared(KEYED, rows, [row("c"), row("b", **{column: fault}), row("a")], tmp_path)
    assert (seen.missing_rows, seen.extra_rows, seen.changed_rows) == (0, 0, 1)
    assert [(each.kind, each.key, each.column) for each in seen.listed] == [
        (DifferenceKind.CHANGED, {"id": "b"}, column)
    ]
    in_step = compared(KEYED, rows, [row("a"), row("b", **{column: fault}), row("c")], tmp_path)
    assert in_step.listed == seen.listed


def test_the_exact_report_of_one_changed_cell(tmp_path: Path) -> None:
    found = compared(KEYED, [row("a", weight=0.0, moment=FAR)], [row("a", weight=-0.0, moment=NEW_YEAR)], tmp_path)
    weight, moment = found.listed
    assert weight == Difference(DifferenceKind.CHANGED, {"id": "a"}, "weight", 0.0, -0.0)
    assert struct.pack(">d", weight.target_value) == struct.pack(">d", -0.0)
    assert moment == Difference(DifferenceKind.CHANGED, {"id": "a"}, "moment", "294247-01-01T23:59:59.999000", NEW_YEAR)


@pytest.mark.parametrize(("source", "target", "counts"), [
    ([], [], (0, 0, 0)),
    ([row("a"), row("b")], [], (2, 0, 0)),
    ([], [row("a")], (0, 1, 0)),
    ([row("a")], [row("a"), row("b")], (0, 1, 0)),
    ([row("a"), row("b")], [row("b")], (1, 0, 0)),
])  # fmt: skip
def test_empty_and_shorter_sides(
    tmp_path: Path, source: list[Row], target: list[Row], counts: tuple[int, int, int]
) -> None:
    found = compared(KEYED, source, target, tmp_path)
    assert (found.missing_rows, found.extra_rows, found.changed_rows) == counts
    assert (found.source_rows, found.target_rows) == (len(source), len(target))


def test_only_the_first_few_differences_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    source = [row(f"{number:03}") for number in range(100)]
    found = compare_rows(KEYED, in_batches(KEYED, source), iter(()), tmp_path, listed=3)
    assert [each.key["id"] for each in found.listed] == ["000", "001", "002"]
    assert found.missing_rows == 100


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Row], list[Row]]]:
    """The rows that the join by key was given, in each comparison."""
    calls: list[tuple[list[Row], list[Row]]] = []

    def take(
        table: CarriedTable,
        source: Iterator[pa.RecordBatch],
        target: Iterator[pa.RecordBatch],
        scratch: Path,
        **_: object,
    ) -> KeyedDifferences:
        calls.append(tuple([each for batch in side for each in batch.to_pylist()] for side in (source, target)))
        return KeyedDifferences()

    monkeypatch.setattr(rows_module, "compare_by_key", take)
    return calls


def test_rows_in_equal_order_never_reach_the_join(tmp_path: Path, received: list[tuple[list[Row], list[Row]]]) -> None:
    rows = [row(str(number), weight=-0.0, document=" {}") for number in range(100)]
    twins = [{**each, "document": "{ }"} for each in rows]
    for seed in range(10):
        compared(KEYED, rows, twins, tmp_path, seed)
    assert received == [([], [])] * 10


def test_the_join_gets_only_what_comes_from_the_first_difference_on(
    tmp_path: Path, received: list[tuple[list[Row], list[Row]]]
) -> None:
    rows = [row(str(number)) for number in range(20)]
    other = [*rows[:12], {**rows[12], "note": "new"}, *rows[13:]]
    batches = [[batch(KEYED, side[at : at + 5]) for at in range(0, 20, 5)] for side in (rows, other)]
    found = compare_rows(KEYED, iter(batches[0]), iter(batches[1]), tmp_path)
    ids = [[each["id"] for each in side] for side in received[0]]
    assert ids == [[str(number) for number in range(10, 20)]] * 2
    assert (found.source_rows, found.target_rows) == (20, 20)


def test_an_error_of_a_stream_passes_through(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield batch(KEYED, [row("a")])
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        compare_rows(KEYED, broken(), in_batches(KEYED, [row("a"), row("b")]), tmp_path)
    assert list(tmp_path.iterdir()) == []
