"""The servers that calls may be begun from: dialer_servers.

A copy of the database (a dump restored for a look, say) has started projects, and would call the same people. So the
server of the first migration is listed, and no worker works with another until somebody says that it takes the place of
the first: `dialer takeover`.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from worker.config import DatabaseSettings
from worker.db.dialect import Dialect
from worker.errors import Mistake

TABLE = "dialer_servers"


def unknown(connection: Connection, dialect: Dialect, settings: DatabaseSettings) -> Mistake | None:
    """The complaint about a server that is not listed. If one of its names is listed, the others are added now: another
    server in the same settings is a standby that may be promoted."""
    if _new(connection, names := dialect.identities(connection, settings)) == names:
        return Mistake(
            "the server",
            f"({', '.join(names)}) is not known to {TABLE}, so this may be a copy of the database",
            "Nothing is dialled from it; if it is to take the original's place, run `dialer takeover`.",
        )
    know(connection, dialect, settings, "named beside one that is known")
    return None


def know(connection: Connection, dialect: Dialect, settings: DatabaseSettings, note: str) -> list[str]:
    """List this server, under all its names; returns the new ones."""
    new = _new(connection, dialect.identities(connection, settings))
    for name in new:
        connection.execute(
            text(f"INSERT INTO {TABLE} (identity, note) VALUES (:identity, :note)"),  # noqa: S608 - our own name
            {"identity": name, "note": note},
        )
    return new


def _new(connection: Connection, names: list[str]) -> list[str]:
    known = set(connection.execute(text(f"SELECT identity FROM {TABLE}")).scalars())  # noqa: S608 - our own name
    return [name for name in names if name not in known]
