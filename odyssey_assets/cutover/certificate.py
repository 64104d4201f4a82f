"""The certificate of a cut-over: what was moved, proven by which digests, and the exact lines to change where.

It signs itself: ``sha256`` is that of the rest, written as JSON with sorted keys and no spaces, and the ledger keeps it
beside the cut-over.

Belongs here: what is in it and where it is kept. Does not belong here: markup (``templates``).
"""

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from odyssey_assets import __version__
from odyssey_assets.cutover.request import CutoverRequest
from odyssey_assets.cutover.steps import Cutover, Detail, Step
from odyssey_assets.errors import IntegrityError
from odyssey_assets.target.url import prisma_url

Certificate = dict[str, Any]


def write_certificate(request: CutoverRequest, cutover: Cutover) -> Detail:
    """Write the certificate as JSON and as a page. The detail says where, and its digest."""
    document = _document(request, cutover)
    signed = {**document, "sha256": signature(document)}
    path = certificate_path(request.certificate_dir, cutover)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(path, json.dumps(signed, ensure_ascii=False, indent=1))
    _write(path.with_suffix(".html"), _page(signed))
    return {"path": str(path), "page": str(path.with_suffix(".html")), "sha256": signed["sha256"]}


def read_certificate(path: Path) -> Certificate:
    """A certificate as it was written. Raises IntegrityError where it was changed since."""
    document: Certificate = json.loads(path.read_text(encoding="utf-8"))
    if document.pop("sha256", None) != signature(document):
        raise IntegrityError(f"The certificate {path} was changed after it was signed.", hint="Do not rely on it.")
    return document


def signature(document: Mapping[str, object]) -> str:
    """SHA-256 over the document, however it is laid out in the file."""
    plain = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def certificate_path(folder: Path, cutover: Cutover) -> Path:
    return folder / f"{'rehearsal' if cutover.is_rehearsal else 'cutover'}-{cutover.id}.json"


def lines_for_postgresql(request: CutoverRequest, *, has_prisma_history: bool) -> tuple[str, ...]:
    """What to change in the application for it to run on PostgreSQL, in the order to do it."""
    url = prisma_url(request.target)
    lines = [
        "# .env: replace the line DATABASE_URL; put the application's own role and password into it",
        f'DATABASE_URL="{url}"',
        "# prisma/schema.prisma: in the block datasource",
        'provider = "postgresql"',
    ]
    if has_prisma_history:
        lines += ["# PostgreSQL knows Prisma's migrations already; nothing should be left to deploy", *_STATUS]
    else:
        lines += [
            "# PostgreSQL does not know Prisma's migrations yet, and migrate deploy refuses a database that is not "
            "empty: tell Prisma that the schema is there",
            *_BASELINE,
            *_STATUS,
        ]
    return (*lines, *_ADAPTER, "# then", "npx prisma generate", "# and restart the application")


def lines_for_sqlite(source_path: str) -> tuple[str, ...]:
    """What to change in the application for it to run on SQLite again."""
    return (
        "# .env: replace the line DATABASE_URL",
        f'DATABASE_URL="file:{source_path}"',
        "# prisma/schema.prisma: in the block datasource",
        'provider = "sqlite"',
        "# where prisma/migrations-sqlite is, the way there has put it aside",
        "mv prisma/migrations prisma/migrations-postgresql && mv prisma/migrations-sqlite prisma/migrations",
        *_ADAPTER,
        "# then",
        "npx prisma generate",
        "# and restart the application",
    )


_BASELINE = (
    "mv prisma/migrations prisma/migrations-sqlite && mkdir -p prisma/migrations/0_init",
    "# Prisma 7 calls the option --to-schema",
    "npx prisma migrate diff --from-empty --to-schema-datamodel prisma/schema.prisma --script "
    "> prisma/migrations/0_init/migration.sql",
    "npx prisma migrate resolve --applied 0_init",
)
_STATUS = ("npx prisma migrate status",)
_ADAPTER = ("# where PrismaClient is given an adapter, as Prisma 7 requires: give it the one of the other database",)


def _document(request: CutoverRequest, cutover: Cutover) -> Certificate:
    proof: Any = cutover.done[Step.PROOF].detail
    return {
        "kind": cutover.kind,
        "cutover": cutover.id,
        "written_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "program": f"odyssey-assets {__version__}",
        "source": {
            "path": cutover.source_path,
            "version": proof["source_version"],
            "is_sealed": cutover.seals_source and not cutover.is_rehearsal,
            "integrity_check": proof["integrity_check"],
        },
        "backup": dict(cutover.done[Step.BACKUP].detail),
        "target": {"url": request.target.redacted, "schema": request.target.schema},
        "rows": proof["rows"],
        "checks": proof["checks"],
        "tables": proof["tables"],
        "seconds": {step.value: done.seconds for step, done in sorted_steps(cutover)},
        "downtime_seconds": round(cutover.downtime_seconds, 1),
        "to_postgresql": list(lines_for_postgresql(request, has_prisma_history=proof["has_prisma_history"])),
        "back_to_sqlite": list(lines_for_sqlite(cutover.source_path)),
    }


def sorted_steps(cutover: Cutover) -> list[tuple[Step, Any]]:
    """What was done, in the order of the steps."""
    return [(step, cutover.done[step]) for step in Step if step in cutover.done]


def _page(document: Mapping[str, object]) -> str:
    environment = Environment(
        loader=PackageLoader("odyssey_assets", "cutover/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("certificate.html").render(certificate=document)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.touch(mode=0o600)
    partial.write_text(text, encoding="utf-8")
    partial.rename(path)
