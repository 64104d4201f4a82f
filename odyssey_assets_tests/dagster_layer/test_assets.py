"""The assets as the UI shows them, and materializing them: rows arrive, proven, or nothing changes."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from odyssey_assets.assets import odyssey_tables
from odyssey_assets.compare.checks import CheckName
from odyssey_assets.progress import OnProgress
from odyssey_assets.sample.writer import write_sample
from odyssey_assets.source_assets import sqlite_database
from odyssey_assets.sync.outcome import Outcome, Request
from odyssey_assets.sync.run import run
from odyssey_assets_tests.dagster_layer.conftest import (
    CHECKS,
    FACTS,
    everything_recorded,
    materialized,
    message,
    tables_materialized,
    verdicts,
)
from odyssey_assets_tests.oracle import differences, dump, facts_for
from odyssey_assets_tests.statements import ask_postgres, prisma_sql, run_postgres

DOMAINS = {
    "people": {"Account", "AuthSession", "User", "VerificationToken", "Village"},
    "feedback": {"AIUsageLog", "Feature", "Feedback", "FeedbackAIMetadata", "Vote"},
    "roadmap": {"RoadmapItem", "_FeatureToRoadmapItem", "_FeedbackToRoadmapItem"},
    "research": {
        "Panel",
        "PanelMembership",
        "Questionnaire",
        "QuestionnaireResponse",
        "Session",
        "SessionRecording",
        "_PanelToQuestionnaire",
        "_SessionFacilitators",
    },
    "notifications": {"EmailLog", "Notification", "NotificationPreferences"},
    "gamification": {
        "Achievement",
        "Badge",
        "Leaderboard",
        "PointTransaction",
        "UserAchievement",
        "UserBadge",
        "UserPoints",
    },
    "collaboration": {"CollaborationComment", "CollaborationSession"},
    "operations": {"AuditLog", "Event", "HRISConflict", "HRISSync"},
}
SPECS = {spec.key.to_user_string(): spec for spec in odyssey_tables.specs}


def rows_of_odyssey(uri: str) -> dict[str, list[tuple[str | None, ...]]]:
    """Every row of the application's tables; the project's own bookkeeping grows with every run."""
    return {table: rows for table, rows in dump(uri).items() if "." not in table}


def keys(*tables: str) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*tables)


@pytest.mark.parametrize("table", sorted(FACTS))
def test_upstream_of_a_table_are_the_tables_its_foreign_keys_point_to(table: str) -> None:
    parents = {key["references"] for key in FACTS[table]["foreign_keys"]} - {table}
    assert {dep.asset_key.to_user_string() for dep in SPECS[table].deps} == {f"sqlite/{table}", *parents}


def test_tables_that_refer_to_themselves_are_not_upstream_of_themselves() -> None:
    to_itself = {
        name for name, table in FACTS.items() if any(key["references"] == name for key in table["foreign_keys"])
    }
    assert to_itself == {"Feedback", "CollaborationComment"}
    assert all(name not in {dep.asset_key.to_user_string() for dep in SPECS[name].deps} for name in to_itself)


def test_assets_are_grouped_by_domain() -> None:
    groups: dict[str, set[str]] = {}
    for name, spec in SPECS.items():
        groups.setdefault(str(spec.group_name), set()).add(name)
    assert groups == DOMAINS


def test_every_asset_says_what_it_is_whose_it_is_and_of_what_kind() -> None:
    for spec in SPECS.values():
        assert spec.description
        assert spec.description.endswith(".")
        assert spec.kinds == {"postgres", "table"}
        assert list(spec.owners) == ["team:data-engineering"]
        assert spec.tags["odyssey/domain"] == spec.group_name
        assert spec.tags["odyssey/side"] == "target"
    assert len({spec.description for spec in SPECS.values()}) == len(SPECS)


def test_the_source_is_an_asset_nobody_can_materialize() -> None:
    assert sqlite_database.kinds == {"sqlite"}
    assert sqlite_database.key not in odyssey_tables.keys
    assert not list(sqlite_database.deps)


def test_materializing_everything_carries_every_row(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    result = materialized(instance, source)
    assert result.success
    assert tables_materialized(result) == set(FACTS)
    found = verdicts(result)
    assert set(found) == {(table, check) for table in FACTS for check in CHECKS}
    assert all(verdict.passed for verdict in found.values())
    assert differences(source, surroundings) == []


def test_materializing_one_table_carries_that_table_alone(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    result = materialized(instance, source, keys("Village"))
    assert result.success
    assert tables_materialized(result) == {"Village"}
    assert set(verdicts(result)) == {("Village", check) for check in CHECKS}
    filled = {table for table, rows in dump(surroundings).items() if rows and "." not in table}
    assert filled == {"Village"}


def test_materializing_several_tables_fills_parents_first(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    chosen = {"Vote", "Village", "User", "Feature", "Feedback"}
    result = materialized(instance, source, keys(*chosen))
    assert result.success
    assert tables_materialized(result) == chosen
    assert ask_postgres(surroundings, 'SELECT count(*) FROM "Vote"') == [(280,)]


def test_a_table_without_its_checks_is_materialized_and_no_verdict_recorded(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    result = materialized(instance, source, keys("Village").without_checks())
    assert result.success
    assert tables_materialized(result) == {"Village"}
    assert verdicts(result) == {}


def test_a_child_without_its_parents_is_refused_and_nothing_is_left_behind(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    result = materialized(instance, source, keys("Vote"))
    assert not result.success
    assert tables_materialized(result) == set()
    assert "refers to a row of Feedback that PostgreSQL does not hold yet" in message(result)
    assert dump(surroundings) == {}


def test_checks_alone_find_a_planted_difference_and_change_nothing(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    assert materialized(instance, source, keys("Village", "HRISSync")).success
    run_postgres(surroundings, """UPDATE "Village" SET name = 'Elsewhere' WHERE id = (SELECT min(id) FROM "Village")""")
    before = dump(surroundings)
    ((key,),) = ask_postgres(surroundings, 'SELECT min(id) FROM "Village"')

    result = materialized(instance, source, dg.AssetSelection.checks_for_assets("Village", "HRISSync"))

    assert not result.success
    assert tables_materialized(result) == set()
    failed = {name for name, verdict in verdicts(result).items() if not verdict.passed}
    assert failed == {("Village", "rows_equal"), ("Village", "tampering")}
    rows = verdicts(result)["Village", "rows_equal"].metadata["rows"].records
    assert [dict(record.data) for record in rows] == [{"difference": "changed", "key": f"id={key}", "column": "name"}]
    assert "Elsewhere" not in everything_recorded(instance, result.run_id)
    assert dump(surroundings) == before


def test_values_are_shown_where_they_were_asked_for(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    assert materialized(instance, source, keys("Village")).success
    run_postgres(surroundings, "UPDATE \"Village\" SET name = 'Elsewhere'")
    result = materialized(instance, source, dg.AssetSelection.checks_for_assets("Village"), show_values=True)
    rows = verdicts(result)["Village", "rows_equal"].metadata["rows"].records
    assert {record.data["target"] for record in rows} == {"'Elsewhere'"}


def test_a_failing_check_commits_nothing_and_names_its_objection(
    surroundings: str, source: Path, instance: dg.DagsterInstance
) -> None:
    run_postgres(surroundings, prisma_sql(5))
    run_postgres(surroundings, 'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey"')
    before = dump(surroundings)
    result = materialized(instance, source, keys("Vote", "Village", "User", "Feature", "Feedback"))
    assert not result.success
    assert tables_materialized(result) == set()
    failed = {name: verdict for name, verdict in verdicts(result).items() if not verdict.passed}
    assert ("Vote", "foreign_keys") in failed
    assert {table for table, _ in failed} == {"Vote"}
    assert "Vote_userId_fkey does not exist" in str(failed["Vote", "foreign_keys"].description)
    assert "Vote" in message(result)
    assert dump(surroundings) == before


def test_tables_an_early_version_lacks_are_not_materialized_and_said_so(
    surroundings: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    early = write_sample(tmp_path / "early.db", version=1).path
    result = materialized(instance, early)
    assert result.success
    present = set(facts_for(1)["tables"])
    absent = set(FACTS) - present
    assert tables_materialized(result) == present
    assert len(absent) == 17
    logged = everything_recorded(instance, result.run_id)
    assert all(f"{name} is absent" in logged for name in absent)
    assert differences(early, surroundings) == []


def test_only_absent_tables_are_a_run_that_does_nothing(
    surroundings: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    early = write_sample(tmp_path / "early.db", version=1).path
    assert materialized(instance, early, keys("Village")).success
    result = materialized(instance, early, keys("UserPoints"))
    assert result.success
    assert tables_materialized(result) == set()


def test_a_second_run_finds_everything_unchanged(surroundings: str, source: Path, instance: dg.DagsterInstance) -> None:
    chosen = keys("Village", "User", "Account")
    assert materialized(instance, source, chosen).success
    before = rows_of_odyssey(surroundings)
    again = materialized(instance, source, chosen)
    assert again.success
    statuses = {
        event.step_materialization_data.materialization.metadata["odyssey/status"].value
        for event in again.get_asset_materialization_events()
    }
    assert statuses == {"unchanged"}
    assert rows_of_odyssey(surroundings) == before


def test_a_missing_source_fails_the_run_in_one_sentence(
    surroundings: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    result = materialized(instance, tmp_path / "nowhere.db")
    assert not result.success
    assert message(result).startswith(f"There is no SQLite file at {tmp_path / 'nowhere.db'}.")
    assert not (tmp_path / "nowhere.db").exists()


@pytest.mark.parametrize(
    ("forgotten", "sentence"),
    [(None, "The run gave no account of Village."), (CheckName.NULLS, "The run gave no verdict on Village.nulls.")],
)
def test_a_run_that_leaves_out_what_was_asked_for_is_no_success(
    surroundings: str,
    source: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    forgotten: CheckName | None,
    sentence: str,
) -> None:
    def forgetful(request: Request, on_progress: OnProgress) -> Outcome:
        outcome = run(request, on_progress)
        tables = [
            replace(
                table, checks=tuple(each for each in table.checks if (table.name, each.name) != ("Village", forgotten))
            )
            for table in outcome.tables
            if forgotten is not None or table.name != "Village"
        ]
        return replace(outcome, tables=tuple(tables))

    monkeypatch.setattr("odyssey_assets.resources.run", forgetful)
    result = materialized(instance, source, selection=keys("Village", "HRISSync"))
    assert not result.success
    assert sentence in message(result)


def test_passwords_are_nowhere_in_what_a_run_records(
    surroundings: str, source: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = surroundings.split("@")[0].rsplit(":", 1)[1]
    result = materialized(instance, source, keys("Village"))
    assert result.success
    assert password not in everything_recorded(instance, result.run_id)
    wrong = surroundings.replace(password, "not-the-password")
    monkeypatch.setenv("POSTGRES_URL", wrong)
    refused = materialized(instance, source, keys("Village"))
    assert not refused.success
    recorded = everything_recorded(instance, refused.run_id)
    assert "password authentication failed" in recorded
    assert "not-the-password" not in recorded


def test_secrets_of_the_source_are_never_named(surroundings: str, source: Path, instance: dg.DagsterInstance) -> None:
    assert materialized(instance, source, keys("VerificationToken")).success
    run_postgres(surroundings, "UPDATE \"VerificationToken\" SET token = 'very-secret-token-' || token")
    result = materialized(instance, source, dg.AssetSelection.checks_for_assets("VerificationToken"), show_values=True)
    assert not result.success
    recorded = everything_recorded(instance, result.run_id)
    assert "sha256:" in recorded
    assert "very-secret-token" not in recorded
