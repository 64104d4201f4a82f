"""The catalog reader: what it says of a small schema, and that nothing beyond the facts' shape goes unseen."""

import psycopg
import pytest

from odyssey_assets_tests.oracle import catalog, facts_for

SCHEMA_SQL = """
CREATE TYPE "Role" AS ENUM ('USER', 'ADMIN', 'MODERATOR');
CREATE TABLE "User" (
    "id" TEXT NOT NULL, "role" "Role" NOT NULL DEFAULT 'USER', "weight" DOUBLE PRECISION NOT NULL DEFAULT 1.0,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "note" TEXT DEFAULT '[]',
    CONSTRAINT "User_pkey" PRIMARY KEY ("id"));
CREATE TABLE "Vote" (
    "userId" TEXT NOT NULL, "feedbackId" TEXT NOT NULL,
    CONSTRAINT "Vote_pkey" PRIMARY KEY ("feedbackId", "userId"));
CREATE TABLE "_prisma_migrations" ("id" TEXT);
CREATE UNIQUE INDEX "Vote_userId_feedbackId_key" ON "Vote" ("userId", "feedbackId");
CREATE INDEX "User_role_idx" ON "User" ("role");
ALTER TABLE "Vote" ADD CONSTRAINT "Vote_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id")
    ON DELETE SET NULL ON UPDATE CASCADE;
"""


def column(name: str, postgres_type: str, *, nullable: bool = False, default: str | None = None) -> dict[str, object]:
    return {"name": name, "postgres_type": postgres_type, "nullable": nullable, "postgres_default": default}


EXPECTED = {
    "enums": {"Role": ["USER", "ADMIN", "MODERATOR"]},
    "tables": {
        "User": {
            "columns": [
                column("id", "text"),
                column("role", "Role", default="'USER'::\"Role\""),
                column("weight", "double precision", default="1.0"),
                column("createdAt", "timestamp(3) without time zone", default="CURRENT_TIMESTAMP"),
                column("note", "text", nullable=True, default="'[]'::text"),
            ],
            "primary_key": {"name": "User_pkey", "columns": ["id"]},
            "foreign_keys": [],
            "indexes": [{"name": "User_role_idx", "columns": ["role"], "unique": False}],
        },
        "Vote": {
            "columns": [column("userId", "text"), column("feedbackId", "text")],
            "primary_key": {"name": "Vote_pkey", "columns": ["feedbackId", "userId"]},
            "foreign_keys": [
                {
                    "name": "Vote_userId_fkey",
                    "columns": ["userId"],
                    "references": "User",
                    "referenced_columns": ["id"],
                    "on_delete": "SET NULL",
                    "on_update": "CASCADE",
                    "deferrable": False,
                    "validated": True,
                }
            ],
            "indexes": [{"name": "Vote_userId_feedbackId_key", "columns": ["userId", "feedbackId"], "unique": True}],
        },
    },
}


@pytest.mark.parametrize("schema", ["public", "Odd schema"])
def test_the_catalog_of_a_schema_has_the_shape_of_the_facts(database_uri: str, schema: str) -> None:
    with psycopg.connect(database_uri) as connection:
        connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"; SET LOCAL search_path = "{schema}"; {SCHEMA_SQL}')
    assert catalog(database_uri, schema) == EXPECTED
    assert catalog(database_uri, "nowhere") == {"enums": {}, "tables": {}}


