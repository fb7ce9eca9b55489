"""The answer to a request that is refused or fails: a sentence, what to do about it, and the status.

A handler raises Refused, or lets an error of ours through. What the database server refuses is a 503 with its reason.
Any other exception is a mistake in the program: it is logged in full, and the caller learns only that it happened.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from worker.db.database import reason
from worker.errors import (
    DatabaseNotAtHead,
    DatabaseRefused,
    DatabaseUnavailable,
    DialerError,
    StatementTimedOut,
    UnknownProject,
)

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
_STATUS: Mapping[type[DialerError], tuple[int, str]] = {
    UnknownProject: (404, "Insert a row with that project_id into dialer_params, or see GET /projects."),
    DatabaseUnavailable: (
        503,
        "Try again in a few seconds; if that does not help, look at the database server.",
    ),
    StatementTimedOut: (503, "End or commit the transaction that is in its way, then try again."),
    DatabaseNotAtHead: (503, "Run `dialer migrate`."),
}


class Refused(Exception):  # noqa: N818 - an answer, not a mistake
    """A request that is refused. error, remedy: sentences; headers: by name."""

    def __init__(self, status: int, error: str, remedy: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.remedy = remedy
        self.headers = headers or {}


def refused_by(error: Exception, rule: str) -> Refused:
    """The refusal that an error means; it is logged where somebody has to know. rule: the route's, for the log."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, DialerError):
        return _of_ours(error)
    if isinstance(error, SQLAlchemyError):
        log.warning("The database refused a request", extra={"action": "http_refused"}, exc_info=error)
        return later(told(error), "Run `dialer check`.")
    log.error("A request failed", extra={"action": "http_error", "rule": rule}, exc_info=error)
    return Refused(500, told(error), "See the dialer's log.")


def _of_ours(error: DialerError) -> Refused:
    status, remedy = next(
        (found for kind, found in _STATUS.items() if isinstance(error, kind)), (500, "See the dialer's log.")
    )
    if isinstance(error, DatabaseNotAtHead | DatabaseRefused):
        remedy = error.remedy  # the error itself says better what is wrong
    if status >= 500:
        log.warning("A request was refused", extra={"action": "http_refused", "status": status, "error": str(error)})
    return later(str(error), remedy) if status == 503 else Refused(status, str(error), remedy)


def told(error: Exception) -> str:
    """A sentence for an error that is not one of ours: the database server's reason, but no details of our own
    mistakes."""
    if isinstance(error, SQLAlchemyError):
        return f"The database refused what the dialer asked: {reason(error)}."
    return "The request failed inside the dialer."


def later(error: str, remedy: str) -> Refused:
    """A refusal that may be over in a moment: 503, and when to try again."""
    return Refused(503, error, remedy, {"Retry-After": str(RETRY_AFTER_SECONDS)})
