"""The results as a table of Markdown and as a JSON document.

Belongs here: how results look. Does not belong here: making them (``trials``).
"""

from collections.abc import Iterable, Sequence

from odyssey_assets.calibration.trial import Series, Trial
from odyssey_assets.compare.checks import CheckName

LIT = "●"
WRONG = "**wrong**"


def as_markdown(trials: Sequence[Trial]) -> str:
    """One table for each series: fault by check; the last column says whether all is as it must be."""
    parts = []
    for series in Series:
        chosen = [trial for trial in trials if trial.series is series]
        if chosen:
            parts.append(f"### {series}\n\n" + "\n".join(_lines(chosen)) + "\n")
    return "\n".join(parts)


def as_document(trials: Sequence[Trial], scale: float, seconds: float) -> dict[str, object]:
    """The same for programs, with what was lit beyond what should have been."""
    return {
        "ok": all(trial.is_right for trial in trials),
        "scale": scale,
        "seconds": round(seconds, 1),
        "trials": [
            {
                "series": trial.series.name.lower(),
                "fault": trial.fault,
                "place": trial.place,
                "lit": _in_order(trial.lit),
                "expected": _in_order(trial.expected),
                "elsewhere": list(trial.elsewhere),
                "named": trial.is_named,
                "refused": trial.is_refused,
                "committed": trial.is_committed,
                "ok": trial.is_right,
            }
            for trial in trials
        ],
    }


def _lines(trials: Iterable[Trial]) -> list[str]:
    heads = ["fault", "place", *(name.value for name in CheckName), "run refused", "as it must be"]
    lines = [_row(heads), _row(["---"] * len(heads))]
    for trial in trials:
        marks = [_mark(trial, name) for name in CheckName]
        refused = LIT if trial.is_refused else ""
        lines.append(
            _row(
                [
                    trial.fault,
                    trial.place,
                    *marks,
                    refused,
                    "yes" if trial.is_right else f"{WRONG}: {what_is_wrong(trial)}",
                ]
            )
        )
    return lines


def _mark(trial: Trial, check: CheckName) -> str:
    return LIT if check in trial.lit else ""


def what_is_wrong(trial: Trial) -> str:
    """In words; empty where all is as it must be."""
    reasons = [f"expected {', '.join(_in_order(trial.expected)) or 'nothing'}"] * (trial.lit != trial.expected)
    reasons += [f"also {', '.join(trial.elsewhere)}"] * bool(trial.elsewhere)
    reasons += ["the place is not named"] * (not trial.is_named)
    reasons += ["refused or not, against expectation"] * (trial.is_refused != trial.expects_refusal)
    reasons += ["committed"] * trial.is_committed
    return "; ".join(reasons)


def _in_order(checks: frozenset[CheckName]) -> list[str]:
    return [name.value for name in CheckName if name in checks]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
