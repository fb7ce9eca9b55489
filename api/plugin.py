"""What every handler gets: the database as `db`, and its errors turned into JSON with the right status.

A handler returns a dict, or raises. An error of ours becomes {"error": sentence, "remedy": what to do} with
the status of the table below; what the database server refuses is a 503 with its reason. Whatever else is raised is a
mistake in the program: it is logged in full, and the caller learns only that it happened.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import bottle
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

if TYPE_CHECKING:
    from worker.db import Database
    from worker.model import ProjectStatus, Readiness

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


class Procedures(Protocol):
    """What the API asks of the database: the part of worker.db.procedures that it uses."""

    def project_start(self, database: Database, project_id: str, /) -> ProjectStatus: ...

    def project_stop(self, database: Database, project_id: str, /) -> ProjectStatus: ...

    def project_list(self, database: Database, /) -> list[dict[str, Any]]: ...

    def project_row(self, database: Database, project_id: str, /) -> dict[str, Any] | None: ...

    def project_statistics(self, database: Database, project_id: str, /) -> dict[str, Any]: ...

    def readiness(self, database: Database, /) -> Readiness: ...


class Db:
    """The database as a handler sees it; each call is one routine or view."""

    def __init__(self, database: Database, procedures: Procedures) -> None:
        self._database = database
        self._procedures = procedures

    def start(self, project_id: str) -> ProjectStatus:
        return self._procedures.project_start(self._database, project_id)

    def stop(self, project_id: str) -> ProjectStatus:
        return self._procedures.project_stop(self._database, project_id)

    def projects(self) -> list[dict[str, Any]]:
        return self._procedures.project_list(self._database)

    def project(self, project_id: str) -> dict[str, Any]:
        row = self._procedures.project_row(self._database, project_id)
        if row is None:
            raise UnknownProject(project_id)
        return row

    def statistics(self, project_id: str) -> dict[str, Any]:
        return self._procedures.project_statistics(self._database, project_id)

    def readiness(self) -> Readiness:
        """Can the dialer do its work, and for whom not?"""
        return self._procedures.readiness(self._database)


class DatabasePlugin:
    """Hands `db` to the handlers that have a parameter of that name."""

    name = "database"
    api = 2

    def __init__(self, db: Db) -> None:
        self._db = db

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        if "db" not in inspect.signature(route.callback).parameters:
            return callback

        def with_database(*args: Any, **kwargs: Any) -> Any:
            return callback(*args, db=self._db, **kwargs)

        return with_database


class JsonPlugin:
    """Dicts become JSON responses, errors become {"error", "remedy"}."""

    name = "json-answers"
    api = 2

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        def answered(*args: Any, **kwargs: Any) -> bottle.HTTPResponse:
            try:
                body = callback(*args, **kwargs)
            except bottle.HTTPResponse:
                raise
            except DialerError as error:
                return refusal_of(error)
            except SQLAlchemyError as error:
                log.warning("The database refused a request", extra={"action": "http_refused"}, exc_info=True)
                return _try_later(told(error), "Run `dialer check`.")
            except Exception as error:
                log.exception("A request failed", extra={"action": "http_error", "rule": route.rule})
                return refusal(500, told(error), "See the dialer's log.")
            return body if isinstance(body, bottle.HTTPResponse) else answer(body)

        return answered


def answer(body: Mapping[str, Any], status: int = 200, **headers: str) -> bottle.HTTPResponse:
    """A JSON response that nobody may keep: a state is true only now, and a repeated control acts again."""
    response = bottle.HTTPResponse(json.dumps(body, default=_plain, ensure_ascii=False) + "\n", status)
    response.set_header("Content-Type", "application/json; charset=utf-8")
    response.set_header("Cache-Control", "no-store")
    response.set_header("X-Content-Type-Options", "nosniff")
    for name, value in headers.items():
        response.set_header(name.replace("_", "-"), value)
    return response


def refusal(status: int, error: str, remedy: str, **headers: str) -> bottle.HTTPResponse:
    return answer({"error": error, "remedy": remedy}, status, **headers)


def refusal_of(error: DialerError) -> bottle.HTTPResponse:
    """The response to one of our own errors."""
    status, remedy = next(
        (found for kind, found in _STATUS.items() if isinstance(error, kind)), (500, "See the dialer's log.")
    )
    if isinstance(error, DatabaseNotAtHead | DatabaseRefused):
        remedy = error.remedy  # the error knows better what is amiss
    if status >= 500:
        log.warning("A request was refused", extra={"action": "http_refused", "status": status, "error": str(error)})
    return _try_later(str(error), remedy) if status == 503 else refusal(status, str(error), remedy)


def told(error: Exception) -> str:
    """What was not one of our own errors, as a sentence: the server's reason, but nothing of a mistake of ours."""
    if isinstance(error, SQLAlchemyError):
        return f"The database refused what the dialer asked: {reason(error)}."
    return "The request failed inside the dialer."


def _try_later(error: str, remedy: str) -> bottle.HTTPResponse:
    return refusal(503, error, remedy, Retry_After=str(RETRY_AFTER_SECONDS))


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
