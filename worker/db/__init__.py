"""The database: connections and transactions (database.py), what each dialect does its own way, and the
routines, one typed function each (procedures.py)."""

from worker.db.database import Database

__all__ = ["Database"]