@pytest.mark.parametrize(
    ("change", "other"),
    [
        (
            """CREATE INDEX "i" ON "User" ("note") WHERE "note" = ''""",
            """i: CREATE INDEX i ON public."User" USING btree (note) WHERE (note = ''::text)""",
        ),
        ('CREATE INDEX "i" ON "User" (lower("note"))', 'i: CREATE INDEX i ON public."User" USING btree (lower(note))'),
        ('CREATE INDEX "i" ON "User" ("note" DESC)', 'i: CREATE INDEX i ON public."User" USING btree (note DESC)'),
        ('CREATE INDEX "i" ON "User" USING hash ("note")', 'i: CREATE INDEX i ON public."User" USING hash (note)'),
        ('ALTER TABLE "User" ADD CONSTRAINT "u" UNIQUE ("note")', "u: UNIQUE (note)"),
        ('ALTER TABLE "User" ADD CONSTRAINT "c" CHECK ("weight" > 0)', "c: CHECK ((weight > (0)::double precision))"),
        ('ALTER TABLE "User" ADD COLUMN "n" integer GENERATED ALWAYS AS IDENTITY', "n: a"),
        ('ALTER TABLE "User" ALTER COLUMN "note" TYPE text COLLATE "C"', "note: own collation"),
        (
            'ALTER TABLE "User" ADD CONSTRAINT "f" FOREIGN KEY ("note") REFERENCES "User" ("id") MATCH FULL',
            'f: FOREIGN KEY (note) REFERENCES "User"(id) MATCH FULL',
        ),
        (
            'ALTER TABLE "User" ADD CONSTRAINT "f" FOREIGN KEY ("note") REFERENCES "User" '
            'DEFERRABLE INITIALLY DEFERRED',
            'f: FOREIGN KEY (note) REFERENCES "User"(id) DEFERRABLE INITIALLY DEFERRED',
        ),
        (
            'CREATE SCHEMA s; CREATE TABLE s.t (id text PRIMARY KEY); '
            'ALTER TABLE "User" ADD CONSTRAINT "f" FOREIGN KEY ("note") REFERENCES s.t',
            "f: FOREIGN KEY (note) REFERENCES s.t(id)",
        ),
        (
            'CREATE TRIGGER "g" BEFORE UPDATE ON "User" FOR EACH ROW '
            'EXECUTE FUNCTION suppress_redundant_updates_trigger()',
            'CREATE TRIGGER g BEFORE UPDATE ON public."User" FOR EACH ROW '
            'EXECUTE FUNCTION suppress_redundant_updates_trigger()',
        ),
    ],
    ids=["partial", "expression", "descending", "hash", "unique", "check", "identity", "collation", "match",
         "deferred", "other schema", "trigger"],
)  # fmt: skip
def test_what_the_facts_cannot_express_is_shown(database_uri: str, change: str, other: str) -> None:
    with psycopg.connect(database_uri) as connection:
        connection.execute(SCHEMA_SQL + change)
    assert catalog(database_uri)["tables"]["User"]["other"] == [other]


def test_an_index_left_invalid_is_shown(database_uri: str) -> None:
    with psycopg.connect(database_uri, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (a text); INSERT INTO t VALUES ('x'), ('x')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)")
    assert catalog(database_uri)["tables"]["t"]["other"] == ["i: CREATE UNIQUE INDEX i ON public.t USING btree (a)"]


@pytest.mark.parametrize(
    ("change", "path", "expected"),
    [
        ('ALTER TABLE "Vote" ALTER CONSTRAINT "Vote_userId_fkey" DEFERRABLE', ("foreign_keys", 0, "deferrable"), True),
        ('DROP INDEX "Vote_userId_feedbackId_key"', ("indexes",), []),
        ('ALTER TABLE "Vote" DROP CONSTRAINT "Vote_pkey"', ("primary_key",), None),
        ('ALTER TABLE "Vote" ALTER "userId" TYPE varchar(9)', ("columns", 0, "postgres_type"), "character varying(9)"),
        (
            'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey", ADD CONSTRAINT "Vote_userId_fkey" '
            'FOREIGN KEY ("userId") REFERENCES "User" ("id") NOT VALID',
            ("foreign_keys", 0, "validated"),
            False,
        ),
    ],
    ids=["deferrable", "index gone", "key gone", "type", "not validated"],
)  # fmt: skip
def test_a_changed_schema_is_seen(
    database_uri: str, change: str, path: tuple[str | int, ...], expected: object
) -> None:
    with psycopg.connect(database_uri) as connection:
        connection.execute(SCHEMA_SQL + change)
    found = catalog(database_uri)["tables"]["Vote"]
    for step in path:
        found = found[step]
    assert found == expected


@pytest.mark.parametrize(("version", "tables", "enums"), [(1, 20, 9), (2, 21, 9), (3, 21, 9), (4, 21, 9), (5, 37, 11)])
def test_the_facts_say_only_what_postgresql_can_show(version: int, tables: int, enums: int) -> None:
    facts = facts_for(version)
    assert (len(facts["tables"]), len(facts["enums"])) == (tables, enums)
    names = {tuple(column) for table in facts["tables"].values() for column in table["columns"]}
    assert names == {("name", "postgres_type", "nullable", "postgres_default")}
