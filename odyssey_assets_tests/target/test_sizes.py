"""Sizes are PostgreSQL's own, of every table of one schema."""

from odyssey_assets.target.connection import connect
from odyssey_assets.target.sizes import table_sizes
from odyssey_assets.target.url import parse_target_url
from odyssey_assets_tests.statements import ask_postgres, run_postgres


def test_every_table_is_weighed_with_its_indexes_and_large_values(database_uri: str) -> None:
    run_postgres(
        database_uri,
        """
        CREATE TABLE "Small" (a text PRIMARY KEY);
        CREATE TABLE "Large" (a text);
        ALTER TABLE "Large" ALTER a SET STORAGE EXTERNAL;
        INSERT INTO "Large" VALUES (repeat('x', 1000000));
        CREATE SCHEMA other;
        CREATE TABLE other."Elsewhere" (a text);
        CREATE VIEW looked AS SELECT * FROM "Small";
        """,
    )
    with connect(parse_target_url(database_uri), read_only=True) as connection:
        sizes = table_sizes(connection, "public")
    assert sizes.keys() == {"Small", "Large"}
    assert sizes["Large"] > 1_000_000
    assert [(sizes["Small"],)] == ask_postgres(database_uri, """SELECT pg_total_relation_size('"Small"')""")
