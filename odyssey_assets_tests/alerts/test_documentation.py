"""The examples in docs/alerts.md work as they stand, and every variable is explained there."""

import re

import pytest

from odyssey_assets.alerts import settings
from odyssey_assets.alerts.delivery import require_understood
from odyssey_assets.alerts.settings import channels_from
from odyssey_assets.configuration import PROJECT_DIR

TEXT = (PROJECT_DIR / "docs" / "alerts.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```alert-urls\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("example", "channels"), [(EXAMPLES[0], 6), (EXAMPLES[1], 3)])
def test_every_example_is_understood(example: str, channels: int) -> None:
    found = channels_from(example)
    assert len(found) == channels
    require_understood(found)


def test_every_variable_is_explained() -> None:
    names = {value for name, value in vars(settings).items() if name.startswith("ENV_")}
    assert len(names) == 5
    assert {name for name in names if f"| `{name}` |" not in TEXT} == set()
