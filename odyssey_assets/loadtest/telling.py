"""A load test as a table for a person and as a document.

Belongs here: words and the document's shape. Does not belong here: measuring.
"""

from odyssey_assets.loadtest.run import Load, LoadOptions, LoadTest, Times


def lines(test: LoadTest) -> list[str]:
    """The times of each kind of transaction, beside those while re-syncs ran, and the verdict."""
    limit = test.options.limit_milliseconds
    text = [*_table("alone", test.alone, test.options)]
    if test.during_syncs is not None and test.syncs is not None:
        syncs = test.syncs
        text += [
            "",
            *_table("while re-syncs run", test.during_syncs, test.options),
            f"{syncs.finished:,} re-syncs in {syncs.seconds:,.1f} s, {syncs.changed_rows:,} rows changed"
            + (f", {syncs.refused:,} refused" if syncs.refused else ""),
            "",
            *_differences(test.alone, test.during_syncs),
        ]
    text += [f"not tried: {each.name}, {each.reason}" for each in test.left_out]
    verdict = "everything" if test.ok else "NOT everything"
    return [*text, "", f"{verdict} was tried, without an error, and 95 of 100 answered within {limit:g} ms"]


def document(test: LoadTest) -> dict[str, object]:
    """Everything, times in milliseconds."""
    options = test.options
    return {
        "ok": test.ok,
        "clients": options.clients,
        "seconds": options.seconds,
        "rate": options.per_second,
        "limit_ms": options.limit_milliseconds,
        "alone": _load_document(test.alone, options),
        "during_syncs": None if test.during_syncs is None else _load_document(test.during_syncs, options),
        "syncs": None
        if test.syncs is None
        else {
            "finished": test.syncs.finished,
            "refused": test.syncs.refused,
            "changed_rows": test.syncs.changed_rows,
            "seconds": round(test.syncs.seconds, 3),
        },
        "not_tried": [{"name": each.name, "reason": each.reason} for each in test.left_out],
    }


def _table(title: str, load: Load, options: LoadOptions) -> list[str]:
    rows = [
        f"{each.name:16} {each.transactions:9,} {each.errors:6,} {_time(each.p50)} {_time(each.p95)} {_time(each.p99)}"
        + ("" if each.is_within(options.limit_milliseconds) else "  *")
        for each in load.times
    ]
    head = f"{title:16} {'done':>9} {'errors':>6} {'p50 ms':>10} {'p95 ms':>10} {'p99 ms':>10}"
    return [
        head,
        *rows,
        f"{load.transactions_per_second:,.0f} transactions/s",
        *(f"said: {each}" for each in load.said),
    ]


def _differences(alone: Load, during: Load) -> list[str]:
    rows = [
        f"{before.name:16} p50 {_ratio(before.p50, after.p50)}  p95 {_ratio(before.p95, after.p95)}  "
        f"p99 {_ratio(before.p99, after.p99)}"
        for before, after in zip(alone.times, during.times, strict=True)
    ]
    return ["times while re-syncs run, as a multiple of those alone", *rows]


def _time(milliseconds: float | None) -> str:
    return f"{'-':>10}" if milliseconds is None else f"{milliseconds:10,.1f}"


def _ratio(before: float | None, after: float | None) -> str:
    return f"{'-':>6}" if not before or after is None else f"{after / before:6.2f}"


def _load_document(load: Load, options: LoadOptions) -> dict[str, object]:
    return {
        "transactions_per_second": round(load.transactions_per_second, 1),
        "queries": [_times_document(each, options) for each in load.times],
        "errors_said": list(load.said),
    }


def _times_document(times: Times, options: LoadOptions) -> dict[str, object]:
    return {
        "name": times.name,
        "transactions": times.transactions,
        "errors": times.errors,
        "p50_ms": times.p50,
        "p95_ms": times.p95,
        "p99_ms": times.p99,
        "within_limit": times.is_within(options.limit_milliseconds),
    }
