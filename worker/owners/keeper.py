"""A worker's lease: renewed in time, or this worker stops dialling by itself.

Leases are about machines, so this module goes by the machine's own time, even when calls live on a virtual clock; and
by a clock that runs on while the machine is suspended, as the database's does. Dialling stops a margin before the lease
ends, and the lease is counted from just before the renewal was sent: whatever the network does, the database's lease
ends later than assumed here.
"""

from __future__ import annotations

import logging
import time

from worker.config import WorkerSettings
from worker.db import Database
from worker.db.routines.owners import Owners
from worker.model import Ownership

log = logging.getLogger(__name__)

BEATS_PER_LEASE = 4
MARGIN = 0.2
"""The fraction of the lease by which dialling stops before its end."""


def _machine_seconds() -> float:
    """Seconds that never jump, a suspended machine's sleep included (clock_gettime(2), CLOCK_BOOTTIME)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Keeper:
    """Registers the worker, renews its lease, takes Asterisks that nobody owns."""

    def __init__(self, database: Database, settings: WorkerSettings) -> None:
        self._owners = Owners(database)
        self._settings = settings
        self._worker_id: int | None = None
        self._fence = 0.0
        self._lease_end = 0.0
        self.beat_seconds = settings.lease_seconds / BEATS_PER_LEASE

    def may_dial(self) -> bool:
        """Is it certain that the lease holds?"""
        return _machine_seconds() < self._fence

    def beat(self) -> bool:
        """Renew the lease, or register; True: the Asterisks owned have to be confirmed.

        An Asterisk can be taken from a worker only once its lease has run out. So there is something to confirm
        after a new registration, and after a renewal that may have come too late. Raises DatabaseUnavailable.
        """
        asked = _machine_seconds()
        lease = self._settings.lease_seconds
        unsure = False
        if self._worker_id is None or not self._owners.beat(self._worker_id, lease):
            self._fence = 0.0
            asked = _machine_seconds()
            self._worker_id = self._owners.start_worker(self._settings.name, lease)
            log.info("registered", extra={"action": "worker_start", "worker_id": self._worker_id})
            unsure = True
        unsure = unsure or _machine_seconds() >= self._lease_end
        self._fence = asked + lease * (1 - MARGIN)
        self._lease_end = asked + lease
        return unsure

    def own(self, asterisk: str) -> Ownership | None:
        """Take an Asterisk, or confirm it; None: another worker owns it. Raises DatabaseUnavailable."""
        if self._worker_id is None:
            return None
        return self._owners.own(self._worker_id, asterisk, self._settings.lease_seconds)

    def sign_off(self) -> None:
        """Sign off, giving everything back. Raises DatabaseUnavailable; then the lease runs out by itself."""
        self._fence = 0.0
        if self._worker_id is not None:
            self._owners.stop_worker(self._worker_id)
            log.info("signed off", extra={"action": "worker_stop", "worker_id": self._worker_id})
            self._worker_id = None
