"""The sign of life: a URL that is asked for after each healthy tick, so that somebody notices silence.

Belongs here: one HTTP request. Does not belong here: deciding what is healthy (``tick``).
"""

import urllib.error
import urllib.request
from http.client import HTTPException

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

_TIMEOUT_SECONDS = 5
_ATTEMPTS = 2
_WAIT_SECONDS = 0.5


def ping(url: str) -> bool:
    """Ask for the URL; True where it answered with success. A missed beat is for the other side to notice."""
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type((OSError, HTTPException)),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_fixed(_WAIT_SECONDS),
        ):
            with attempt:
                _ask(url)
    except (RetryError, ValueError):
        return False
    return True


def _ask(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        raise
