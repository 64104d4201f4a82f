"""What became of the optimisations, as lines for a person and as a document.

Belongs here: words and the document's shape. Does not belong here: doing anything.
"""

from collections.abc import Iterable

from odyssey_assets.optimise.build import Optimised


def lines(results: Iterable[Optimised]) -> list[str]:
    """One line each."""
    return [_line(each) for each in results]


def document(results: Iterable[Optimised]) -> dict[str, object]:
    """Everything, with times in milliseconds."""
    return {"ok": True, "optimisations": [_entry(each) for each in results]}


def _line(each: Optimised) -> str:
    parts = [f"{each.optimisation.index} on {each.optimisation.table}: {each.status}"]
    if each.milliseconds_with is not None or each.milliseconds_without is not None:
        parts.append(
            f"{each.optimisation.query.name} {_time(each.milliseconds_without)} without, "
            f"{_time(each.milliseconds_with)} with it"
        )
    if each.is_used is False:
        parts.append("the planner does without it as the tables are now")
    return "; ".join(parts)


def _time(milliseconds: float | None) -> str:
    return "not measured" if milliseconds is None else f"{milliseconds:,.1f} ms"


def _entry(each: Optimised) -> dict[str, object]:
    return {
        "name": each.optimisation.name,
        "index": each.optimisation.index,
        "table": each.optimisation.table,
        "query": each.optimisation.query.name,
        "status": each.status.value,
        "milliseconds_without": _rounded(each.milliseconds_without),
        "milliseconds_with": _rounded(each.milliseconds_with),
        "is_used": each.is_used,
        "build_seconds": round(each.build_seconds, 3),
        "bytes": each.size_bytes,
    }


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 3)
