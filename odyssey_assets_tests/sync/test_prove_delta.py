"""The sum that proves a quick sync: it does not come out when anything beyond the changed rows moved."""

import pytest

from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.statements import run_postgres
from odyssey_assets_tests.sync.dual_run import DualRun

RENAME = """UPDATE "Village" SET "name" = 'renamed' WHERE "id" = 'Village-1'"""
TRIGGER = """
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
CREATE TRIGGER meddle {moment} ON "Village" FOR EACH ROW WHEN (NEW.name = 'renamed') EXECUTE FUNCTION meddle();
"""


@pytest.mark.parametrize(
    ("moment", "body", "row"),
    [
        pytest.param("BEFORE UPDATE", "NEW.name = 'meddled'; RETURN NEW;", "Village-1", id="the changed row itself"),
        pytest.param(
            "AFTER UPDATE",
            """UPDATE "Village" SET name = 'meddled' WHERE id = 'Village-3'; RETURN NULL;""",
            "Village-3",
            id="another row",
        ),
        pytest.param(
            "AFTER UPDATE",
            """INSERT INTO "Village" SELECT 'Village-new', 'meddled', "createdAt", "updatedAt" FROM "Village"
               WHERE id = 'Village-3'; RETURN NULL;""",
            "Village-new",
            id="a new row",
        ),
        pytest.param(
            "AFTER UPDATE",
            """UPDATE "Badge" SET name = 'meddled' WHERE id = 'Badge-3'; RETURN NULL;""",
            "Badge-3",
            id="a table that has nothing to do with it",
        ),
    ],
)
def test_what_a_trigger_did_besides_is_found_named_and_not_committed(
    pair: DualRun, moment: str, body: str, row: str
) -> None:
    run_postgres(pair.uri, TRIGGER.format(moment=moment, body=body))
    pair.change(RENAME)
    before = dump(pair.uri)
    outcome = pair.sync()
    assert outcome.problem is not None
    assert row.partition("-")[0] in outcome.problem
    listed = [each for table in outcome.tables if table.comparison for each in table.comparison.listed]
    assert row in {each.key["id"] for each in listed}
    assert dump(pair.uri) == before
    run_postgres(pair.uri, "DROP FUNCTION meddle() CASCADE")
    pair.converge()


def test_a_null_that_was_lost_among_the_changed_rows_is_counted(pair: DualRun) -> None:
    run_postgres(
        pair.uri,
        """
        CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW."iconUrl" = ''; RETURN NEW; END $$;
        CREATE TRIGGER fill BEFORE UPDATE ON "Badge" FOR EACH ROW EXECUTE FUNCTION fill()""",
    )
    pair.change("""UPDATE "Badge" SET "iconUrl" = NULL, "name" = 'changed' WHERE "id" = 'Badge-1'""")
    outcome = pair.sync()
    (badge,) = (table for table in outcome.tables if table.name == "Badge")
    assert badge.comparison is not None
    assert badge.comparison.basis.startswith("4 rows on changed pages read")
    assert {check.name.value for check in badge.checks if not check.passed} == {"nulls", "rows_equal"}


def test_the_same_change_without_meddling_is_proven_by_its_rows_alone(pair: DualRun) -> None:
    pair.change(RENAME, """INSERT INTO "Village" VALUES ('Village-new', 'new', 1, 2)""")
    outcome = pair.sync()
    (village,) = (table for table in outcome.tables if table.name == "Village")
    assert village.comparison is not None
    assert village.comparison.basis.startswith("5 rows on changed pages read")
    assert (village.inserted, village.updated, village.target_rows) == (1, 1, 5)
    assert (outcome.problem, pair.differences()) == (None, [])
