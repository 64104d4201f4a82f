"""Recording a publication: quarantine and ledger, in the transaction they tell of.

Belongs here: what a run leaves in ``odyssey_sync``. Does not belong here: their form (``ledger``, ``quarantine``).
"""

from odyssey_assets.sync.ledger import LedgerEntry, write_publication
from odyssey_assets.sync.outcome import TableOutcome
from odyssey_assets.sync.publish import Published
from odyssey_assets.sync.quarantine import replace_quarantine
from odyssey_assets.sync.session import Session
from odyssey_assets.target.connection import server_version
from odyssey_assets.target.digests import TargetDigest, table_digest


def record(session: Session, published: Published) -> None:
    """Write both. Every table of ``published`` was proven equal."""
    carried = {name: outcome.carried for name, outcome in published.outcomes.items() if outcome.carried is not None}
    replace_quarantine(session, carried, tuple(each for each in published.objections if each.table in carried))
    version = server_version(session.connection)
    write_publication(
        session,
        [
            _entry(session, outcome, published.digests.get(name), version)
            for name, outcome in published.outcomes.items()
        ],
        is_examined=published.is_examined,
    )


def _entry(session: Session, outcome: TableOutcome, known: TargetDigest | None, version: int) -> LedgerEntry:
    assert outcome.comparison is not None
    facts = outcome.source_facts
    assert facts is not None
    return LedgerEntry(
        table=outcome.name,
        publication=0,
        snapshot_id=session.snapshot.id,
        snapshot_bytes=session.snapshot.bytes,
        snapshot_sha256=session.snapshot.sha256,
        server_version=version,
        columns=outcome.comparison.columns,
        rows=outcome.source_rows,
        held_rows=outcome.quarantined,
        source_digest=outcome.comparison.source_digest,
        target=known or table_digest(session.connection, session.schema, outcome.name),
        nulls=outcome.comparison.source_nulls,
        date_forms=facts.date_forms,
        dangling={str(finding.column): finding.count for finding in facts.dangling},
    )
