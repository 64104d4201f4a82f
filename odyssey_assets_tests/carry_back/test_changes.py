"""Rows are told apart whatever key the target has left: none at all, one with dates in it, one that repeats."""

from pathlib import Path

from odyssey_assets_tests.carry_back.way_back import cells_of, published
from odyssey_assets_tests.plain_source import write_database
from odyssey_assets_tests.statements import run_sqlite

WITHOUT_KEYS = """
    DROP INDEX "VerificationToken_token_key"; DROP INDEX "VerificationToken_identifier_token_key";
    ALTER TABLE "Vote" DROP CONSTRAINT "Vote_pkey"; DROP INDEX "Vote_feedbackId_userId_key";
    CREATE UNIQUE INDEX by_date ON "Vote" ("createdAt", "weight")
"""


def test_rows_without_a_key_are_told_apart(tmp_path: Path, database_uri: str) -> None:
    source = write_database(tmp_path / "odyssey.db", rows=6, is_bare=True)
    naive = """UPDATE "Vote" SET "createdAt" = '2025-01-01 00:00:0' || (rowid - 1)"""
    run_sqlite(source, naive)
    pair = published(tmp_path, source, database_uri)
    pair.edit(f"""
        {WITHOUT_KEYS};
        INSERT INTO "VerificationToken" SELECT 'twice', 'x', '2025-01-01' FROM generate_series(1, 3);
        DELETE FROM "VerificationToken" WHERE token = 'token 1';
        UPDATE "Vote" SET "decayedWeight" = 9 WHERE id IN ('Vote-2', 'Vote-4');
        UPDATE "Vote" SET "createdAt" = '2026-01-01' WHERE id = 'Vote-3';
        DELETE FROM "Vote" WHERE id = 'Vote-5'
    """)
    carried = {table.name: table for table in pair.carry_back().tables}
    tokens, votes = carried["VerificationToken"], carried["Vote"]
    assert (tokens.inserted, tokens.updated, tokens.deleted) == (3, 0, 1)
    assert (votes.inserted, votes.updated, votes.deleted) == (1, 2, 2)
    kept = cells_of(pair.new_file, "Vote")
    assert kept[3]["createdAt"] == ("text", b"2025-01-01 00:00:02")
    assert kept[3]["decayedWeight"] == ("real", 9.0)
    # And back again: of three equal rows one goes.
    pair.new_file.unlink()
    pair.edit("""DELETE FROM "VerificationToken" WHERE ctid = (SELECT max(ctid) FROM "VerificationToken")""")
    pair.carry_back()
