"""The race as a picture: time per row by number of rows, both on logarithmic scales, as SVG.

Belongs here: drawing. Does not belong here: the numbers (``summary``).
"""

import math
from html import escape

import pandas as pd

_WIDTH, _HEIGHT = 900, 460
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 40, 330, 50
_LINES = {
    "limit": ("the limit", "#111111"),
    "load": ("odyssey: load", "#1a7f37"),
    "load_and_proof": ("odyssey: load and proof", "#2da44e"),
    "migrate": ("odyssey: everything", "#82cfa0"),
    "pgloader": ("pgloader with indexes", "#0969da"),
    "pgloader_rows": ("pgloader, rows alone", "#54aeff"),
    "text_copy": ("sqlite3 and text COPY", "#bf8700"),
    "many_values": ("executemany", "#bc4c00"),
    "row_loop": ("one INSERT a row", "#cf222e"),
}
_LABEL_GAP = 16


def draw_chart(summary: pd.DataFrame) -> str:
    """The loads of a summary, one line a contender; a circle that is not filled was extrapolated."""
    shown = summary[summary["measure"].isin(list(_LINES))]
    across = _Axis.around(shown["rows"], _LEFT, _WIDTH - _RIGHT)
    upward = _Axis.around(shown["microseconds_per_row"], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">Initial load: microseconds a row, by rows of the database</text>',
        *_grid(across, upward),
    ]
    ends: list[tuple[float, str, str]] = []
    for name, (title, color) in _LINES.items():
        line = shown[shown["measure"] == name].sort_values("rows")
        if line.empty:
            continue
        points = [
            (across.at(rows), upward.at(value), given == rows)
            for rows, value, given in zip(
                line["rows"], line["microseconds_per_row"], line["measured_rows"], strict=True
            )
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.extend(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" stroke="{color}" fill="{color if is_whole else "white"}"/>'
            for x, y, is_whole in points
        )
        ends.append((points[-1][1], f"{title} ({line['microseconds_per_row'].iloc[-1]:,.1f})", color))
    parts.extend(_labels(ends))
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Axis:
    """A logarithmic scale from values to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high = low, high
        self._start, self._end = start, end

    @classmethod
    def around(cls, values: "pd.Series[float]", start: float, end: float) -> "_Axis":
        return cls(math.log10(float(values.min())) - 0.1, math.log10(float(values.max())) + 0.1, start, end)

    def at(self, value: float) -> float:
        return self._start + (math.log10(value) - self.low) / (self.high - self.low) * (self._end - self._start)

    def powers(self) -> list[float]:
        return [10.0**power for power in range(math.ceil(self.low), math.floor(self.high) + 1)]


def _grid(across: _Axis, upward: _Axis) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    lines = [f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#57606a"/>']
    for rows in across.powers():
        x = across.at(rows)
        lines.append(f'<path d="M{x:.1f} {bottom}v5" stroke="#57606a"/>')
        lines.append(f'<text x="{x:.1f}" y="{bottom + 20}" text-anchor="middle">{rows:,.0f}</text>')
    for value in upward.powers():
        y = upward.at(value)
        lines.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="#d0d7de"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,g}</text>')
    return lines


def _labels(ends: list[tuple[float, str, str]]) -> list[str]:
    """Names at the ends of the lines, pushed apart where they would overlap."""
    lines, lowest = [], -math.inf
    for y, title, color in sorted(ends):
        lowest = max(y, lowest + _LABEL_GAP)
        lines.append(f'<text x="{_WIDTH - _RIGHT + 12}" y="{lowest + 4:.1f}" fill="{color}">{escape(title)}</text>')
    return lines
