"""The engine's own reading of a PostgreSQL schema, held against the facts and against planted oddities."""

import psycopg
import pytest

from odyssey_assets.target.catalog import TargetCatalog, TargetIndex, TargetTable, read_catalog
from odyssey_assets.target.connection import connect, execute
from odyssey_assets.target.url import TargetUrl, parse_target_url
from odyssey_assets_tests.oracle import facts_for
from odyssey_assets_tests.statements import prisma_sql, run_postgres


def catalog_of(target: TargetUrl, schema: str = "public") -> TargetCatalog:
    with connect(target, read_only=True) as connection:
        return read_catalog(connection, schema)


def table_of(target: TargetUrl, name: str = "t") -> TargetTable:
    return catalog_of(target).tables[name]


def as_facts(table: TargetTable) -> dict[str, object]:
    """A table in the shape of the facts, everything this catalog does not keep left out."""
    primary = [{"name": index.name, "columns": list(index.columns)} for index in table.indexes if index.is_primary]
    return {
        "columns": [
            {
                "name": column.name,
                "postgres_type": column.type_name if column.labels else column.type_text,
                "nullable": not column.is_required,
                "postgres_default": column.default,
            }
            for column in table.columns
        ],
        "primary_key": primary[0] if primary else None,
        "foreign_keys": [
            {
                "name": key.name,
                "columns": list(key.columns),
                "references": key.parent,
                "referenced_columns": list(key.parent_columns),
                "on_delete": key.on_delete,
                "on_update": key.on_update,
                "deferrable": False,
                "validated": key.is_validated,
            }
            for key in sorted(table.foreign_keys, key=lambda key: key.name)
        ],
        "indexes": sorted(
            (
                {"name": index.name, "columns": list(index.columns), "unique": index.is_unique}
                for index in table.indexes
                if not index.is_primary
            ),
            key=lambda index: str(index["name"]),
        ),
    }


@pytest.mark.parametrize("version", [1, 3, 5])
def test_the_applications_schema_is_read_as_the_facts_have_it(database_uri: str, version: int) -> None:
    run_postgres(database_uri, prisma_sql(version))
    found = catalog_of(parse_target_url(database_uri))
    facts = facts_for(version)
    assert {name: list(labels) for name, labels in found.enums.items()} == facts["enums"]
    assert {name: as_facts(table) for name, table in found.tables.items()} == facts["tables"]


def test_every_server_gives_the_same_catalog(every_database_uri: str) -> None:
    run_postgres(every_database_uri, prisma_sql(5))
    found = catalog_of(parse_target_url(every_database_uri))
    assert {name: as_facts(table) for name, table in found.tables.items()} == facts_for(5)["tables"]


def test_a_schema_that_is_not_there_is_empty_and_says_so(target: TargetUrl) -> None:
    assert catalog_of(target, "nowhere") == TargetCatalog("nowhere", False, {}, {})
    assert catalog_of(target) == TargetCatalog("public", True, {}, {})


def test_another_schema_of_the_same_names_is_left_alone(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE SCHEMA o; CREATE TYPE e AS ENUM ('a'); CREATE TYPE o.e AS ENUM ('b'); "
                 "CREATE TABLE t (x e); CREATE TABLE o.t (x o.e, y int)")  # fmt: skip
    assert [column.labels for column in table_of(target).columns] == [("a",)]
    assert [column.labels for column in catalog_of(target, "o").tables["t"].columns] == [("b",), ()]


@pytest.mark.parametrize(
    ("definition", "columns", "is_unique"),
    [
        ("UNIQUE INDEX i ON t (b, a)", ("b", "a"), True),
        ("UNIQUE INDEX i ON t (a) INCLUDE (b)", ("a",), True),
        ("UNIQUE INDEX i ON t (a) WHERE b IS NOT NULL", ("a",), False),
        ("UNIQUE INDEX i ON t (a, lower(b))", ("a", ""), True),
        ("INDEX i ON t (a DESC)", ("a",), False),
        ("INDEX i ON t USING hash (a)", ("a",), False),
    ],
    ids=["unique", "include", "partial", "expression", "descending", "hash"],
)
def test_an_index_is_read(target: TargetUrl, definition: str, columns: tuple[str, ...], is_unique: bool) -> None:
    run_postgres(target.uri, f"CREATE TABLE t (a text, b text); CREATE {definition}")
    (index,) = table_of(target).indexes
    using = definition.replace("i ON t (", "i ON public.t USING btree (").replace("i ON t U", "i ON public.t U")
    expected = "CREATE " + using.replace("WHERE b IS NOT NULL", "WHERE (b IS NOT NULL)")
    assert index == TargetIndex("i", columns, is_unique, False, expected, None, True)


