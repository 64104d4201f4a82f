"""docs/optimisations.md names every threshold as it is."""

import re

from odyssey_assets.configuration import PROJECT_DIR
from odyssey_assets.watch.judging import MEASURES

TEXT = (PROJECT_DIR / "docs" / "optimisations.md").read_text(encoding="utf-8")
ROWS = re.findall(r"\| `(\w+)`[^|]*\| `(ODYSSEY_WATCH_\w+)` \| ([^|]*) \| (\w+) \|", TEXT)


def test_every_threshold_is_explained_as_it_is() -> None:
    documented = {name: (variable, _number(threshold), severity) for name, variable, threshold, severity in ROWS}
    assert documented == {each.name: (each.variable, each.default, each.severity.value) for each in MEASURES}


def _number(text: str) -> float | None:
    found = re.search(r"\d+", text)
    return float(found[0]) if found else None
