"""Rows that take no part in a run are never reached by its deletes and key changes: it is refused and names them."""

from pathlib import Path

import pytest

from odyssey_assets.errors import RefusedError
from odyssey_assets.target.embedded import EmbeddedServer
from odyssey_assets_tests.oracle import dump
from odyssey_assets_tests.plain_source import write_database
from odyssey_assets_tests.statements import ask_postgres, run_postgres, run_sqlite
from odyssey_assets_tests.sync.dual_run import DualRun
from odyssey_assets_tests.sync.ordinary_role import ROLE, owned_database

DELETE_VILLAGE = """DELETE FROM "Village" WHERE "id" = 'Village-1'"""


def refusal(pair: DualRun, tables: frozenset[str] | None = None) -> RefusedError:
    """The refusal of a sync that must change nothing."""
    before = dump(pair.uri)
    with pytest.raises(RefusedError) as raised:
        pair.sync(**({} if tables is None else {"publish": tables}))
    assert dump(pair.uri) == before
    assert (raised.value.exit_status, "nothing was changed" in raised.value.hint) == (3, True)
    return raised.value


def test_a_delete_that_reaches_a_table_left_out_names_it(pair: DualRun) -> None:
    pair.change(DELETE_VILLAGE)
    refused = refusal(pair, frozenset({"Village"}))
    assert refused.table == "Village"
    assert refused.message == ("Rows of Village have to be deleted or get other keys, and Feedback.villageId has rows "
                               "that refer to them and take no part in this run.")  # fmt: skip
    assert "--tables Village,Feedback" in refused.hint
    assert "--tables Village,User" in refusal(pair, frozenset({"Village", "Feedback"})).hint
    assert pair.sync(publish=frozenset({"Village", "Feedback", "User"})).ok
    assert pair.differences() == []


def test_a_changed_key_reaches_as_far_as_a_delete(pair: DualRun) -> None:
    pair.change("""UPDATE "Village" SET "id" = 'renamed' WHERE "id" = 'Village-1'""")
    assert "Feedback.villageId" in refusal(pair, frozenset({"Village"})).message


def test_a_delete_that_reaches_nobody_is_no_matter(pair: DualRun) -> None:
    pair.change("""DELETE FROM "Village" WHERE "id" = 'Village-3'""")
    assert pair.sync(publish=frozenset({"Village"})).ok
    assert pair.differences() == []


@pytest.mark.parametrize("action", ["CASCADE", "RESTRICT"])
def test_a_table_odyssey_does_not_know_is_not_reached(pair: DualRun, action: str) -> None:
    run_postgres(
        pair.uri,
        f"""CREATE TABLE theirs (v text REFERENCES "Village" ON DELETE {action});
                               GRANT SELECT ON theirs TO PUBLIC; INSERT INTO theirs VALUES ('Village-1'), (NULL)""",
    )
    pair.change(DELETE_VILLAGE)
    refused = refusal(pair)
    assert "theirs.v has rows that refer to them" in refused.message
    assert "SQLite has no such table" in refused.hint
    run_postgres(pair.uri, "UPDATE theirs SET v = 'Village-2'")
    assert pair.sync().ok
    assert ask_postgres(pair.uri, "SELECT v FROM theirs") == [("Village-2",)] * 2


def test_a_table_of_another_schema_is_not_reached(pair: DualRun) -> None:
    run_postgres(pair.uri, f"""CREATE SCHEMA other; GRANT USAGE ON SCHEMA other TO {ROLE};
        CREATE TABLE other."User" ("currentVillageId" text REFERENCES "Village" ON DELETE CASCADE);
        GRANT SELECT ON other."User" TO {ROLE}; INSERT INTO other."User" VALUES ('Village-1')""")  # fmt: skip
    pair.change(DELETE_VILLAGE)
    assert "other.User.currentVillageId has rows" in refusal(pair).message
    run_postgres(pair.uri, """DELETE FROM other."User" """)
    pair.change("""DELETE FROM "Village" WHERE "id" = 'Village-0'""")
    assert pair.sync().ok
    assert pair.differences() == []


def test_a_namesake_in_another_schema_is_not_taken_for_ours(pair: DualRun) -> None:
    run_postgres(pair.uri, f"""CREATE SCHEMA other; GRANT USAGE ON SCHEMA other TO {ROLE};
        CREATE TABLE other."CollaborationComment" ("sessionId" text REFERENCES "CollaborationSession");
        GRANT SELECT ON other."CollaborationComment" TO {ROLE}""")  # fmt: skip
    pair.change(
        """UPDATE "CollaborationComment" SET "sessionId" = 'CollaborationSession-0'""",
        """DELETE FROM "CollaborationSession" WHERE "id" = 'CollaborationSession-3'""",
    )
    pair.converge()


