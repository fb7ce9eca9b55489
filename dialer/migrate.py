"""`dialer migrate`: brings the settings' database to a revision, from whatever directory it is asked."""

from __future__ import annotations

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from alembic import command
from worker.config import DatabaseSettings
from worker.db import Database
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