def test_a_constraint_with_an_index_keeps_its_definition(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (a int, CONSTRAINT u UNIQUE (a) DEFERRABLE INITIALLY DEFERRED)")
    (index,) = table_of(target).indexes
    assert (index.name, index.constraint) == ("u", "UNIQUE (a) DEFERRABLE INITIALLY DEFERRED")


def test_an_index_left_invalid_is_known(target: TargetUrl) -> None:
    with psycopg.connect(target.uri, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (a text); INSERT INTO t VALUES ('x'), ('x')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)")
    assert [index.is_valid for index in table_of(target).indexes] == [False]


def test_a_key_that_was_never_validated_is_known(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE t (a int); "
                 "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES p NOT VALID")  # fmt: skip
    (key,) = table_of(target).foreign_keys
    assert (key.is_validated, key.on_delete, key.definition) == (
        False,
        "NO ACTION",
        "FOREIGN KEY (a) REFERENCES p(a) NOT VALID",
    )


def test_triggers_of_the_users_own_are_known_and_those_of_foreign_keys_are_not_counted(target: TargetUrl) -> None:
    run_postgres(target.uri, """CREATE TABLE t (a int); CREATE TABLE plain (a int PRIMARY KEY, b int REFERENCES plain);
        CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
    """)  # fmt: skip
    assert (table_of(target).has_triggers, table_of(target, "plain").has_triggers) == (True, False)


def test_whose_a_table_is_is_asked_for_the_role_at_work(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (a int); CREATE TABLE theirs (a int); ALTER TABLE t OWNER TO pg_monitor")
    with connect(target) as connection:
        execute(connection, "SET LOCAL ROLE pg_monitor")
        tables = read_catalog(connection, "public").tables
    assert (tables["t"].is_owned, tables["theirs"].is_owned) == (True, False)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE SCHEMA o; CREATE TABLE o.c (a int REFERENCES t)",
        "CREATE VIEW v AS SELECT a, b FROM t GROUP BY a",
        "COMMENT ON INDEX i IS 'why'",
        "COMMENT ON CONSTRAINT t_pkey ON t IS 'why'",
        "CREATE TABLE c (a int CONSTRAINT f REFERENCES t); COMMENT ON CONSTRAINT f ON c IS 'why'",
        "CLUSTER t USING t_pkey",
        "ALTER TABLE t REPLICA IDENTITY USING INDEX u",
    ],
    ids=["other schema", "view", "index comment", "key comment", "reference comment", "clustered", "replica identity"],
)
def test_what_a_rebuild_would_lose_is_known(target: TargetUrl, change: str) -> None:
    run_postgres(target.uri, "CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL); CREATE INDEX i ON t (b); "
                 "CREATE UNIQUE INDEX u ON t (b); CREATE VIEW w AS SELECT b FROM t")  # fmt: skip
    assert table_of(target).is_rebuildable is True
    run_postgres(target.uri, change)
    assert table_of(target).is_rebuildable is False


def test_columns_that_are_gone_or_computed_are_left_out(target: TargetUrl) -> None:
    run_postgres(target.uri, "CREATE TABLE t (a int, gone int, c text GENERATED ALWAYS AS ('x') STORED, d varchar(9)); "
                 "ALTER TABLE t DROP COLUMN gone; CREATE VIEW v AS SELECT 1 AS a")  # fmt: skip
    catalog = catalog_of(target)
    assert list(catalog.tables) == ["t"]
    assert [(column.name, column.type_name, column.type_text) for column in catalog.tables["t"].columns] == [
        ("a", "integer", "integer"),
        ("d", "character varying", "character varying(9)"),
    ]
