"""The database: connections and transactions (database.py), what each dialect does its own way (dialect.py, with
postgresql.py and mariadb.py behind it), and the routines as typed objects (routines/)."""

from worker.db.database import Database

__all__ = ["Database"]
