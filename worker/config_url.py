"""What stands behind the '?' of a database's url: options for its driver, told wrong here and not when it connects."""

from __future__ import annotations

import inspect
from typing import Any

import psycopg
import pymysql
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL
from sqlalchemy.exc import ArgumentError


def wrong_option(url: URL) -> str | None:
    """The first option that the driver cannot take, or "" if it is not one alone; None: all is well."""
    if _taken(url):
        return None
    alone = (name for name, value in url.query.items() if not _taken(url.set(host="h", query={name: value})))
    return next(alone, "")


def _taken(url: URL) -> bool:
    """Names and types alone: what a value means, only a server can say."""
    dialect: Any = url.get_dialect()
    try:
        _, arguments = dialect().create_connect_args(url)
        if dialect.driver == "psycopg":
            make_conninfo(**arguments)
            return True
        inspect.signature(pymysql.Connection.__init__).bind(None, **arguments)
    except (ArgumentError, TypeError, ValueError, psycopg.ProgrammingError):
        return False
    return not any(isinstance(value, tuple) for value in url.query.values())  # only libpq knows lists
