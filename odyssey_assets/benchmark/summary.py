"""Medians and ratios of a race, as one table: for a person in Markdown, for programs as a document.

Belongs here: the arithmetic and the layout. Does not belong here: measuring (``race``), or drawing (``chart``).
"""

from dataclasses import asdict
from typing import Any

import pandas as pd

from odyssey_assets.benchmark.contenders import CONTENDERS
from odyssey_assets.benchmark.race import Race

_MEASURES = {measure.name: measure for contender in CONTENDERS for measure in contender.measures}
_ORDER = {name: position for position, name in enumerate(_MEASURES)}


def summarize(race: Race) -> pd.DataFrame:
    """One line a size and measure: median seconds and their spread, ratio to its reference, peaks of memory.

    The ratio is the median of the ratios of each round, whose runs followed one another.
    """
    frame = pd.DataFrame([asdict(each) | {"at_size": each.seconds_at_size} for each in race.samples])
    if frame.empty:
        return frame
    frame["round"] = frame.groupby(["rows", "measure"]).cumcount()
    frame["against"] = frame["measure"].map({name: each.against for name, each in _MEASURES.items()})
    reference = frame[["rows", "round", "measure", "at_size"]].rename(
        columns={"measure": "against", "at_size": "reference_seconds"}
    )
    frame = frame.merge(reference, on=["rows", "round", "against"], how="left")
    frame["ratio"] = frame["at_size"] / frame["reference_seconds"]
    found = (
        frame.groupby(["rows", "measure"])
        .agg(
            measured_rows=("measured_rows", "first"),
            runs=("at_size", "size"),
            seconds=("at_size", "median"),
            fastest_seconds=("at_size", "min"),
            slowest_seconds=("at_size", "max"),
            ratio=("ratio", "median"),
            client_peak_bytes=("client_peak_bytes", "max"),
            server_peak_bytes=("server_peak_bytes", "max"),
        )
        .reset_index()
    )
    found["microseconds_per_row"] = found["seconds"] / found["rows"] * 1e6
    found["title"] = found["measure"].map({name: each.title for name, each in _MEASURES.items()})
    found["position"] = found["measure"].map(_ORDER)
    return found.sort_values(["rows", "position"]).drop(columns="position").reset_index(drop=True)


def as_document(race: Race, summary: pd.DataFrame) -> dict[str, Any]:
    """The summary, every single run, and who is missing."""
    lines: list[dict[str, Any]] = [
        {str(name): None if pd.isna(value) else value for name, value in line.items()}
        for line in summary.astype(object).to_dict(orient="records")
    ]
    return {
        "summary": lines,
        "runs": [asdict(each) for each in race.samples],
        "absent": [{"contender": name, "reason": reason} for name, reason in race.absent],
    }


def as_markdown(race: Race, summary: pd.DataFrame) -> str:
    """A table a size, with notes on what was extrapolated and who is missing."""
    parts = []
    for rows, lines in summary.groupby("rows") if not summary.empty else ():
        parts.append(f"### {rows:,} rows\n\n{_HEAD}")
        parts.extend(_line(line) for line in lines.to_dict(orient="records"))
        parts.append("")
    parts.extend(f"Not measured: {name}, because {reason}" for name, reason in race.absent)
    return "\n".join(parts).strip() + "\n"


_HEAD = "| | median s | fastest to slowest | ratio | µs a row | client MB | server MB |\n|---|--:|--:|--:|--:|--:|--:|"


def _line(line: dict[Any, Any]) -> str:
    note = "" if line["measured_rows"] == line["rows"] else f" (extrapolated from {line['measured_rows']:,} rows)"
    ratio = "" if pd.isna(line["ratio"]) else f"{line['ratio']:.2f}"
    server = "" if pd.isna(line["server_peak_bytes"]) else f"{line['server_peak_bytes'] / 1e6:,.0f}"
    return (
        f"| {line['title']}{note} | {line['seconds']:.2f} | "
        f"{line['fastest_seconds']:.2f} to {line['slowest_seconds']:.2f} | {ratio} | "
        f"{line['microseconds_per_row']:.2f} | {line['client_peak_bytes'] / 1e6:,.0f} | {server} |"
    )
