"""``odyssey alert-test``.

Belongs here: its options. Does not belong here: what is sent (``alerts.command``).
"""

import click

from odyssey_assets.commands.reporting import reporting


@click.command("alert-test")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@reporting
def alert_test(debug: bool) -> int:
    """Send one message to every configured alert channel and say which delivered."""
    from odyssey_assets.alerts.command import run_alert_test
    from odyssey_assets.alerts.settings import alert_settings_from_environment

    return run_alert_test(alert_settings_from_environment(), click.echo)
