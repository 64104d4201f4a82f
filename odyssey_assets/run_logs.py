"""What runs write to their console, for a collector of logs to read.

Dagster's servers have an option for it. Runs have none that reaches every run: their default logger is a constant.

Belongs here: that one constant. Does not belong here: the choice (``deployment``), or the events of runs, which are in
Dagster's storage whatever the console shows.
"""

import dagster as dg
from dagster import _loggers


def write_runs_as_json() -> None:
    """Let the runs of this process write one JSON document a line, unless their configuration names a logger."""
    _loggers.colored_console_logger = dg.json_console_logger
