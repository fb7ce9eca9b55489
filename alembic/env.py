"""Runs the migrations: one at a time over the whole database server, in the schema of the settings."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection

import sql
from alembic import context
from worker.config import DatabaseSettings, load
from worker.db.dialect import dialect_of
from worker.db.migration import VERSION_TABLE, replaced
from worker.db.objects import objects_at


def _settings() -> DatabaseSettings:
    given = context.config.attributes.get("database")
    if given is not None:
        assert isinstance(given, DatabaseSettings)
        return given
    path = os.environ.get("DIALER_CONFIG")
    return load(Path(path) if path else None, os.environ).database


def _revision(connection: Connection) -> str | None:
    found = context.get_context().get_current_revision()
    connection.commit()  # in a transaction of ours Alembic would commit nothing
    return found


def _renew(
    connection: Connection, settings: DatabaseSettings, library: sql.Library, revision: str, *, installed: bool
) -> None:
    """Make routines, views and triggers anew where the database has not those of this program: a dump brings another
    user's, or none. What was amiss is handed to who has called us."""
    dialect = dialect_of(settings)
    objects = objects_at(library, dialect.name, revision)
    amiss = dialect.differing(connection, settings.schema, objects) if installed else []
    if amiss:
        with replaced(connection, library, revision):
            pass
    dialect.secure(connection, objects)
    connection.commit()
    context.config.attributes["renewed"] = [one.name for one in amiss]


def _run() -> None:
    settings = _settings()
    library = context.config.attributes.get("library", sql.LIBRARY)
    dialect = dialect_of(settings)
    engine = dialect.migration_engine(settings)
    try:
        with engine.connect() as connection, dialect.migrating(connection, settings.schema):
            context.configure(
                connection=connection,
                version_table=VERSION_TABLE,
                version_table_schema=settings.schema,
                transaction_per_migration=True,
                database=settings,
                library=library,
            )
            before = _revision(connection)
            with context.begin_transaction():
                context.run_migrations()
            after = _revision(connection)
            if after is not None and after == context.get_head_revision():
                _renew(connection, settings, library, after, installed=before is not None)
    finally:
        engine.dispose()


if context.is_offline_mode():
    raise SystemExit("alembic --sql is not offered: the routines are installed statement by statement.")
_run()
