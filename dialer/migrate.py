"""`dialer migrate`: brings the settings' database to a revision; works from any directory."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from alembic import command
from worker.config import DatabaseSettings
from worker.db import Database
from worker.db.database import cause, reason
from worker.db.migration import config, head, knows, step_from
from worker.db.routines.attempts import Attempts
from worker.db.routines.cases import Cases
from worker.db.routines.owners import Owners
from worker.errors import DatabaseNotAtHead, DatabaseUnavailable, DialerError

T = TypeVar("T")

_COMMENT = re.compile(r"--[^\n]*\n")
_HEAD = re.compile(r"\s*((?:CREATE|DROP|ALTER|INSERT|UPDATE|DELETE|GRANT|REVOKE|COMMENT)\b[^(;]*?\bdialer_\w+)")
"""The beginning of a statement, up to the first name of ours."""
_NAMED = 5
"""The most routines, views and triggers to name when they were made anew."""


def migrate(settings: DatabaseSettings, revision: str = "head", *, down: bool = False) -> str:
    """Take the schema up or down to a revision; if it is there already, nothing is done. But at head, routines, views
    and triggers are made anew if some are missing or differ from this program's.

    Returns what was done as a sentence.
    """
    database = Database(settings)
    settled = config(settings)
    try:
        before = database.revision()
        if before is not None and not knows(before):
            raise DatabaseNotAtHead(settings.where(), before, head(), newer=True)
        (command.downgrade if down else command.upgrade)(settled, revision)
        after = database.revision()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseUnavailable(settings.where(), reason(error)) from error
        raise DialerError(
            f"The database {settings.where()} refused {_step(database, down)}{_at(error)}: {reason(error).rstrip('.')}."
            f" {database.dialect.remedy(cause(error), settings)} Then run `dialer migrate` again: it goes on where it"
            " stopped."
        ) from error
    except CommandError as error:
        raise DialerError(
            f"There is no way to revision {revision!r}: {str(error).rstrip('.')}. `dialer migrate` goes to head."
        ) from error
    finally:
        database.dispose()
    return _told(settings, before, after, settled.attributes.get("renewed", []))


def _step(database: Database, down: bool) -> str:
    """The step that was under way when it stopped; the steps before it are committed."""
    try:
        before = database.revision()
    except (DBAPIError, DialerError):
        return "the migration"
    step = step_from(before, down=down)
    return f"revision {step}" if step else f"the routines, views and triggers of revision {before}"


def _at(error: DBAPIError) -> str:
    statement = _COMMENT.sub("", error.statement or "")
    head = _HEAD.match(statement)
    return f" at `{' '.join(head[1].split())}`" if head else ""


def _told(settings: DatabaseSettings, before: str | None, after: str | None, renewed: list[str]) -> str:
    where = f"The database {settings.where()}"
    moved = f"{where} went from {before or 'base'} to {after or 'base'}."
    if renewed:
        names = ", ".join(renewed[:_NAMED]) + (", …" if len(renewed) > _NAMED else "")
        anew = (
            f"Its routines, views and triggers were made anew: {len(renewed)} of them were missing or not as this"
            f" program has them ({names})."
        )
        return f"{where} is at {after}. {anew}" if before == after else f"{moved} {anew}"
    if before == after:
        return f"{where} is at {after or 'base'}; there was nothing to do."
    return moved


def require_unused(settings: DatabaseSettings, revision: str) -> None:
    """Raise unless the schema may go down to a revision: no worker may be running on it and, if all of it goes, it must
    hold no case and no attempt. Checks that fail because half of the schema has gone already do not stop it."""
    database = Database(settings)

    def ask(question: Callable[[], T], unknown: T) -> T:
        try:
            return question()
        except DBAPIError:
            return unknown

    try:
        if database.revision() is None:
            return
        none: list[str] = []
        workers = ask(Owners(database).live_workers, none)
        attempts = Attempts(database)
        questions = {"cases": Cases(database).count, "calls": attempts.count_open, "attempts": attempts.count_ended}
        counts = {word: ask(question, 0) for word, question in questions.items() if revision == "base"}
    finally:
        database.dispose()
    if workers:
        names = ", ".join(map(repr, workers))
        raise DialerError(f"The database {settings.where()} is in use by {names}. Stop every worker first.")
    held = [f"{count} {word}" for word, count in counts.items() if count]
    if held:
        raise DialerError(
            f"The database {settings.where()} holds {' and '.join(held)}, which would be deleted."
            " Save what is needed, then say `dialer migrate --down base --delete-everything`."
        )
