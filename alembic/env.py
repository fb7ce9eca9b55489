"""Runs the migrations: one at a time over the whole database server, in the schema of the settings."""

from __future__ import annotations

import os
from pathlib import Path

from alembic import context
from worker.config import DatabaseSettings, load
from worker.db.dialect import dialect_of
from worker.db.migration import VERSION_TABLE


def _settings() -> DatabaseSettings:
    given = context.config.attributes.get("database")
    if given is not None:
        assert isinstance(given, DatabaseSettings)
        return given
    path = os.environ.get("DIALER_CONFIG")
    return load(Path(path) if path else None, os.environ).database


def _run() -> None:
    settings = _settings()
    dialect = dialect_of(settings)
    engine = dialect.migration_engine(settings)
    try:
        with engine.connect() as connection, dialect.migrating(connection, settings.schema):
            context.configure(
                connection=connection,
                version_table=VERSION_TABLE,
                version_table_schema=settings.schema,
                transaction_per_migration=True,
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()


if context.is_offline_mode():
    raise SystemExit("alembic --sql is not offered: the routines are installed statement by statement.")
_run()
