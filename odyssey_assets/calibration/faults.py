"""The faults that are planted, where, and which checks must tell of each: no fewer, and no more.

Belongs here: what a fault is, and the list. Does not belong here: planting (``target_faults``, ``engine_faults``).
"""

import math
import struct
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from odyssey_assets.compare.checks import CheckName
from odyssey_assets.model.enums import ROLE

ROW_COUNT, NULLS, ROWS_EQUAL = CheckName.ROW_COUNT, CheckName.NULLS, CheckName.ROWS_EQUAL
FOREIGN_KEYS, TAMPERING, SCHEMA = CheckName.FOREIGN_KEYS, CheckName.TAMPERING, CheckName.SCHEMA

Checks = frozenset[CheckName]


class RowChange(StrEnum):
    """What a fault does to the rows of its table."""

    CELL = "cell"
    EVERY_CELL = "every cell"
    SWAP = "swap"
    MISSING = "missing"
    EXTRA = "extra"


@dataclass(frozen=True)
class RowFault:
    """Rows of one table that are wrong. ``fits`` tells whether a value of the column can take the change.

    ``expected`` are the checks that fail where PostgreSQL holds the fault.
    """

    name: str
    table: str
    column: str | None
    expected: Checks
    what: RowChange = RowChange.CELL
    change: Callable[[Any], Any] = lambda value: value
    fits: Callable[[Any], bool] = lambda value: value is not None


@dataclass(frozen=True)
class SchemaFault:
    """Statements that spoil the schema of PostgreSQL. ``named`` must stand in what every check of ``telling`` says.

    ``then`` is a fault of rows that is planted with it, and named by key and column. The statements of ``after``
    follow it.
    """

    name: str
    table: str
    statements: tuple[str, ...]
    named: str
    expected: Checks
    telling: Checks
    then: RowFault | None = None
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceFault:
    """A statement that spoils SQLite after it was published; ``is_held_back`` asks for a new load with quarantine."""

    name: str
    table: str
    column: str
    statement: str
    expected: Checks
    is_held_back: bool = False


def _flip_lowest_bit(value: float) -> float:
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    (flipped,) = struct.unpack("<d", struct.pack("<q", bits ^ 1))
    return float(flipped)


def _other_last_byte(value: str) -> str:
    return value[:-1] + ("?" if value[-1] != "?" else "!")


def _next_label(value: str) -> str:
    labels = list(ROLE.enums)
    return str(labels[(labels.index(value) + 1) % len(labels)])


def _later(**time: float) -> Callable[[datetime], datetime]:
    return lambda value: value + timedelta(**time)


_CHANGED = frozenset({ROWS_EQUAL, TAMPERING})

ROW_FAULTS: tuple[RowFault, ...] = (
    RowFault("a row missing", "Vote", None, _CHANGED | {ROW_COUNT}, RowChange.MISSING),
    RowFault("a row too many", "Village", None, _CHANGED | {ROW_COUNT}, RowChange.EXTRA),
    RowFault("one byte of a text", "Feedback", "body", _CHANGED, change=_other_last_byte,
             fits=lambda value: value[-1:].isascii() and bool(value)),
    RowFault("one bit of a float", "Vote", "decayedWeight", _CHANGED, change=_flip_lowest_bit),
    RowFault("the sign of a zero", "Feedback", "spamScore", _CHANGED, change=lambda value: -value,
             fits=lambda value: value == 0 and math.copysign(1, value) > 0),
    RowFault("one millisecond", "Vote", "createdAt", _CHANGED, change=_later(milliseconds=1)),
    RowFault("empty text for NULL", "EmailLog", "messageId", _CHANGED | {NULLS}, change=lambda value: "",
             fits=lambda value: value is None),
    RowFault("a trailing space", "Village", "name", _CHANGED, change=lambda value: value + " "),
    RowFault("upper for lower case", "Feature", "title", _CHANGED, change=str.swapcase,
             fits=lambda value: value.swapcase() != value),
    RowFault("NFC for NFD", "Feedback", "title", _CHANGED, change=lambda value: unicodedata.normalize("NFC", value),
             fits=lambda value: unicodedata.normalize("NFC", value) != value),
    RowFault("two cells swapped between rows", "Vote", "createdAt", _CHANGED, RowChange.SWAP),
    RowFault("a boolean flipped", "Feedback", "hasPii", _CHANGED, change=lambda value: not value),
    RowFault("the next label of an enum", "User", "role", _CHANGED, change=_next_label),
    RowFault("a value inside a JSON document", "Event", "payload", _CHANGED,
             change=lambda value: value.replace('":"', '":"x', 1), fits=lambda value: '":"' in value),
    RowFault("a time zone: every moment two hours early", "AuthSession", "expires", _CHANGED, RowChange.EVERY_CELL,
             change=_later(hours=-2)),
)  # fmt: skip

