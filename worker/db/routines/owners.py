"""Workers, the Asterisks that they own, and what they report about them to readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from worker.db.routines.base import TELL_SECONDS, Routines, sentence, stored_json
from worker.model import Ownership, storable

OWN_SECONDS = 2.0
"""For taking, confirming and yielding an Asterisk: the lease on the other Asterisks must not run out meanwhile."""


class Owners(Routines):
    """Who may dial on which Asterisk."""

    def start_worker(self, name: str, lease_seconds: float) -> int:
        """Register a worker; its id."""
        return int(self._database.value("dialer_worker_start", name, lease_seconds))

    def beat(self, worker_id: int, lease_seconds: float) -> bool:
        """Renew the worker's lease; False: it was declared dead and has to register anew."""
        # A renewal that takes longer would usually come too late; another one is tried then.
        limit = lease_seconds / 2
        return bool(self._database.value("dialer_worker_beat", worker_id, lease_seconds, timeout_seconds=limit))

    def stop_worker(self, worker_id: int) -> None:
        """Sign off: give back everything owned and claimed."""
        self._database.call("dialer_worker_stop", worker_id)

    def live_workers(self) -> list[str]:
        """The names of the workers whose lease has not run out."""
        rows = self._database.query(
            "SELECT name FROM dialer_workers WHERE stopped_at IS NULL AND lease_until > CURRENT_TIMESTAMP ORDER BY id"
        )
        return [str(row["name"]) for row in rows]

    def own(self, worker_id: int, asterisk: str, lease_seconds: float) -> Ownership | None:
        """Take an Asterisk, or confirm that it is ours; None while another worker owns it."""
        epoch = self._database.value(
            "dialer_asterisk_own", worker_id, asterisk, lease_seconds, timeout_seconds=OWN_SECONDS
        )
        return None if epoch is None else Ownership(worker_id, asterisk, int(epoch))

    def yield_asterisk(self, owner: Ownership, reason: str) -> bool:
        """Give an Asterisk that cannot be reached to another worker; False: there is none, or it is not ours."""
        return bool(
            self._database.value(
                "dialer_asterisk_yield",
                owner.worker_id,
                owner.asterisk,
                owner.epoch,
                storable(reason),
                timeout_seconds=OWN_SECONDS,
            )
        )

    def report_asterisk(self, owner: Ownership, state: str, reason: str | None) -> None:
        """Tell readers that an Asterisk is up or down, and why."""
        self._database.call(
            "dialer_asterisk_report",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            state,
            sentence(reason),
            timeout_seconds=TELL_SECONDS,
        )

    def write_agents(self, owner: Ownership, members: Sequence[Mapping[str, Any]], now: datetime | None) -> None:
        """Tell readers what all queue members of an Asterisk do."""
        self._database.call(
            "dialer_agents_write",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            stored_json(members),
            now,
            timeout_seconds=TELL_SECONDS,
        )
