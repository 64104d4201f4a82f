"""Every kind of change, applied by a role that owns the tables and nothing more: both sides end equal."""

import pytest

from odyssey_assets_tests.statements import ask_postgres, run_postgres
from odyssey_assets_tests.sync.changes import CASES, VOTE, VOTE_REST, Counts, copy_of
from odyssey_assets_tests.sync.dual_run import DualRun


def apart() -> list[tuple[str, ...]]:
    """The cases in groups of which no two change the same table, so that one sync shows what becomes of each."""
    groups: list[list[str]] = []
    for name, case in CASES.items():
        for group in groups:
            if all(case.expected.keys().isdisjoint(CASES[other].expected) for other in group):
                group.append(name)
                break
        else:
            groups.append([name])
    return [tuple(group) for group in groups]


@pytest.mark.parametrize("names", apart(), ids=", ".join)
def test_changes_converge(pair: DualRun, names: tuple[str, ...]) -> None:
    expected: Counts = {}
    for name in names:
        pair.change(*CASES[name].statements, enforced=CASES[name].enforced)
        expected |= CASES[name].expected
    synced = pair.converge()
    assert {each.name: (each.inserted, each.updated, each.deleted) for each in synced.values()} == expected


ALL_AT_ONCE = ("rows are updated and no timestamp moves", "three users pass e-mail addresses round",
               "a unique value moves from a deleted row to a new one", "a primary key changes and its children follow",
               "new rows refer forward, to themselves and in a ring", "the rows of a ring go",
               "a parent goes and its children had SET NULL", "rows without a primary key come, go and change",
               "preferences swap users and tokens", "memberships swap their pairs and one goes",
               "a foreign key moves to a parent that is new", "join rows come, go and are exchanged")  # fmt: skip


def test_everything_at_once_converges_and_back_again_read_in_full(pair: DualRun) -> None:
    before = pair.source.read_bytes()
    for name in ALL_AT_ONCE:
        pair.change(*CASES[name].statements, enforced=CASES[name].enforced)
    pair.forget_snapshots()
    there = pair.converge()
    pair.source.write_bytes(before)
    pair.forget_snapshots()
    back = pair.converge()
    assert len(there) > 15
    assert {name: (each.deleted, each.updated, each.inserted) for name, each in back.items()} == {
        name: (each.inserted, each.updated, each.deleted) for name, each in there.items()
    }
    assert pair.converge() == {}


def test_a_row_is_written_once_and_no_cascade_ever_finds_one(pair: DualRun) -> None:
    """Triggers of the team's own see every write: one for each row that differs, in the tables that differ."""
    triggers = (
        f'CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON "{table}" FOR EACH ROW EXECUTE FUNCTION audit.note();'
        for table in ("Vote", "Feedback", "Panel")
    )
    run_postgres(pair.uri, """
        CREATE SCHEMA audit; GRANT USAGE ON SCHEMA audit TO PUBLIC;
        CREATE TABLE audit.written ("table" text, "operation" text, "id" text);
        GRANT INSERT ON audit.written TO PUBLIC;
        CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO audit.written VALUES (TG_TABLE_NAME, TG_OP, coalesce(NEW."id", OLD."id"));
            RETURN NULL; END $$;""" + "".join(triggers))  # fmt: skip
    pair.change(
        """DELETE FROM "Feedback" WHERE "id" = 'Feedback-3'""",
        """UPDATE "Vote" SET "feedbackId" = 'Feedback-0' WHERE "id" = 'Vote-1'""",
        """UPDATE "Vote" SET "weight" = 3 WHERE "id" = 'Vote-2'""",
    )
    pair.converge()
    assert sorted(ask_postgres(pair.uri, "SELECT * FROM audit.written")) == [
        ("Feedback", "DELETE", "Feedback-3"), ("Vote", "DELETE", "Vote-3"), ("Vote", "UPDATE", "Vote-1"),
        ("Vote", "UPDATE", "Vote-2")]  # fmt: skip


def test_columns_of_the_targets_own_keep_what_they_hold(pair: DualRun) -> None:
    run_postgres(pair.uri, """ALTER TABLE "Vote" ADD "b" text DEFAULT 'new';
                              UPDATE "Vote" SET "b" = "id"; ALTER TABLE "User" ADD "b" text DEFAULT 'new';
                              UPDATE "User" SET "b" = "id" """)  # fmt: skip
    case = CASES["votes pass their pairs round"]
    pair.change(*case.statements, *CASES["two users swap e-mail addresses"].statements, enforced=False)
    pair.change(copy_of("Vote", VOTE, f"'Vote-4', 'Feedback-0', 'User-3', {VOTE_REST}", "\"id\" = 'Vote-0'"))
    pair.converge()
    assert ask_postgres(pair.uri, 'SELECT "id" FROM "Vote" WHERE "b" <> "id"') == [("Vote-4",)]
    assert ask_postgres(pair.uri, 'SELECT "id" FROM "User" WHERE "b" <> "id"') == []


def test_unique_indexes_of_the_teams_own_are_kept_in_force(pair: DualRun) -> None:
    run_postgres(pair.uri, """CREATE UNIQUE INDEX theirs ON "User" (lower("email"));
                              ALTER TABLE "Vote" ADD "tenant" int NOT NULL DEFAULT 1;
                              CREATE UNIQUE INDEX other ON "Vote" ("tenant", "userId", "feedbackId")""")  # fmt: skip
    pair.change(*CASES["three users pass e-mail addresses round"].statements)
    pair.change(*CASES["votes pass their pairs round"].statements, enforced=False)
    assert set(pair.converge()) == {"User", "Vote"}
