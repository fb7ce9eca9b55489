"""Runs the migrations: one at a time over the whole database server, in the schema of the settings."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import create_engine, pool, text

from alembic import context
from worker.config import DatabaseSettings, load
from worker.db.migration import VERSION_TABLE

# Any number will do; it keeps two `dialer migrate` from running into each other.
_LOCK = 5_417_003


def _settings() -> DatabaseSettings:
    given = context.config.attributes.get("database")
    if given is not None:
        assert isinstance(given, DatabaseSettings)
        return given
    path = os.environ.get("DIALER_CONFIG")
    return load(Path(path) if path else None, os.environ).database


def _run() -> None:
    settings = _settings()
    engine = create_engine(settings.url(), poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            quoted = connection.dialect.identifier_preparer.quote(settings.schema)
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted}"))
            connection.execute(text(f"SET search_path TO {quoted}, pg_temp"))
            connection.commit()
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
