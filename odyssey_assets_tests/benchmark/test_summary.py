"""Medians, ratios and their tables, from runs whose times are given."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from odyssey_assets.benchmark.chart import draw_chart
from odyssey_assets.benchmark.race import Race, Sample
from odyssey_assets.benchmark.summary import as_document, as_markdown, summarize


def sample(
    measure: str, seconds: float, *, rows: int = 1_000, measured: int | None = None, server: int | None = 7
) -> Sample:
    return Sample(rows, measured or rows, measure, measure, seconds, 100_000_000, server and server * 1_000_000)


ROUNDS = (
    sample("limit", 1.0),
    sample("load", 1.1),
    sample("limit", 2.0),
    sample("load", 3.0),
    sample("limit", 4.0),
    sample("load", 4.8),
)


def line_of(race: Race, measure: str) -> dict[str, object]:
    (line,) = [each for each in as_document(race, summarize(race))["summary"] if each["measure"] == measure]
    return line


def test_seconds_are_medians_and_ratios_the_median_of_each_rounds_ratio():
    line = line_of(Race(ROUNDS, ()), "load")
    assert (line["seconds"], line["fastest_seconds"], line["slowest_seconds"], line["runs"]) == (3.0, 1.1, 4.8, 3)
    assert line["ratio"] == pytest.approx(1.2)
    assert line["microseconds_per_row"] == pytest.approx(3000)


def test_a_contender_given_less_is_shown_in_proportion_and_says_so():
    race = Race((*ROUNDS, sample("row_loop", 5.0, measured=100)), ())
    assert line_of(race, "row_loop")["seconds"] == 50
    assert "(extrapolated from 100 rows) | 50.00 |" in as_markdown(race, summarize(race))


def test_sizes_are_not_mixed():
    race = Race((*ROUNDS, sample("limit", 10.0, rows=9_000), sample("load", 11.0, rows=9_000)), ())
    ratios = [(line["rows"], line["ratio"]) for line in as_document(race, summarize(race))["summary"]]
    assert ratios == [(1_000, 1), (1_000, pytest.approx(1.2)), (9_000, 1), (9_000, pytest.approx(1.1))]


def test_without_a_reference_there_is_no_ratio_and_without_a_reading_no_memory():
    race = Race((sample("load", 1.0, server=None),), (("limit", "the server is elsewhere"),))
    line = line_of(race, "load")
    assert (line["ratio"], line["server_peak_bytes"]) == (None, None)
    assert "| 1.00 | 1.00 to 1.00 |  | 1000.00 | 100 |  |" in as_markdown(race, summarize(race))
    assert "Not measured: limit, because the server is elsewhere" in as_markdown(race, summarize(race))


def test_the_document_is_json():
    race = Race(ROUNDS, (("pgloader", "it is not installed"),))
    document = json.loads(json.dumps(as_document(race, summarize(race)), allow_nan=False))
    assert len(document["runs"]) == len(ROUNDS)
    assert document["absent"] == [{"contender": "pgloader", "reason": "it is not installed"}]


def test_nothing_measured_is_an_empty_table():
    race = Race((), (("limit", "no server"),))
    assert as_markdown(race, summarize(race)) == "Not measured: limit, because no server\n"
    assert as_document(race, summarize(race))["summary"] == []


def test_the_chart_has_a_line_a_contender_and_marks_what_was_extrapolated():
    slow = (sample("row_loop", 5.0, measured=100), sample("row_loop", 5.0, rows=9_000, measured=100))
    race = Race((*ROUNDS, sample("limit", 10.0, rows=9_000), sample("load", 11.0, rows=9_000), *slow), ())
    picture = ElementTree.fromstring(draw_chart(summarize(race)))
    svg = "{http://www.w3.org/2000/svg}"
    assert len(picture.findall(f"{svg}polyline")) == 3
    assert [circle.get("fill") for circle in picture.findall(f"{svg}circle")].count("white") == 2
