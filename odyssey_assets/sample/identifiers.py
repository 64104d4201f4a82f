"""Identifiers as the application makes them: cuids, prefixed ULIDs, random tokens.

Belongs here: alphabets and layouts of identifiers. Does not belong here: which rows refer to which.
"""

import numpy as np
from numpy.typing import NDArray

from odyssey_assets.sample.dates import Moments

Texts = NDArray[np.object_]
"""Python strings, or None for NULL."""

ULID_PREFIXES = {
    "User": "usr_",
    "Feedback": "fb_",
    "Panel": "pan_",
    "Questionnaire": "qnn_",
    "RoadmapItem": "rmp_",
    "Session": "ses_",
}
"""Tables whose ids the application makes itself; all others have Prisma's cuid."""

_BASE36 = np.frombuffer(b"0123456789abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
_CROCKFORD = np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", dtype=np.uint8)


def new_ids(table: str, random: np.random.Generator, created: Moments, first: int) -> Texts:
    """Ids of rows created then, in the form the table has; ``first`` is the number of the first of these rows."""
    if table in ULID_PREFIXES:
        return ulids(ULID_PREFIXES[table], random, created)
    return cuids(random, created, first)


def cuids(random: np.random.Generator, created: Moments, first: int) -> Texts:
    """25 characters: c, time, counter, fingerprint, randomness."""
    size = len(created)
    counter = np.arange(first, first + size, dtype=np.int64) % len(_BASE36) ** 4
    fingerprint = np.tile(np.frombuffer(b"o47d", dtype=np.uint8), (size, 1))
    return _as_texts(
        np.full((size, 1), ord("c"), dtype=np.uint8),
        _digits(created.astype(np.int64), 8, _BASE36),
        _digits(counter, 4, _BASE36),
        fingerprint,
        _random_characters(random, size, 8, _BASE36),
    )


def ulids(prefix: str, random: np.random.Generator, created: Moments) -> Texts:
    """``prefix`` and 26 characters of Crockford's base 32: time, randomness."""
    ulid = _as_texts(
        _digits(created.astype(np.int64), 10, _CROCKFORD), _random_characters(random, len(created), 16, _CROCKFORD)
    )
    return np.asarray(prefix + ulid, dtype=object)


def tokens(random: np.random.Generator, size: int, length: int) -> Texts:
    """Random lower case letters and digits, as in session tokens and secrets."""
    return _as_texts(_random_characters(random, size, length, _BASE36))


def _digits(numbers: NDArray[np.int64], width: int, alphabet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    places = len(alphabet) ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return np.take(alphabet, numbers[:, np.newaxis] // places % len(alphabet))


def _random_characters(
    random: np.random.Generator, size: int, length: int, alphabet: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    return np.take(alphabet, random.integers(0, len(alphabet), size=(size, length), dtype=np.uint8))


def _as_texts(*parts: NDArray[np.uint8]) -> Texts:
    characters = np.ascontiguousarray(np.hstack(parts))
    return characters.view(f"S{characters.shape[1]}").ravel().astype(str).astype(object)
