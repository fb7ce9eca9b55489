"""`dialer takeover`: calls may be begun from this database server from now on, too."""

from __future__ import annotations

from collections.abc import Iterator

from worker.config import DatabaseSettings
from worker.db import Database, procedures, servers


def takeover(settings: DatabaseSettings, *, stop: bool) -> Iterator[str]:
    """Write the server of the settings down as one that is known; `stop`: all projects are stopped before that.

    Gives what it does as sentences, each before it is done. Raises DatabaseNotAtHead, DatabaseUnavailable.
    """
    database = Database(settings)
    try:
        database.require_head()
        with database.transaction() as connection:
            names = ", ".join(database.dialect.identities(connection, settings))
            unknown = servers.unknown(connection, database.dialect, settings)
        if unknown is None:
            yield f"The server of {settings.where()} ({names}) is known already; there is nothing to take over."
        else:
            known = ", ".join(row["identity"] for row in database.query("SELECT identity FROM dialer_servers"))
            yield (
                f"The server of {settings.where()} ({names}) is written down beside {known or 'none'}."
                " See to it that no dialer works with the other one any more: both would call the same people."
            )
        running = "SELECT project_id FROM dialer_projects WHERE wanted = 'start' ORDER BY project_id"
        wanted = [str(row["project_id"]) for row in database.query(running)]
        if wanted and stop:
            yield f"Stopped before that: {', '.join(wanted)}."
            for project in wanted:
                procedures.project_stop(database, project)
        elif wanted:
            yield f"A worker that starts dials at once: {', '.join(wanted)}. `--stop` stops them first."
        with database.transaction() as connection:
            servers.know(connection, database.dialect, settings, "by dialer takeover")
    finally:
        database.dispose()
