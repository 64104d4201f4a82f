"""A look at the server as lines for a person and as documents.

Belongs here: words and the documents' shapes. Does not belong here: reading or judging.
"""

from collections.abc import Iterable

from odyssey_assets.watch.judging import OFF, Verdict
from odyssey_assets.watch.look import Watched, as_json
from odyssey_assets.watch.statements import SlowQueries

NOT_VISIBLE = "not visible"


def sentence(verdict: Verdict) -> str:
    """One verdict in one line, with what to do where it is not well."""
    measure = verdict.measure
    if verdict.passed is None:
        return f"{NOT_VISIBLE}: {verdict.hidden}; {measure.variable}={OFF} if that is meant"
    detail = f" ({verdict.detail})" if verdict.detail else ""
    value = "" if verdict.value is None else f"{verdict.value:,.4g} {measure.unit}".strip()
    if verdict.threshold is None:
        return f"{value or NOT_VISIBLE}{detail}, not judged"
    limit = f"{'at least' if measure.is_least else 'at most'} {verdict.threshold:,.4g} {measure.unit}".strip()
    return f"{value}{detail}, {limit} expected" + ("" if verdict.passed else f". {measure.advice}")


def lines(watched: Watched) -> list[str]:
    """A line for each measure, the worst first."""
    ordered = sorted(watched.verdicts, key=lambda each: {False: 0, None: 1, True: 2}[each.passed])
    return [f"{_word(each):7} {each.measure.name}: {sentence(each)}" for each in ordered]


def document(watched: Watched) -> dict[str, object]:
    """Everything, the server's own counts included."""
    return {
        "ok": watched.ok,
        "measures": [
            {
                "name": each.measure.name,
                "value": each.value,
                "unit": each.measure.unit,
                "threshold": each.threshold,
                "passed": each.passed,
                "severity": each.measure.severity.value,
                "detail": sentence(each),
            }
            for each in watched.verdicts
        ],
        "recent": as_json(watched.recent),
        "slow_queries": slow_document(watched.slow),
    }


def slow_document(slow: SlowQueries) -> dict[str, object]:
    """The slowest queries; ``visible`` is false where they cannot be seen."""
    return {
        "visible": slow.statements is not None,
        "reason": slow.hidden,
        "statements": [
            {
                "calls": each.calls,
                "mean_ms": round(each.mean_milliseconds, 3),
                "slowest_ms": round(each.slowest_milliseconds, 3),
                "total_ms": round(each.total_milliseconds, 3),
                "rows": each.rows,
                "query": each.text,
            }
            for each in slow.statements or ()
        ],
    }


def slow_lines(slow: SlowQueries) -> Iterable[str]:
    """A table of the slowest queries, or why there is none."""
    if slow.statements is None:
        return [f"The slow queries are {NOT_VISIBLE}: {slow.hidden}."]
    rows = [
        f"{each.mean_milliseconds:10,.1f} {each.slowest_milliseconds:10,.1f} {each.calls:9,} {each.text}"
        for each in slow.statements
    ]
    return ["   mean ms slowest ms     calls query", *rows] if rows else ["No query ran often enough to be told."]


def _word(verdict: Verdict) -> str:
    if verdict.passed is None:
        return "UNSEEN"
    return "ok" if verdict.passed else verdict.measure.severity.upper()
