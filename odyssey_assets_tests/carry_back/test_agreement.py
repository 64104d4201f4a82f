"""Tables and columns that the base has no place for are named, and lost only where that was allowed by name."""

import pytest

from odyssey_assets.carry_back.run import carry_back
from odyssey_assets.errors import EXIT_INTEGRITY
from odyssey_assets_tests.carry_back.way_back import WayBack
from odyssey_assets_tests.statements import ask_sqlite


@pytest.mark.parametrize(
    ("edit", "table", "column"),
    [
        ('CREATE TABLE "Later" (id text PRIMARY KEY); INSERT INTO "Later" VALUES (1)', "Later", None),
        (
            """ALTER TABLE "User" ADD "later" text; UPDATE "User" SET "later" = 'x' WHERE id = 'User-1'""",
            "User",
            "later",
        ),
        ('ALTER TABLE "User" ADD "later" timestamp DEFAULT CURRENT_TIMESTAMP', "User", "later"),
        ('ALTER TABLE "User" ADD "later" serial', "User", "later"),
        ("""ALTER TABLE "User" ADD "later" text DEFAULT 'a'; UPDATE "User" SET "later" = ''""", "User", "later"),
        ('ALTER TABLE "User" DROP "bio"', "User", "bio"),
        ('DROP TABLE "AuditLog"', "AuditLog", None),
        ('ALTER TABLE "Vote" ALTER weight TYPE numeric', "Vote", "weight"),
    ],
)
def test_what_would_be_lost_is_named(pair: WayBack, edit: str, table: str, column: str | None) -> None:
    pair.edit(f"{edit}; {GRANT}")
    refusal = pair.refused()
    assert (refusal.exit_status, refusal.table, refusal.column) == (EXIT_INTEGRITY, table, column)


GRANT = "GRANT ALL ON ALL TABLES IN SCHEMA public TO table_owner"


@pytest.mark.parametrize(
    ("edit", "allowed"),
    [
        ('CREATE TABLE "Later" (id text PRIMARY KEY); INSERT INTO "Later" VALUES (1)', "Later"),
        ("""ALTER TABLE "User" ADD "later" text NOT NULL DEFAULT ''; UPDATE "User" SET "later" = 'x'""", "User.later"),
        ('DROP TABLE "AuditLog"', "AuditLog"),
    ],
)
def test_what_was_allowed_by_name_is_left(pair: WayBack, edit: str, allowed: str) -> None:
    pair.edit(f"""{edit}; UPDATE "User" SET "displayName" = 'carried'""")
    with carry_back(pair.request(allowed_losses=frozenset({allowed}))) as carried:
        pass
    assert ask_sqlite(pair.new_file, 'SELECT DISTINCT "displayName" FROM "User"') == [("carried",)]
    assert carried.stayed == (("AuditLog",) if allowed == "AuditLog" else ())


def test_what_holds_nothing_of_its_own_is_no_loss(pair: WayBack) -> None:
    pair.edit(f"""
        CREATE TABLE "Later" (id text PRIMARY KEY);
        ALTER TABLE "User" ADD "later" text, ADD "flag" boolean NOT NULL DEFAULT true,
            ADD "number" double precision DEFAULT 1.0, ADD "role2" "Role" DEFAULT 'USER';
        {GRANT}
    """)
    pair.carry_back()
