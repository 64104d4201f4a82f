"""Every error this project raises on purpose, each with a sentence for a person and an exit status.

A difference between the two databases is not an error but a result; see ``compare``. An exception means
that no verdict was reached or that a guard refused to go on. Nothing here prints or exits: ``cli`` does.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from odyssey_assets.findings import Finding, Severity

EXIT_DONE = 0
EXIT_INTEGRITY = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_UNREACHABLE = 4
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
"""As shells tell of a command that SIGINT or SIGTERM ended."""


class OdysseyError(Exception):
    """Base of the tree. ``message`` says what is wrong, ``hint`` what to do next."""

    exit_status: ClassVar[int] = EXIT_INTEGRITY

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        table: str | None = None,
        column: str | None = None,
        key: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
        self.table = table
        self.column = column
        self.key = key


class IntegrityError(OdysseyError):
    """Something differs, or cannot be carried."""

    exit_status = EXIT_INTEGRITY


class ConfigurationError(OdysseyError):
    """Wrong usage or configuration: an option, a path, a URL, a file of the wrong kind."""

    exit_status = EXIT_USAGE


class RefusedError(OdysseyError):
    """A guard refused: another run holds the lock, the source is another one, too much would be deleted."""

    exit_status = EXIT_REFUSED


class UnreachableError(OdysseyError):
    """A database cannot be reached, or it turned us away."""

    exit_status = EXIT_UNREACHABLE


class InterruptedRunError(OdysseyError):
    """Somebody pressed Ctrl-C before anything was committed."""

    exit_status = EXIT_INTERRUPTED

    def __init__(self, message: str = "Interrupted by Ctrl-C.") -> None:
        super().__init__(message, hint="PostgreSQL takes back what was not committed.")


class TerminatedRunError(InterruptedRunError):
    """The system or its supervisor asked the process to end before anything was committed."""

    exit_status = EXIT_TERMINATED

    def __init__(self) -> None:
        super().__init__("Ended by SIGTERM.")


class FindingsError(IntegrityError):
    """Preflight found what cannot be carried; ``findings`` holds every objection, the message the first few."""

    def __init__(self, findings: Sequence[Finding], *, shown: int = 5) -> None:
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        more = f" ... and {len(errors) - shown:,} more." if len(errors) > shown else ""
        super().__init__(
            "This database cannot be carried as it is. "
            + " ".join(f"{each.sentence()}." for each in errors[:shown])
            + more,
            hint="Nothing was changed. Run odyssey preflight for the whole list.",
        )
        self.findings = tuple(findings)
