"""``odyssey alert-test``: one message to every channel, whatever its severity.

Belongs here: sending it and saying who took it. Does not belong here: the command line itself (``commands``).
"""

from collections.abc import Callable

from odyssey_assets.alerts.delivery import Sender, require_understood
from odyssey_assets.alerts.heartbeat import ping
from odyssey_assets.alerts.settings import ENV_URLS, ENV_URLS_FILE, AlertSettings
from odyssey_assets.alerts.wording import Text
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY, ConfigurationError

_TEXT = Text(
    title="Odyssey: test of the alerts",
    body="This is a test. Messages about integrity checks, failed or refused runs and overdue tables arrive here.",
    severity=None,
)


def run_alert_test(settings: AlertSettings, tell: Callable[[str], None]) -> int:
    """Send the test, tell a line for each channel and the heartbeat, and return the exit status.

    Raises ConfigurationError where no channel is configured, or a URL cannot be used; then nothing is sent.
    """
    if not settings.channels:
        raise ConfigurationError("No alerts are configured.", hint=f"Set {ENV_URLS} or {ENV_URLS_FILE}.")
    require_understood(settings.channels)
    send = Sender()
    has_failed = False
    for channel in settings.channels:
        taken = send(channel, _TEXT)
        has_failed = has_failed or not taken
        takes = " and ".join(f"{severity}s" for severity in channel.severities)
        tell(f"{channel.label}, for {takes}: {'delivered' if taken else 'NOT delivered'}")
    if settings.heartbeat_url:
        is_heard = ping(settings.heartbeat_url)
        has_failed = has_failed or not is_heard
        tell(f"heartbeat: {'answered' if is_heard else 'NOT answered'}")
    return EXIT_INTEGRITY if has_failed else EXIT_DONE
