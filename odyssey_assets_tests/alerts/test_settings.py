"""Channels and other settings from the environment, and no URL in any message about them."""

from pathlib import Path

import pytest

from odyssey_assets.alerts.settings import alert_settings_from_environment, channels_from, is_configured
from odyssey_assets.errors import ConfigurationError
from odyssey_assets.findings import Severity

BOTH = (Severity.ERROR, Severity.WARNING)
HOOK = "slack://tokenA/tokenB/tokenC/#ops?to=a,b"
MAIL = "mailtos://user:secret@mail.example.org?to=x@example.org,y@example.org"


@pytest.mark.parametrize(
    "text",
    [
        f"{HOOK} {MAIL}",
        f"{HOOK},{MAIL}",
        f"{HOOK}, {MAIL},",
        f"{HOOK}\n{MAIL}\n",
        f"  {HOOK} ,\n\t{MAIL} ",
        f"# both\n{HOOK}\n  # the second\n{MAIL}",
        f"{HOOK} {MAIL} {HOOK}",
    ],
)
def test_urls_are_separated_by_spaces_commas_or_line_ends(text: str) -> None:
    assert [channel.url for channel in channels_from(text)] == [HOOK, MAIL]


def test_a_prefix_decides_which_severity_goes_where() -> None:
    found = channels_from(f"error={HOOK},warning={MAIL},json://localhost")
    assert [channel.severities for channel in found] == [(Severity.ERROR,), (Severity.WARNING,), BOTH]
    assert [channel.url for channel in found] == [HOOK, MAIL, "json://localhost"]


def test_an_error_always_has_somewhere_to_go() -> None:
    assert [channel.severities for channel in channels_from(f"warning={MAIL}")] == [BOTH]
    assert [channel.severities for channel in channels_from(f"error={MAIL}")] == [(Severity.ERROR,)]


def test_no_urls_are_no_channels() -> None:
    assert channels_from(" \n,\n# none\n") == ()


@pytest.mark.parametrize("text", ["secret-token", "loud=json://secret", f"{HOOK} secret-token", "://secret"])
def test_what_is_not_understood_is_named_by_its_place_alone(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        channels_from(text)
    assert f"Entry {len(text.split())} of ODYSSEY_ALERT_URLS" in caught.value.message
    assert "secret" not in str(caught.value)


def test_labels_ids_and_representations_tell_no_secret() -> None:
    settings = alert_settings_from_environment({"ODYSSEY_ALERT_URLS": MAIL, "ODYSSEY_HEARTBEAT_URL": "http://h/secret"})
    assert settings.channels[0].label == "channel 1 (mailtos)"
    assert "secret" not in repr(settings)


def test_the_environment_may_name_a_file(tmp_path: Path) -> None:
    (tmp_path / "urls").write_text(f"error={HOOK}\n")
    environ = {"ODYSSEY_ALERT_URLS": f"warning={MAIL}", "ODYSSEY_ALERT_URLS_FILE": str(tmp_path / "urls")}
    assert [channel.url for channel in alert_settings_from_environment(environ).channels] == [MAIL, HOOK]
    with pytest.raises(ConfigurationError, match="missing"):
        alert_settings_from_environment({"ODYSSEY_ALERT_URLS_FILE": str(tmp_path / "missing")})


def test_an_empty_environment_has_no_alerts() -> None:
    settings = alert_settings_from_environment({"ODYSSEY_ALERT_URLS": " ", "ODYSSEY_HEARTBEAT_URL": ""})
    assert (settings.is_on, settings.channels, settings.heartbeat_url, settings.ui_url) == (False, (), None, None)
    assert settings.reminder_seconds == 4 * 3600
    assert not is_configured({"ODYSSEY_ALERT_URLS": " "})


@pytest.mark.parametrize("name", ["ODYSSEY_ALERT_URLS", "ODYSSEY_ALERT_URLS_FILE", "ODYSSEY_HEARTBEAT_URL"])
def test_each_of_three_variables_asks_for_alerts(name: str) -> None:
    assert is_configured({name: "x"})


def test_a_heartbeat_alone_is_something_to_do() -> None:
    assert alert_settings_from_environment({"ODYSSEY_HEARTBEAT_URL": "https://example.org/beat"}).is_on


@pytest.mark.parametrize(
    "environ",
    [
        {"ODYSSEY_HEARTBEAT_URL": "file:///etc/secret"},
        {"ODYSSEY_ALERT_REMINDER_MINUTES": "often"},
        {"ODYSSEY_ALERT_REMINDER_MINUTES": "0"},
        {"ODYSSEY_ALERT_REMINDER_MINUTES": "nan"},
    ],
)
def test_nonsense_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(environ))) as caught:
        alert_settings_from_environment(environ)
    assert "secret" not in str(caught.value)


def test_minutes_and_the_address_of_the_ui() -> None:
    settings = alert_settings_from_environment(
        {"ODYSSEY_ALERT_REMINDER_MINUTES": "1.5", "ODYSSEY_UI_URL": "https://odyssey.example.org/dagster/"}
    )
    assert (settings.reminder_seconds, settings.ui_url) == (90.0, "https://odyssey.example.org/dagster")
