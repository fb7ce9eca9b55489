"""`dialer takeover`: allows calls to be begun from this database server, too."""

from __future__ import annotations

from collections.abc import Iterator

from worker.config import DatabaseSettings
from worker.db import Database
from worker.db.routines.projects import Projects
from worker.db.routines.servers import Servers


def takeover(settings: DatabaseSettings, *, stop: bool) -> Iterator[str]:
    """List the settings' server among those that calls may be begun from; `stop`: stop all projects first.

    Yields a sentence for each thing it is about to do. Raises DatabaseNotAtHead, DatabaseUnavailable.
    """
    database = Database(settings)
    try:
        database.require_head()
        servers, projects = Servers(database), Projects(database)
        names = ", ".join(servers.names())
        if servers.fault() is None:
            yield f"The server of {settings.where()} ({names}) is known already; there is nothing to take over."
        else:
            known = ", ".join(servers.known())
            yield (
                f"The server of {settings.where()} ({names}) is written down beside {known or 'none'}."
                " See to it that no dialer works with the other one any more: both would call the same people."
            )
        wanted = projects.wanted()
        if wanted and stop:
            yield f"Stopped before that: {', '.join(wanted)}."
            for project in wanted:
                projects.stop(project)
        elif wanted:
            yield f"A worker that starts dials at once: {', '.join(wanted)}. `--stop` stops them first."
        servers.know("by dialer takeover")
    finally:
        database.dispose()
