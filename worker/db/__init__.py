"""The database: connections and transactions (database.py), what each dialect does its own way (dialect.py, with
postgresql.py and mariadb.py behind it), and the routines, one typed function each (procedures.py)."""

from worker.db.database import Database

__all__ = ["Database"]
