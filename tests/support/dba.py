"""A DBA's own connection to either database: plain SQL, rows as dictionaries."""

from __future__ import annotations

from typing import Any, Protocol

import psycopg
import pymysql
import pymysql.cursors
from psycopg.rows import dict_row
from sqlalchemy import make_url


class Dba(Protocol):
    """What a DBA does; statements have %s for their values, and so %% for a percent sign."""

    quote: str
    """Around names that are reserved words."""

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Run a statement; its rows."""

    def close(self) -> None:
        """Give the connection up."""


class OfPostgreSQL:
    """psql in the dialer's schema."""

    quote = '"'

    def __init__(self, url: str, schema: str) -> None:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(
            plain, autocommit=True, row_factory=dict_row, options=f"-c search_path={schema},pg_temp"
        )

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        cursor = self._connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self._connection.close()


class OfMariaDB:
    """The mariadb client in the dialer's database."""

    quote = "`"

    def __init__(self, url: str) -> None:
        place = make_url(url)
        self._connection = pymysql.connect(
            host=place.host,
            port=place.port or 3306,
            user=place.username,
            password=place.password or "",
            database=place.database,
            autocommit=True,
            ssl_disabled=True,
            charset="utf8mb4",
            cursorclass=pymysql.cursors.DictCursor,
        )

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    def close(self) -> None:
        self._connection.close()


def dba(url: str, schema: str) -> Dba:
    """Connect to the database that a dialer's url names."""
    return OfMariaDB(url) if make_url(url).get_backend_name() == "mariadb" else OfPostgreSQL(url, schema)
