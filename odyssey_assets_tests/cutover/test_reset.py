"""Emptying the target: everything of Odyssey's and nothing else, and never the truth."""

import psycopg
import pytest

from odyssey_assets.cutover import store
from odyssey_assets.cutover.reset import reset_target
from odyssey_assets.cutover.steps import State
from odyssey_assets.errors import RefusedError
from odyssey_assets.model.schema import tables_in_order
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.cutover.switching import cutover_request
from odyssey_assets_tests.plain_source import PRISMA_TABLE
from odyssey_assets_tests.statements import ask_postgres, run_postgres
from odyssey_assets_tests.sync.dual_run import DualRun
from odyssey_assets_tests.sync.ordinary_role import as_role

TABLES = tuple(table.name for table in tables_in_order())
LEDGER = "SELECT (SELECT count(*) FROM odyssey_sync.publication), (SELECT count(*) FROM odyssey_sync.published_table)"
TYPES = "SELECT count(*) FROM pg_type WHERE typtype = 'e' AND typnamespace = 'public'::regnamespace"


@pytest.fixture
def target(pair: DualRun) -> TargetUrl:
    # Enums belong to who dropped them here as well; in an application's database one role has made both.
    run_postgres(
        pair.uri,
        """DO $$ DECLARE each record; BEGIN
        FOR each IN SELECT oid::regtype AS name FROM pg_type
                    WHERE typtype = 'e' AND typnamespace = 'public'::regnamespace LOOP
            EXECUTE format('ALTER TYPE %s OWNER TO table_owner', each.name);
        END LOOP; END $$""",
    )
    return parse_target_url(as_role(pair.uri))


def tables_there(uri: str) -> set[str]:
    return {name for (name,) in ask_postgres(uri, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def test_tables_of_our_own_are_dropped_and_made_again(pair: DualRun, target: TargetUrl) -> None:
    run_postgres(pair.uri, "CREATE TABLE team_notes (a integer)")
    reset = reset_target(target)
    assert (set(reset.tables), reset.were_dropped) == (set(TABLES), True)
    assert tables_there(pair.uri) == {"team_notes"}
    assert ask_postgres(pair.uri, TYPES) == [(0,)]
    assert ask_postgres(pair.uri, LEDGER) == [(0, 0)]
    assert reset_target(target).tables == ()
    run_postgres(pair.uri, "GRANT CREATE ON SCHEMA public TO table_owner")
    assert pair.sync().problem is None
    assert pair.differences() == []


def test_tables_that_prisma_made_are_emptied_and_stay(pair: DualRun, target: TargetUrl) -> None:
    run_postgres(pair.uri, PRISMA_TABLE.replace("DATETIME", "timestamptz").replace("INTEGER UNSIGNED", "integer"))
    before = tables_there(pair.uri)
    assert not reset_target(target).were_dropped
    assert tables_there(pair.uri) == before
    assert ask_postgres(pair.uri, 'SELECT count(*) FROM "User"') == [(0,)]
    assert ask_postgres(pair.uri, LEDGER) == [(0, 0)]
    assert pair.sync().problem is None
    assert pair.differences() == []


def test_it_is_refused_while_anyone_is_connected(pair: DualRun, target: TargetUrl) -> None:
    with psycopg.connect(as_role(pair.uri), application_name="odyssey-web") as other:
        pid = other.info.backend_pid
        with pytest.raises(
            RefusedError, match=rf"Others are connected to this database: pid {pid} \(odyssey-web"
        ) as no:
            reset_target(target)
        assert no.value.exit_status == 3
    # Of another role's session little is to be seen, but enough.
    with (
        psycopg.connect(pair.uri) as other,
        pytest.raises(RefusedError, match=rf"pid {other.info.backend_pid} \(application not visible .*, user "),
    ):
        reset_target(target)
    assert tables_there(pair.uri) >= set(TABLES)


def test_it_is_refused_while_postgresql_is_the_truth(pair: DualRun, target: TargetUrl) -> None:
    request = cutover_request(pair)
    begun = store.begin(request.target, source_path=str(pair.source), is_rehearsal=False, seals_source=True)
    for state in (State.SWITCHING, State.SWITCHED, State.FINISHED):
        store.change_state(request.target, begun, state)
        with pytest.raises(RefusedError, match="PostgreSQL is the truth"):
            reset_target(target)
    store.change_state(request.target, begun, State.ROLLED_BACK)
    assert reset_target(target).were_dropped
    # Which cut-overs there were stays on record.
    found = store.newest_cutover(request.target)
    assert found is not None
    assert found.id == begun.id


def test_what_a_team_has_hung_onto_the_tables_is_not_taken_away(pair: DualRun, target: TargetUrl) -> None:
    run_postgres(
        pair.uri,
        """CREATE VIEW team_view AS SELECT "id" FROM "User";
        CREATE TABLE team_notes ("userId" text REFERENCES "User" ("id"))""",
    )
    with pytest.raises(RefusedError, match="Others depend on the tables of Odyssey: team_notes, team_view"):
        reset_target(target)
    assert tables_there(pair.uri) >= set(TABLES)
    assert ask_postgres(pair.uri, LEDGER) != [(0, 0)]


def test_an_empty_database_is_empty_already(database_uri: str) -> None:
    assert reset_target(parse_target_url(database_uri)).tables == ()
