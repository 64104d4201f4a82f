"""The page about values names tests that exist, and a test for every hazard it lists."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "values.md"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows_of_tables() -> list[str]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("|") and "---" not in line and "shown by" not in line]


def names_of_tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_row_names_one_test() -> None:
    rows = rows_of_tables()
    assert len(rows) > 40
    assert [row for row in rows if len(NAMED.findall(row)) != 1] == []


def test_every_test_that_is_named_exists() -> None:
    named = [each for row in rows_of_tables() for each in NAMED.findall(row)]
    assert [each for each in named if each[1] not in names_of_tests(TESTS / each[0])] == []


def test_every_reason_the_engine_knows_is_explained() -> None:
    from odyssey_assets.preflight import keys, scan
    from odyssey_assets.source.values import Reason

    kinds = [*map(str, Reason), keys.ORPHAN, keys.DUPLICATE, scan.TOO_LONG_FOR_INDEX, scan.TOO_LONG_FOR_COLUMN]
    page = PAGE.read_text(encoding="utf-8")
    assert [kind for kind in kinds if f"`{kind}`" not in page] == []
