"""The tables a transaction wrote to: statements, cascades and triggers alike, and nobody else's."""

import psycopg
import pytest

from odyssey_assets.target.connection import connect, execute
from odyssey_assets.target.url import parse_target_url
from odyssey_assets.target.written import written_tables

SCHEMA = """
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (id int, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE log (id int);
CREATE TABLE other (id int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (1); RETURN NULL; END $$;
CREATE TRIGGER note AFTER DELETE ON child FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (1, 1);
"""


@pytest.mark.parametrize(
    ("statement", "written"),
    [
        ("SELECT 1", set()),
        ("INSERT INTO other VALUES (1)", {"other"}),
        ("UPDATE parent SET id = 3 WHERE id = 1", {"parent", "child"}),
        ("DELETE FROM parent WHERE id = 1", {"parent", "child", "log"}),
        ("DELETE FROM parent WHERE id = 2", {"parent"}),
        ("DELETE FROM parent WHERE id = 9", set()),
    ],
)
def test_cascades_and_triggers_are_told_like_any_statement(
    every_database_uri: str, statement: str, written: set[str]
) -> None:
    with psycopg.connect(every_database_uri) as connection:
        connection.execute(SCHEMA)
    with connect(parse_target_url(every_database_uri)) as connection, psycopg.connect(every_database_uri) as somebody:
        somebody.execute("INSERT INTO other VALUES (2)")
        somebody.commit()
        if statement != "SELECT 1":
            execute(connection, statement)
        assert written_tables(connection, "public") == frozenset(written)


def test_where_postgresql_does_not_count_nothing_is_claimed(database_uri: str) -> None:
    with psycopg.connect(database_uri, autocommit=True) as connection:
        connection.execute(SCHEMA)
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET track_counts = off")
    with connect(parse_target_url(database_uri)) as connection:
        execute(connection, "INSERT INTO other VALUES (1)")
        assert written_tables(connection, "public") is None
