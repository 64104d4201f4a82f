"""One calibration from what was asked for to the text that is printed.

Belongs here: finding a server and a folder, choosing the form of the answer. Does not belong here: the trials
(``trials``), or the command line itself (``commands``).
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from odyssey_assets.calibration.table import as_document, as_markdown, what_is_wrong
from odyssey_assets.calibration.trials import calibrate
from odyssey_assets.configuration import Settings
from odyssey_assets.errors import EXIT_DONE, EXIT_INTEGRITY
from odyssey_assets.scratch import remove_leftovers, scratch_folder
from odyssey_assets.target import embedded


@dataclass(frozen=True)
class CalibrationOptions:
    """``scale`` is the sample's; ``markdown_only`` leaves out everything that differs from one run to the next."""

    scale: float = 0.1
    postgres: str | None = None
    as_json: bool = False
    markdown_only: bool = False


@dataclass(frozen=True)
class CalibrationReport:
    """``text`` is for stdout. The exit status is 1 where a fault was missed or a check was lit that should not be."""

    text: str
    exit_status: int


def run_calibration(settings: Settings, options: CalibrationOptions, tell: Callable[[str], None]) -> CalibrationReport:
    """Plant every fault in databases made for it. ``tell`` is given a line before each trial.

    Raises UnreachableError where there is no server, ConfigurationError where no database may be made.
    """
    uri = options.postgres or settings.postgres_url or embedded.ensure_running(settings.state_dir).uri_of("postgres")
    began = time.perf_counter()
    remove_leftovers(settings.scratch_dir)
    with scratch_folder(settings.scratch_dir, "calibration") as folder:
        trials = []
        for trial in calibrate(uri, folder, options.scale, tell):
            trials.append(trial)
            if not trial.is_right:
                # On a large database the table at the end is a long time off.
                tell(f"{trial.fault} is not as it must be: {what_is_wrong(trial)}")
    seconds = time.perf_counter() - began
    wrong = sum(not trial.is_right for trial in trials)
    if options.as_json:
        text = json.dumps(as_document(trials, options.scale, seconds), ensure_ascii=False, indent=1) + "\n"
    else:
        text = as_markdown(trials)
        if not options.markdown_only:
            verdict = f"{wrong} are not as they must be" if wrong else "no miss and no false alarm"
            text += f"\n{len(trials)} trials in {seconds:.0f} s: {verdict}.\n"
    return CalibrationReport(text, EXIT_INTEGRITY if wrong else EXIT_DONE)
