"""How long a server waits before it ends what the dialer has begun and does not go on with."""

IDLE_SECONDS = 5
"""How long a transaction may stand still before the server ends it: less than the shortest useful lease."""
LOCK_SECONDS = 3
"""How long a statement waits for a lock before its transaction is rolled back and tried again (Database.run).

Less than IDLE_SECONDS: a process may be frozen with statements on their way that wait for each other's locks. If they
waited for longer, each would get its lock when the one before is ended, and hold it, idle, for as long again.
"""
