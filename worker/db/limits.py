"""Time limits after which the server ends what a dialer session has begun and does not continue."""

IDLE_SECONDS = 5
"""Seconds that a transaction may be idle before the server ends it: less than the shortest useful lease."""
LOCK_SECONDS = 3
"""How long a statement waits for a lock before its transaction is rolled back and tried again (Database.run).

Less than IDLE_SECONDS: a frozen process may have several statements waiting for each other's locks. If they waited
longer, each would get its lock when the one before it is ended, and then hold it, idle, just as long.
"""
