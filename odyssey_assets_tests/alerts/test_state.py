"""What was told survives restarts: written whole or not at all, private, by one tick at a time."""

import json
from pathlib import Path

import pytest

from odyssey_assets.alerts.state import AlertState, held, read_state, write_state
from odyssey_assets.alerts.transitions import judge
from odyssey_assets.errors import RefusedError
from odyssey_assets.findings import Severity
from odyssey_assets_tests.alerts.observing import NOON, green, red


def eventful_state() -> AlertState:
    seen = (red(rows=3, snapshot="s1"), red("B.nulls", severity=Severity.WARNING), green("C.nulls", 5))
    begun = AlertState(looked_until=NOON, recent_runs=("run-a",), failing_since={"channel": NOON})
    return judge(begun, seen, NOON, 60)


def test_there_is_a_state_before_the_first(tmp_path: Path) -> None:
    assert read_state(tmp_path / "alerts") == AlertState()


def test_everything_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    state = eventful_state()
    assert state.outbox
    assert state.troubles
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state


def test_the_file_is_this_users_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "alerts"
    write_state(folder, AlertState())
    write_state(folder, eventful_state())
    assert [path.name for path in folder.iterdir()] == ["state.json"]
    assert (folder / "state.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_write_that_breaks_off_leaves_the_state_before_it(tmp_path: Path) -> None:
    state = eventful_state()
    write_state(tmp_path, state)
    with pytest.raises(TypeError):
        write_state(tmp_path, AlertState(seen_at={"a": object()}))  # type: ignore[dict-item]
    assert read_state(tmp_path) == state


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "seen_at": {}}'])
def test_a_file_that_is_not_understood_is_put_aside(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    assert read_state(tmp_path) == AlertState()
    assert (tmp_path / "state.unreadable").read_text() == text


def test_the_file_names_no_url(tmp_path: Path) -> None:
    write_state(tmp_path, eventful_state())
    assert "://" not in json.dumps(json.loads((tmp_path / "state.json").read_text()))


def test_one_tick_at_a_time(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(RefusedError, match="busy"), held(tmp_path):
        pass
    with held(tmp_path):
        pass
