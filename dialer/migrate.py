"""`dialer migrate`: brings the settings' database to a revision, from whatever directory it is asked."""

from __future__ import annotations

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from alembic import command
from worker.config import DatabaseSettings
from worker.db import Database
from worker.db.database import Row
from worker.db.migration import config, head, knows
from worker.errors import DatabaseNotAtHead, DatabaseUnavailable, DialerError


def migrate(settings: DatabaseSettings, revision: str = "head", *, down: bool = False) -> str:
    """Take the schema up, or down, to a revision; going where it is already does nothing.

    Returns what was done as a sentence.
    """
    database = Database(settings)
    try:
        before = database.revision()
        if before is not None and not knows(before):
            raise DatabaseNotAtHead(settings.where(), before, head(), newer=True)
        (command.downgrade if down else command.upgrade)(config(settings), revision)
        after = database.revision()
    except DBAPIError as error:
        told = str(error.orig).strip()
        if error.connection_invalidated:
            raise DatabaseUnavailable(settings.where(), told) from error
        raise DialerError(
            f"The database {settings.where()} refused the migration to {revision!r}: {told}."
            " Look at the rights of Username on Scheme, then run `dialer migrate` again: it goes on where it stopped."
        ) from error
    except CommandError as error:
        raise DialerError(
            f"There is no way to revision {revision!r}: {error}. `dialer migrate` goes to head."
        ) from error
    finally:
        database.dispose()
    if before == after:
        return f"The database {settings.where()} is at {after or 'base'}; there was nothing to do."
    return f"The database {settings.where()} went from {before or 'base'} to {after or 'base'}."


def require_unused(settings: DatabaseSettings, revision: str) -> None:
    """Raise unless the schema may go down to a revision: no worker is at work on it and, where all of it goes, no case
    and no attempt is in it. What cannot be asked, since half of it has gone already, is in nobody's way."""
    database = Database(settings)

    def ask(question: str) -> list[Row]:
        try:
            return database.query(question)
        except DBAPIError:
            return []

    try:
        if database.revision() is None:
            return
        workers = ask("SELECT name FROM dialer_workers WHERE stopped_at IS NULL AND lease_until > CURRENT_TIMESTAMP")
        tables = {"cases": "dialer_clients", "calls": "dialer_calls", "attempts": "dialer_attempts"}
        counts = {
            word: ask(f"SELECT count(*) AS n FROM {table}")  # noqa: S608 - names of ours
            for word, table in tables.items()
            if revision == "base"
        }
    finally:
        database.dispose()
    if workers:
        names = ", ".join(repr(row["name"]) for row in workers)
        raise DialerError(f"The database {settings.where()} is in use by {names}. Stop every worker first.")
    held = [f"{rows[0]['n']} {word}" for word, rows in counts.items() if rows and rows[0]["n"]]
    if held:
        raise DialerError(
            f"The database {settings.where()} holds {' and '.join(held)}, which would be deleted."
            " Save what is needed, then say `dialer migrate --down base --delete-everything`."
        )
