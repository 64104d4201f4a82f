"""A run of consecutive rows of one table, and the values that can be drawn for them.

Belongs here: ways to draw a column of values. Does not belong here: which column gets which (the domain modules).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odyssey_assets.sample.dates import Moments, creation_moments
from odyssey_assets.sample.documents import DETAILS, joined
from odyssey_assets.sample.identifiers import Texts, tokens
from odyssey_assets.sample.text import OPENINGS, SENTENCES, UNUSUAL_TEXTS
from odyssey_assets.sample.world import RowNumbers, World

Values = NDArray[Any]
"""One column: texts, numbers, booleans or moments."""

Columns = Mapping[str, Values]
"""Values by column name, one per row of the chunk."""

UNUSUAL_SHARE = 0.05
EMPTY_SHARE = 0.01

FIRST_FREE_ROW = 6
"""Rows before this one have a fixed pattern of NULLs, so that even two rows show both."""

_MS_PER_DAY = 86_400_000


@dataclass(frozen=True)
class Chunk:
    """Rows ``first`` to ``first + size`` of ``table``, which has ``total`` rows."""

    table: str
    first: int
    size: int
    total: int
    world: World
    random: np.random.Generator

    @cached_property
    def numbers(self) -> RowNumbers:
        """Row numbers, counted from 0 over the whole table."""
        return np.arange(self.first, self.first + self.size, dtype=np.int64)

    @cached_property
    def created(self) -> Moments:
        return creation_moments(self.first, self.size, self.total)

    def later(self, most_days: float) -> Moments:
        """Moments up to so many days after the row was created."""
        delay_ms = (self.random.random(self.size) ** 2 * most_days * _MS_PER_DAY).astype(np.int64)
        return np.asarray(self.created + delay_ms.astype("timedelta64[ms]"))

    def chance(self, share: float) -> NDArray[np.bool_]:
        """True for so many of the rows."""
        return self.random.random(self.size) < share

    def absent(self, share: float) -> NDArray[np.bool_]:
        """Where an optional value is NULL: never in the first row, always in the second, then by chance."""
        absent: NDArray[np.bool_] = self.chance(share)
        absent &= self.numbers >= FIRST_FREE_ROW
        absent |= self.numbers == 1
        return absent

    def integers(self, low: int, high: int) -> NDArray[np.int64]:
        """From ``low`` to ``high``, both included."""
        return self.random.integers(low, high, size=self.size, endpoint=True)

    def fractions(self) -> NDArray[np.float64]:
        """From 0 to 1, with all the digits a double holds."""
        return self.random.random(self.size)

    def number_texts(self, low: int, high: int) -> Texts:
        """Decimal digits of ``integers``."""
        return self.integers(low, high).astype(str).astype(object)

    def one_of(self, values: Sequence[str] | Texts) -> Texts:
        """Each as likely as the others."""
        pool = np.asarray(values, dtype=object)
        return pool[self.random.integers(0, len(pool), size=self.size)]

    def mostly_first(self, values: Sequence[str]) -> Texts:
        """The first most often, the last least."""
        weights = 1 / np.arange(1, len(values) + 1)
        pool = np.array(values, dtype=object)
        return pool[self.random.choice(len(pool), size=self.size, p=weights / weights.sum())]

    def constant(self, value: str) -> Texts:
        return np.full(self.size, value, dtype=object)

    def tokens(self, length: int) -> Texts:
        return tokens(self.random, self.size, length)

    def numbered(self, prefix: str) -> Texts:
        """``prefix`` and the row number: unique in the table."""
        return joined(prefix, self.numbers.astype(str).astype(object))

    def title(self) -> Texts:
        """A short text, seldom empty."""
        return self._sometimes_unusual(self.one_of(OPENINGS))

    def sentence(self) -> Texts:
        """One sentence; sometimes another script, control characters, or nothing at all."""
        return self._sometimes_unusual(joined(self.one_of(OPENINGS), " ", self.one_of(SENTENCES)))

    def paragraph(self) -> Texts:
        """Two sentences on two lines, or what ``sentence`` has instead."""
        return self._sometimes_unusual(
            joined(self.one_of(OPENINGS), " ", self.one_of(SENTENCES), ".\n", self.one_of(SENTENCES), ".")
        )

    def details(self) -> Texts:
        """JSON objects, most of them empty."""
        return self.mostly_first(DETAILS)

    def parent(self, table: str) -> Texts:
        """Ids of rows of ``table``, some of them far more often than others."""
        ids = self.world.ids(table)
        return ids[(self.random.random(self.size) ** 1.5 * len(ids)).astype(np.int64)]

    def pair(self, left: str, right: str) -> tuple[Texts, Texts]:
        """Ids of a row of each table; no pair occurs twice in this table."""
        left_rows, right_rows = self.world.pairs(self.table, left, right)
        return self.world.ids(left)[self._mine(left_rows)], self.world.ids(right)[self._mine(right_rows)]

    def only_child_of(self, table: str) -> Texts:
        """Ids of rows of ``table``, none twice."""
        return self.world.ids(table)[self._mine(self.world.shuffled(self.table, table))]

    def sibling(self, share: float) -> Texts:
        """Ids of rows of this same table for so many of the rows, else None.

        The first rows refer to themselves, forwards, backwards, and to each other.
        """
        ids = self.world.ids(self.table)
        target = self.random.integers(0, self.total, size=self.size)
        absent = (self.numbers >= FIRST_FREE_ROW) & ~self.chance(share)
        for row, other in enumerate((0, 0, 3, 0, 5, 4)):
            target[self.numbers == row] = other
        siblings = ids[target]
        siblings[absent] = None
        return siblings

    def _mine(self, rows: RowNumbers) -> RowNumbers:
        return rows[self.first : self.first + self.size]

    def _sometimes_unusual(self, texts: Texts) -> Texts:
        unusual = self.chance(UNUSUAL_SHARE)
        pool = np.array(UNUSUAL_TEXTS, dtype=object)
        texts[unusual] = pool[self.random.integers(0, len(pool), size=int(unusual.sum()))]
        texts[self.chance(EMPTY_SHARE)] = ""
        return texts
