"""The forms dates have in a column of a snapshot, by storage class: ``integer`` milliseconds or ``text``.

Belongs here: asking SQLite about some rows. Does not belong here: whole tables (``survey``), or reading dates.
"""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from odyssey_assets.model.identifiers import quoted
from odyssey_assets.source.snapshot import open_snapshot


def date_forms_of_rows(
    snapshot: Path, table: str, columns: tuple[str, ...], rowids: npt.NDArray[np.int64]
) -> dict[str, tuple[str, ...]]:
    """The storage classes that occur in these rows, NULL left out, by column."""
    with open_snapshot(snapshot) as connection:
        return {
            name: tuple(
                form
                for (form,) in connection.execute(
                    f"SELECT DISTINCT typeof({quoted(name)}) AS form FROM {quoted(table)} "
                    f"WHERE rowid IN (SELECT value FROM json_each(?)) AND {quoted(name)} IS NOT NULL ORDER BY form",
                    (json.dumps(rowids.tolist()),),
                )
            )
            for name in columns
        }
