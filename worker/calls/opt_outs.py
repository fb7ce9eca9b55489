"""Writes opt-outs into the database: at once, one transaction for what there is, repeated until it is written.

A subscriber's request must not wait for anything else, so it needs no lock of calls, trunks or cases, and not even the
Asterisk: it counts, whoever reports it. Until it is written the ledger keeps the end of its call. So the number stays
in a call, where nobody else can dial it, and the attempt stays open: whoever owns the Asterisk next looks for its
opt-out there (worker/asterisk/kept_opt_outs.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError

from worker.backoff import Backoff
from worker.calls.call import Call
from worker.clock import Clock
from worker.db import Database
from worker.db.database import reason
from worker.db.routines.attempts import Attempts
from worker.db.routines.instants import instant
from worker.errors import StatementTimedOut
from worker.log import masked
from worker.model import Ownership
from worker.troubles import Troubles

log = logging.getLogger(__name__)

WRITE_SECONDS = 1.0
"""The server gives up a write that takes longer: somebody holds dialer_dnc."""
AGAIN_FIRST_SECONDS = 0.5
AGAIN_MOST_SECONDS = 5.0
"""Until the next try, doubling from the first value to the second."""


class OptOuts:
    """The opt-outs of one Asterisk's calls that are not written yet."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        owner: Ownership,
        troubles: Troubles,
        *,
        written: Callable[[Call], object] = lambda _: None,
    ) -> None:
        """`written` is called with each call whose opt-out is safe."""
        self._attempts = Attempts(database)
        self._clock = clock
        self._owner = owner
        self._troubles = troubles
        self._written = written
        self._waiting: dict[Call, None] = {}
        self._again = Backoff(AGAIN_FIRST_SECONDS, AGAIN_MOST_SECONDS)

    def add(self, call: Call) -> None:
        """The subscriber of this call has opted out."""
        self._waiting[call] = None

    def __contains__(self, call: Call) -> bool:
        """Is the opt-out of this call still to be written?"""
        return call in self._waiting

    @property
    def held_up(self) -> bool:
        """Could they not be written the last time?"""
        return self._again.failures > 0

    def due_in(self, now: float) -> float | None:
        """Seconds until what could not be written is tried again; None: there is nothing like that."""
        return self._again.left(now) if self._waiting and self.held_up else None

    def write(self) -> None:
        """Write what there is. Raises DatabaseUnavailable; then it is kept for the next time, as it is if the database
        does not take it."""
        calls = list(self._waiting)
        if not calls or self._again.left(self._clock.monotonic()) > 0:
            return
        error = self._try(calls)
        if isinstance(error, DBAPIError) and len(calls) > 1:
            # One of them may be in the way of the others.
            errors = [self._try([call]) for call in calls]
            error = next((one for one in errors if one is not None), None)
        if error is None:
            self._again.over()
            self._troubles.note("asterisk", self._owner.asterisk, "opt-out", None)
            return
        self._again.failed(self._clock.monotonic())
        said = error.told if isinstance(error, StatementTimedOut) else reason(error)
        self._troubles.note(
            "asterisk",
            self._owner.asterisk,
            "opt-out",
            f"{len(self._waiting)} opt-outs cannot be written into dialer_dnc, and their calls are not ended: {said}",
        )

    def _try(self, calls: Sequence[Call]) -> StatementTimedOut | DBAPIError | None:
        now = self._clock.monotonic()
        told = [
            {"attempt_id": call.attempt_id, "key": call.opt_out_key, "ago": round(max(0.0, now - call.opted_out), 4)}
            for call in calls
            if call.opted_out is not None
        ]
        try:
            self._attempts.opt_out(told, instant(self._clock), timeout_seconds=WRITE_SECONDS)
        except (StatementTimedOut, DBAPIError) as error:
            return error
        for call in calls:
            if call in self._waiting:  # two greenlets may write at the same time
                del self._waiting[call]
                log.info(
                    "a subscriber opted out",
                    extra={
                        "action": "opted_out",
                        "attempt_id": call.attempt_id,
                        "case_id": call.case_id,
                        "project_id": call.project_id,
                        "number": masked(call.phone_number),
                    },
                )
                self._written(call)
        return None
