"""Writes what the tracker has found into the database: in batches, in order, until it is written.

A call ends in memory first; what is not written yet is kept here and told again after a database outage.
Ages are told, not instants, so a wait makes nothing wrong. The routines take a report once, however often it
is told.
"""

from __future__ import annotations

import logging
from datetime import datetime

from gevent.lock import RLock
from sqlalchemy.exc import DBAPIError

from worker.clock import Clock
from worker.db import Database, procedures
from worker.errors import DatabaseUnavailable
from worker.log import masked
from worker.model import Ownership, storable
from worker.tracker import Call, Tracker

log = logging.getLogger(__name__)

BATCH = 200
"""Reports in one transaction: long enough to be cheap, short enough not to hold trunk rows for long."""
RETRY_SECONDS = 60.0
"""Until an end that the database refused is told again: what refuses it (a trigger of the DBA's) can be put right."""


class Ledger:
    """The reports of one Asterisk's calls, on their way to the database."""

    def __init__(self, database: Database, clock: Clock, tracker: Tracker, owner: Ownership) -> None:
        self._database = database
        self._clock = clock
        self._tracker = tracker
        self._owner = owner
        self._ended: list[Call] = []
        self._refused: list[Call] = []
        self._retry_at = 0.0
        self._lock = RLock()
        self.disowned = False
        """The database refused a report: the lease was over. What there is to tell is kept, in case nobody else has
        taken the Asterisk meanwhile."""

    def pending(self) -> int:
        """How many ends are not written yet; without those that the database refuses, for which nobody need wait."""
        return len(self._ended) + len(self._tracker.over)

    def holds(self, attempt_id: int) -> bool:
        """Has this attempt ended here, with its end not written yet?"""
        return any(call.attempt_id == attempt_id for call in (*self._ended, *self._refused, *self._tracker.over))

    def flush(self) -> None:
        """Write what there is. Raises DatabaseUnavailable; then everything is kept for the next time.

        When it returns, all that had ended before is written, whoever wrote it.
        """
        with self._lock:  # two at once would both write the first batch, and drop the second one unwritten
            self._flush()

    def _flush(self) -> None:
        if self.disowned:
            return
        now = procedures.instant(self._clock)
        self._ended += self._tracker.over
        self._tracker.over.clear()
        if self._refused and self._clock.monotonic() >= self._retry_at:
            self._ended += self._refused
            self._refused = []
        while self._ended:
            batch = self._ended[:BATCH]
            if not self._finish(batch, now):
                self.disowned = True
                return
            del self._ended[: len(batch)]
        changed = list(self._tracker.changed)
        self._tracker.changed.clear()
        try:
            self._advance(changed, now)
        except DBAPIError:
            log.exception(
                "steps cannot be written; the ends of the calls tell them, too", extra={"action": "steps_refused"}
            )
        except BaseException:
            self._keep(changed)
            raise

    def _advance(self, changed: list[Call], now: datetime | None) -> None:
        for start in range(0, len(changed), BATCH):
            calls = [call for call in changed[start : start + BATCH] if call.outcome is None]
            reports = [self._report(call) for call in calls]
            if reports and not procedures.attempt_advance(self._database, self._owner, reports, now):
                self.disowned = True
                self._keep(changed)
                return

    def _keep(self, changed: list[Call]) -> None:
        self._tracker.changed.update(call for call in changed if call.outcome is None)

    def _finish(self, calls: list[Call], now: datetime | None) -> bool:
        """False: the lease was over."""
        try:
            ours = procedures.attempt_finish(self._database, self._owner, [self._report(call) for call in calls], now)
        except DatabaseUnavailable:
            raise
        except DBAPIError as error:
            if len(calls) == 1:
                # One report that the database cannot take must not hold up all others.
                self._refused += calls
                self._retry_at = self._clock.monotonic() + RETRY_SECONDS
                log.exception(
                    "the end of an attempt cannot be written; it is tried again in a minute",
                    extra={
                        "action": "attempt_refused",
                        "attempt_id": calls[0].attempt_id,
                        "error": str(error),
                    },
                )
                return True
            return all(self._finish([call], now) for call in calls)
        if not ours:
            return False
        for call in calls:
            log.info(
                "attempt ended",
                extra={
                    "action": "attempt_ended",
                    "attempt_id": call.attempt_id,
                    "project_id": call.project_id,
                    "number": masked(call.phone_number),
                    "outcome": call.outcome,
                    "cause": call.cause,
                },
            )
        return True

    def _report(self, call: Call) -> procedures.Report:
        now = self._clock.monotonic()
        report: procedures.Report = {
            "attempt_id": call.attempt_id,
            "steps": {step: round(max(0.0, now - at), 4) for step, at in call.steps.items()},
        }
        if call.agent:
            report["agent"] = storable(call.agent)
        if call.amd_verdict is not None:
            report["amd"] = call.amd_verdict
        if call.outcome is not None and call.ended is not None:
            report["outcome"] = call.outcome
            report["ended"] = round(max(0.0, now - call.ended), 4)
            report["cause"] = call.cause if call.channel_seen else None
            report["detail"] = storable(call.detail) if call.detail else None
        return report