ORPHAN = RowFault("an orphan", "Vote", "userId", _CHANGED, change=lambda value: f"{value}-gone")

_KEY = 'ALTER TABLE "Vote" DROP CONSTRAINT "Vote_userId_fkey"'
_KEY_AGAIN = (
    'ALTER TABLE "Vote" ADD CONSTRAINT "Vote_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id") '
    "ON UPDATE CASCADE ON DELETE"
)
_OF_KEY = frozenset({FOREIGN_KEYS, SCHEMA})
_OF_SCHEMA = frozenset({SCHEMA})

SCHEMA_FAULTS: tuple[SchemaFault, ...] = (
    SchemaFault("an orphan under a dropped foreign key", "Vote", (_KEY,), "Vote_userId_fkey",
                _CHANGED | _OF_KEY, _OF_KEY, then=ORPHAN),
    SchemaFault("an orphan under a foreign key that is NOT VALID", "Vote", (_KEY,), "Vote_userId_fkey",
                _CHANGED | _OF_KEY, _OF_KEY, then=ORPHAN, after=(f"{_KEY_AGAIN} CASCADE NOT VALID",)),
    SchemaFault("another ON DELETE action", "Vote", (_KEY, f"{_KEY_AGAIN} RESTRICT"), "Vote_userId_fkey",
                _OF_KEY, _OF_KEY),
    SchemaFault("an index missing", "Feedback", ('DROP INDEX "Feedback_state_idx"',), "Feedback_state_idx",
                _OF_SCHEMA, _OF_SCHEMA),
    SchemaFault("a unique index missing", "User", ('DROP INDEX "User_email_key"',), "User_email_key",
                _OF_SCHEMA, _OF_SCHEMA),
    SchemaFault("another default", "Vote", ('ALTER TABLE "Vote" ALTER "weight" SET DEFAULT 2',), "weight",
                _OF_SCHEMA, _OF_SCHEMA),
    SchemaFault("a required column that takes NULL", "Event", ('ALTER TABLE "Event" ALTER "type" DROP NOT NULL',),
                "type", _OF_SCHEMA, _OF_SCHEMA),
    SchemaFault("one label more in an enum", "User", ("""ALTER TYPE "Role" ADD VALUE 'GUEST'""",), "GUEST",
                _OF_SCHEMA, _OF_SCHEMA),
    SchemaFault("a column made timestamptz in a wrong time zone", "Notification",
                ('ALTER TABLE "Notification" ALTER "createdAt" TYPE timestamptz(3) '
                 "USING \"createdAt\" AT TIME ZONE 'Europe/Berlin'",),
                "createdAt", _CHANGED, frozenset()),
)  # fmt: skip

SOURCE_FAULTS: tuple[SourceFault, ...] = (
    SourceFault("a soft reference to nobody", "EmailLog", "userId",
                """UPDATE "EmailLog" SET "userId" = 'nobody' WHERE rowid = 1""",
                frozenset({CheckName.SOFT_REFERENCES})),
    SourceFault("a date as text in a column of numbers", "AuthSession", "expires",
                """UPDATE "AuthSession" SET "expires" = '2025-10-10T09:00:00.000+00:00' WHERE rowid = 1""",
                frozenset({CheckName.DATE_ENCODING})),
    SourceFault("a row that cannot be carried, held back", "Vote", "weight",
                """UPDATE "Vote" SET "weight" = 'heavy' WHERE rowid = 1""",
                frozenset({CheckName.QUARANTINE}), is_held_back=True),
)  # fmt: skip

SOURCE_MOVED_ON = SourceFault("the source has moved on", "Vote", "weight",
                              """UPDATE "Vote" SET "weight" = "weight" + 1""", frozenset())  # fmt: skip

HARMLESS: tuple[SchemaFault, ...] = (
    SchemaFault("a row written again as it was", "Vote", ('UPDATE "Vote" SET "weight" = "weight"',), "",
                frozenset(), frozenset()),
    SchemaFault("a column made timestamptz in UTC", "Notification",
                ('ALTER TABLE "Notification" ALTER "createdAt" TYPE timestamptz(3) '
                 "USING \"createdAt\" AT TIME ZONE 'UTC'",),
                "", frozenset(), frozenset()),
    SchemaFault("statistics, and dead rows removed", "Event", ('ANALYZE "Event"',), "", frozenset(), frozenset()),
)  # fmt: skip
"""The other half of the calibration: changes that are no fault, and must light nothing."""
