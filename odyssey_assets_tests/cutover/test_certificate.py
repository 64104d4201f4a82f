"""The certificate: what it says is what was proven, its signature sees every change, its lines are those to change."""

import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from odyssey_assets.cutover import store
from odyssey_assets.cutover.certificate import (
    certificate_path,
    lines_for_postgresql,
    lines_for_sqlite,
    read_certificate,
    signature,
    write_certificate,
)
from odyssey_assets.cutover.steps import Cutover, Step
from odyssey_assets.errors import IntegrityError
from odyssey_assets_tests.cutover.switched import copy_of_switched, switched_template
from odyssey_assets_tests.cutover.switching import cutover_request
from odyssey_assets_tests.statements import ask_postgres
from odyssey_assets_tests.sync.dual_run import DualRun, Template
from odyssey_assets_tests.sync.ordinary_role import PASSWORD


@pytest.fixture(scope="module")
def switched(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DualRun]:
    folder = tmp_path_factory.mktemp("switched")
    (folder / "copy").mkdir()
    with switched_template(template, folder) as made, copy_of_switched(made, folder / "copy") as pair:
        yield pair


@pytest.fixture
def done(switched: DualRun) -> Cutover:
    found = store.newest_cutover(cutover_request(switched).target)
    assert found is not None
    return found


@pytest.fixture
def path(switched: DualRun, done: Cutover) -> Path:
    return certificate_path(cutover_request(switched).certificate_dir, done)


def test_it_says_what_was_moved_and_proven(switched: DualRun, done: Cutover, path: Path) -> None:
    found = read_certificate(path)
    rows = {table["name"]: table["rows"] for table in found["tables"]}
    assert len(rows) == 37
    for table, count in rows.items():
        assert ask_postgres(switched.uri, f'SELECT count(*) FROM "{table}"') == [(count,)]
    assert (found["kind"], found["cutover"], found["source"]["integrity_check"]) == ("cut-over", done.id, "ok")
    assert found["source"]["is_sealed"] is True
    assert found["backup"] == done.done[Step.BACKUP].detail
    assert set(found["seconds"]) == {step.value for step in Step} - {"certificate", "smoke tests"}
    backup = switched.folder / "backups" / found["backup"]["backup"]
    assert found["backup"]["sha256"] in {hashlib.sha256(file.read_bytes()).hexdigest() for file in backup.iterdir()}


def test_nothing_secret_is_in_it_and_nobody_else_reads_it(path: Path) -> None:
    for file in (path, path.with_suffix(".html")):
        assert PASSWORD not in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0


def test_the_signature_is_of_everything_but_the_layout(path: Path, tmp_path: Path) -> None:
    document: dict[str, Any] = json.loads(path.read_text())
    plain = {name: value for name, value in document.items() if name != "sha256"}
    written = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert document["sha256"] == hashlib.sha256(written.encode()).hexdigest() == signature(plain)
    copy = tmp_path / "copy.json"
    copy.write_text(json.dumps(dict(reversed(document.items()))))
    assert read_certificate(copy) == plain
    document["tables"][0]["target_digest"] += "1"
    copy.write_text(json.dumps(document))
    with pytest.raises(IntegrityError, match="was changed after it was signed"):
        read_certificate(copy)
    del document["sha256"]
    copy.write_text(json.dumps(document))
    with pytest.raises(IntegrityError):
        read_certificate(copy)


def test_the_ledger_has_the_same_signature(done: Cutover, path: Path) -> None:
    assert done.done[Step.CERTIFICATE].detail["sha256"] == json.loads(path.read_text())["sha256"]


def test_the_page_shows_it(path: Path) -> None:
    page = path.with_suffix(".html").read_text()
    document = json.loads(path.read_text())
    for shown in (document["sha256"], document["backup"]["backup"], "DATABASE_URL", "VerificationToken"):
        assert shown in page
    assert "<script" not in page


def test_writing_it_again_replaces_it(switched: DualRun, done: Cutover, path: Path) -> None:
    before = set(path.parent.iterdir())
    detail = write_certificate(cutover_request(switched), done)
    assert read_certificate(path)["cutover"] == done.id
    assert detail["path"] == str(path)
    assert set(path.parent.iterdir()) == before


def test_the_lines_name_both_files_to_change(switched: DualRun) -> None:
    request = cutover_request(switched)
    fresh = lines_for_postgresql(request, has_prisma_history=False)
    known = lines_for_postgresql(request, has_prisma_history=True)
    for lines in (fresh, known):
        assert 'provider = "postgresql"' in lines
        (url,) = (line for line in lines if line.startswith("DATABASE_URL="))
        assert url.startswith('DATABASE_URL="postgresql://table_owner:***@')
        assert "npx prisma generate" in lines
    # Only a database that Prisma knows nothing of is baselined; migrate deploy would refuse it otherwise.
    assert any("migrate resolve --applied 0_init" in line for line in fresh)
    assert not any("resolve" in line for line in known)
    assert 'DATABASE_URL="file:/data/dev.db"' in lines_for_sqlite("/data/dev.db")