def test_a_table_that_may_not_be_read_counts_as_full(pair: DualRun) -> None:
    run_postgres(pair.uri, 'CREATE SCHEMA other; CREATE TABLE other.v (v text REFERENCES "Village" ON DELETE CASCADE)')
    pair.change("""UPDATE "Village" SET "name" = 'x'""")
    assert pair.sync().ok
    pair.change(DELETE_VILLAGE)
    assert "other.v.v may have rows" in refusal(pair).message


def test_a_value_that_others_refer_to_is_not_changed_under_them(pair: DualRun) -> None:
    """Its placeholder would travel along ON UPDATE CASCADE."""
    run_postgres(pair.uri, """CREATE TABLE theirs (e text REFERENCES "User" ("email") ON UPDATE CASCADE);
                              GRANT SELECT ON theirs TO PUBLIC; INSERT INTO theirs VALUES ('email 1')""")  # fmt: skip
    pair.change("""UPDATE "User" SET "bio" = 'x'""", """UPDATE "User" SET "email" = 'y' WHERE "id" = 'User-2'""")
    assert pair.sync().ok
    pair.change("""UPDATE "User" SET "email" = 'x' WHERE "id" = 'User-1'""")
    assert "theirs.e has rows" in refusal(pair).message
    assert ask_postgres(pair.uri, "SELECT e FROM theirs") == [("email 1",)]


def test_votes_that_others_refer_to_are_not_replaced_and_all_others_are(pair: DualRun) -> None:
    run_postgres(pair.uri, """CREATE TABLE theirs (v text REFERENCES "Vote" ON DELETE CASCADE);
                              GRANT SELECT ON theirs TO PUBLIC; INSERT INTO theirs VALUES ('Vote-3')""")  # fmt: skip
    swap = (
        """UPDATE "Vote" SET "feedbackId" = 'x' WHERE "id" = 'Vote-{0}'""",
        """UPDATE "Vote" SET "feedbackId" = 'Feedback-{0}', "userId" = 'User-{0}' WHERE "id" = 'Vote-{1}'""",
        """UPDATE "Vote" SET "feedbackId" = 'Feedback-{1}', "userId" = 'User-{1}' WHERE "id" = 'Vote-{0}'""",
    )
    pair.change(*(statement.format(0, 1) for statement in swap), enforced=False)
    pair.change("""UPDATE "Vote" SET "id" = 'again' WHERE "id" = 'Vote-2'""",
                """UPDATE "Vote" SET "feedbackId" = 'Feedback-0' WHERE "id" = 'Vote-3'""")  # fmt: skip
    assert pair.sync().ok
    assert ask_postgres(pair.uri, "SELECT v FROM theirs") == [("Vote-3",)]
    pair.change(
        """UPDATE "Vote" SET "userId" = 'User-2' WHERE "id" = 'Vote-3'""",
        """UPDATE "Vote" SET "feedbackId" = 'Feedback-0', "userId" = 'User-3' WHERE "id" = 'again'""",
    )
    assert "theirs.v has rows" in refusal(pair).message


@pytest.mark.usefixtures("template")
def test_rows_of_a_table_the_source_is_too_old_for_are_not_reached(server: EmbeddedServer, tmp_path: Path) -> None:
    source = write_database(tmp_path / "odyssey.db", version=4)
    with owned_database(server) as uri:
        pair = DualRun(tmp_path, source, uri)
        assert pair.sync().ok
        run_postgres(uri, """INSERT INTO "NotificationPreferences" ("id", "userId", "unsubscribeToken", "updatedAt")
                             VALUES ('x', 'User-1', 'x', now())""")  # fmt: skip
        pair.change("""UPDATE "User" SET "id" = 'renamed' WHERE "id" = 'User-1'""")
        refused = refusal(pair)
        assert "NotificationPreferences.userId has rows" in refused.message
        assert "SQLite has no such table" in refused.hint


def test_a_column_that_sqlite_lacks_is_not_reached(pair: DualRun) -> None:
    run_sqlite(pair.source, 'CREATE TABLE new AS SELECT * FROM "Session"')
    names = [name for (name,) in ask_postgres(pair.uri, "SELECT attname FROM pg_attribute WHERE attnum > 0 "
             """AND attrelid = '"Session"'::regclass AND attname <> 'panelId'""")]  # fmt: skip
    listed = ", ".join(f'"{name}"' for name in names)
    run_sqlite(pair.source, 'ALTER TABLE "Session" RENAME TO old',
               f'CREATE TABLE "Session" AS SELECT {listed} FROM new', "DROP TABLE new", "DROP TABLE old",
               """DELETE FROM "PanelMembership" WHERE "panelId" = 'Panel-1'""",
               """DELETE FROM "_PanelToQuestionnaire" WHERE "A" = 'Panel-1'""",
               """DELETE FROM "Panel" WHERE "id" = 'Panel-1'""")  # fmt: skip
    refused = refusal(pair)
    assert "Session.panelId has rows" in refused.message
    assert "SQLite has no such column" in refused.hint
