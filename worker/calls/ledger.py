"""Writes what the trackers find out about calls into the database: in batches, in order, repeated until written.

A call ends in memory first; what is not written yet is kept here and sent again after a database outage. Reports carry
ages, not instants, so waiting makes nothing wrong. The routines accept a report once, however often it is sent.

Ends are written by trunk, because the end of a call locks its trunk's row: each trunk has a lane, written by a greenlet
of its own, so that a lock on one trunk holds up only that trunk's ends. An end that the database does not accept
(somebody holds a row that it needs, or a DBA's trigger refuses it) is set aside and sent again at growing intervals;
the others go on. Opt-outs go first, and the end of a call waits for its opt-out (`opt_outs`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import gevent
from sqlalchemy.exc import DBAPIError

from worker.backoff import Backoff, Outage
from worker.calls.call import Call
from worker.calls.opt_outs import OptOuts
from worker.clock import Clock
from worker.db import Database
from worker.db.database import reason
from worker.db.routines.attempts import Attempts, Report
from worker.db.routines.instants import instant
from worker.errors import StatementTimedOut
from worker.log import masked
from worker.model import Ownership
from worker.supervisor import errand
from worker.troubles import Troubles

log = logging.getLogger(__name__)

BATCH = 200
"""Reports in one transaction: long enough to be cheap, short enough not to hold trunk rows for long."""
WRITE_SECONDS = 2.0
"""The server gives up a batch that takes longer; normally it takes milliseconds."""
PROBE_SECONDS = 0.5
"""The same limit for a part of a batch that was given up, to find out which report was in the way."""
SIFT_SECONDS = 4.0
"""For looking through one batch; what has not been examined by then waits as a whole."""
LOCKED_FIRST_SECONDS = 0.5
LOCKED_MOST_SECONDS = 5.0
"""From a try that found its trunk locked to the next; short, since lines count as in use until their ends are written.
Doubles from the first value to the second."""
ASIDE_FIRST_SECONDS = 1.0
ASIDE_MOST_SECONDS = 60.0
"""The same for an end that was set aside because the database refuses it: somebody may put that right."""
HELD_UP_MOST = 4
"""Most lanes that wait for a lock at once, since each holds a connection while it waits."""


class _Lane:
    """The ends of one trunk's calls, on their way."""

    def __init__(self, trunk: str) -> None:
        self.trunk = trunk
        self.fresh: list[Call] = []
        self.aside: dict[Call, Backoff] = {}
        """Ends that the database did not accept, each to be tried by itself."""
        self.locked = Backoff(LOCKED_FIRST_SECONDS, LOCKED_MOST_SECONDS)
        """Somebody holds the lock on the trunk's row."""
        self.writer: gevent.Greenlet[..., None] | None = None
        self.error: Exception | None = None
        """What the writer ran into, until it is reported."""

    def busy(self) -> bool:
        """Is its writer at work?"""
        return self.writer is not None and not self.writer.ready()

    def due(self) -> float | None:
        """The instant of monotonic() from which there is something to write; None: there is nothing."""
        if self.fresh:
            return self.locked.until
        if self.aside:
            return max(self.locked.until, min(backoff.until for backoff in self.aside.values()))
        return None

    def held_up(self) -> bool:
        """Has it run into something that is not over yet?"""
        return self.locked.failures > 0 or bool(self.aside)


class Ledger:
    """The reports of one Asterisk's calls, on their way to the database."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        owner: Ownership,
        troubles: Troubles,
        *,
        written: Callable[[], object] = lambda: None,
        opt_out_written: Callable[[Call], object] = lambda _: None,
    ) -> None:
        """`written` is called when ends are written, or put off, after the flush() for them has returned;
        `opt_out_written` with each call whose opt-out is written."""
        self._attempts = Attempts(database)
        self._clock = clock
        self._owner = owner
        self._troubles = troubles
        self._written = written
        self._opt_outs = OptOuts(database, clock, owner, troubles, written=opt_out_written)
        self._kept: list[Call] = []
        """Ends that wait for the opt-outs of their calls."""
        self._lanes: dict[str, _Lane] = {}
        self._changed: set[Call] = set()
        """Calls with steps that are not written yet."""
        self._steps = Backoff(LOCKED_FIRST_SECONDS, ASIDE_MOST_SECONDS)
        self._refused_steps = Outage(
            log,
            "steps_refused",
            "steps cannot be written; the ends of the calls tell them, too",
            "steps are written again",
        )
        self.disowned = False
        """The database refused a report because the lease was over. Reports are kept, in case nobody else has taken the
        Asterisk meanwhile."""

    def stepped(self, call: Call) -> None:
        """A call has a step, or an agent's name, to be written."""
        self._changed.add(call)

    def ended(self, call: Call) -> None:
        """The end of a call is to be written; the report of the end includes its steps."""
        self._changed.discard(call)
        if call in self._opt_outs:
            self._kept.append(call)
        else:
            self._lane(call.trunk).fresh.append(call)

    def opted_out(self, call: Call) -> None:
        """The subscriber of a call asked not to be called again; this is written before the call's end."""
        self._opt_outs.add(call)

    def confirmed(self) -> None:
        """The Asterisk turned out to be this worker's still: send again what was refused."""
        self.disowned = False

    def pending(self) -> int:
        """How many ends are not written yet, not counting those that were set aside: nobody need wait for them."""
        kept = 0 if self._opt_outs.held_up else len(self._kept)
        return kept + sum(len(lane.fresh) for lane in self._lanes.values())

    def holds(self, attempt_id: int) -> bool:
        """Has this attempt ended here, with its end not written yet?"""
        waiting = [call for lane in self._lanes.values() for call in (*lane.fresh, *lane.aside)]
        return any(call.attempt_id == attempt_id for call in (*waiting, *self._kept))

    def due_in(self) -> float | None:
        """Seconds until something that could not be written is tried again; None: there is nothing like that."""
        now = self._clock.monotonic()
        waits = [due - now for lane in self._lanes.values() if not lane.busy() and (due := lane.due()) is not None]
        if self._changed and self._steps.failures:
            waits.append(self._steps.left(now))
        if (again := self._opt_outs.due_in(now)) is not None:
            waits.append(again)
        return max(0.0, min(waits)) if waits else None

    def flush(self, wait_seconds: float | None = None) -> None:
        """Write all there is to write. Raises DatabaseUnavailable; then everything is kept for the next time.

        When it returns, every end that was known before is written, whoever wrote it, or was found to be held up. Or
        `wait_seconds` of the machine's time have passed; then the writers go on by themselves.
        """
        self._write_opt_outs()
        if self.disowned:
            return
        self._start_writers()
        writers = [lane.writer for lane in self._lanes.values() if lane.writer is not None and lane.busy()]
        gevent.joinall(writers, timeout=wait_seconds)
        for writer in writers:
            if not writer.ready():
                writer.link(lambda _: self._written())
        for lane in self._lanes.values():
            error, lane.error = lane.error, None
            if error is not None:
                raise error
        self._write_steps()

    def _write_opt_outs(self) -> None:
        """Whoever owns the Asterisk by now."""
        self._opt_outs.write()
        kept, self._kept = self._kept, []
        for call in kept:
            self.ended(call)

    # --- ends ----------------------------------------------------------------------------------------------

    def _lane(self, trunk: str) -> _Lane:
        if trunk not in self._lanes:
            self._lanes[trunk] = _Lane(trunk)
        return self._lanes[trunk]

    def _start_writers(self) -> None:
        now = self._clock.monotonic()
        held_up = sum(lane.busy() and lane.held_up() for lane in self._lanes.values())
        for lane in self._lanes.values():
            due = lane.due()
            if lane.busy() or due is None or due > now:
                continue
            if lane.held_up():
                if held_up >= HELD_UP_MOST:
                    continue
                held_up += 1
            lane.writer = errand(self._write_lane, lane)

    def _write_lane(self, lane: _Lane) -> None:
        try:
            self._write_fresh(lane)
            self._write_aside(lane)
        except Exception as error:
            lane.error = error  # the next flush tells it

    def _write_fresh(self, lane: _Lane) -> None:
        while lane.fresh and not self.disowned:
            batch = lane.fresh[:BATCH]
            try:
                self._finish(lane, batch, WRITE_SECONDS)
            except StatementTimedOut as error:
                # Is the trunk locked, or something of one call? Trying one end alone tells.
                if len(batch) == 1:
                    self._set_aside(lane, batch[0], error)
                    self._locked(lane, error)
                    return
                if not self._passes(lane, batch[-1]):
                    self._locked(lane, error)
                    return
                self._sift(lane, batch[:-1], time.monotonic() + SIFT_SECONDS, error)
            except DBAPIError as error:
                self._sift(lane, batch, time.monotonic() + SIFT_SECONDS, error)
            lane.locked.over()
            self._report(lane)

    def _write_aside(self, lane: _Lane) -> None:
        for call, backoff in list(lane.aside.items()):
            now = self._clock.monotonic()
            if self.disowned or lane.locked.left(now) > 0 or backoff.left(now) > 0:
                continue
            try:
                self._finish(lane, [call], PROBE_SECONDS)
            except StatementTimedOut:
                backoff.failed(self._clock.monotonic())
                return  # the others can wait, and may need the same lock
            except DBAPIError:
                backoff.failed(self._clock.monotonic())
            self._report(lane)

    def _passes(self, lane: _Lane, call: Call) -> bool:
        try:
            self._finish(lane, [call], PROBE_SECONDS)
        except (StatementTimedOut, DBAPIError):
            return False
        return True

    def _sift(self, lane: _Lane, calls: Sequence[Call], until: float, error: Exception) -> None:
        """A batch could not be written: write those of its ends that can be, and set the others aside."""
        if len(calls) == 1 or time.monotonic() >= until:
            for call in calls:
                self._set_aside(lane, call, error)
            return
        middle = len(calls) // 2
        for part in (calls[:middle], calls[middle:]):
            try:
                self._finish(lane, part, PROBE_SECONDS)
            except (StatementTimedOut, DBAPIError) as again:
                self._sift(lane, part, until, again)

    def _finish(self, lane: _Lane, calls: Sequence[Call], seconds: float) -> None:
        reports = [self._report_of(call) for call in calls]
        now = instant(self._clock)
        if not self._attempts.finish(self._owner, reports, now, timeout_seconds=seconds):
            self.disowned = True
            return
        done = set(calls)
        lane.fresh = [call for call in lane.fresh if call not in done]
        for call in calls:
            lane.aside.pop(call, None)
            log.info(
                "attempt ended",
                extra={
                    "action": "attempt_ended",
                    "attempt_id": call.attempt_id,
                    "case_id": call.case_id,
                    "project_id": call.project_id,
                    "number": masked(call.phone_number),
                    "outcome": call.outcome,
                    "cause": call.cause,
                },
            )

    def _set_aside(self, lane: _Lane, call: Call, error: Exception) -> None:
        timed_out = isinstance(error, StatementTimedOut)
        backoff = lane.aside[call] = Backoff(
            ASIDE_FIRST_SECONDS, LOCKED_MOST_SECONDS if timed_out else ASIDE_MOST_SECONDS
        )
        backoff.failed(self._clock.monotonic())
        lane.fresh = [one for one in lane.fresh if one is not call]
        if not timed_out:
            log.error(
                "the end of an attempt cannot be written; it is tried again at growing intervals",
                extra={"action": "attempt_refused", "attempt_id": call.attempt_id, "error": reason(error)},
            )
        self._report(lane, error)

    def _locked(self, lane: _Lane, error: StatementTimedOut) -> None:
        lane.locked.failed(self._clock.monotonic())
        self._report(lane, error)

    def _report(self, lane: _Lane, error: Exception | None = None) -> None:
        """Report to readers what holds the lane up, or that nothing does."""
        if not lane.held_up():
            self._troubles.note("trunk", lane.trunk, "end", None)
        elif error is not None:
            said = error.told if isinstance(error, StatementTimedOut) else reason(error)
            call = next(iter(lane.aside), None)
            whose = "its calls" if call is None else f"attempt {call.attempt_id} of case {call.case_id}, or more,"
            self._troubles.note("trunk", lane.trunk, "end", f"the end of {whose} cannot be written: {said}")

    # --- steps ---------------------------------------------------------------------------------------------

    def _write_steps(self) -> None:
        if self.disowned or self._steps.left(self._clock.monotonic()) > 0:
            return
        changed = list(self._changed)
        self._changed.clear()
        for start in range(0, len(changed), BATCH):
            try:
                self._advance(changed[start : start + BATCH])
            except BaseException as error:
                self._changed.update(call for call in changed[start:] if call.outcome is None)
                if not isinstance(error, StatementTimedOut):
                    raise
                # Steps are reported with the ends, too, so giving up here loses nothing: a lock may last for a while.
                self._steps.failed(self._clock.monotonic())
                self._troubles.note("asterisk", self._owner.asterisk, "steps", error.told)
                return
        if changed and self._steps.over():
            self._troubles.note("asterisk", self._owner.asterisk, "steps", None)

    def _advance(self, calls: Sequence[Call]) -> None:
        calls = [call for call in calls if call.outcome is None]
        if not calls or self.disowned:
            return
        reports = [self._report_of(call) for call in calls]
        now = instant(self._clock)
        try:
            ours = self._attempts.advance(self._owner, reports, now, timeout_seconds=PROBE_SECONDS)
        except DBAPIError as error:
            if len(calls) == 1:
                self._refused_steps.failed(reason(error), attempt_id=calls[0].attempt_id)
                return
            middle = len(calls) // 2
            self._advance(calls[:middle])
            self._advance(calls[middle:])
            return
        if not ours:
            self.disowned = True
            self._changed.update(call for call in calls if call.outcome is None)
            return
        self._refused_steps.worked()

    def _report_of(self, call: Call) -> Report:
        now = self._clock.monotonic()
        report: Report = {
            "attempt_id": call.attempt_id,
            "steps": {step: round(max(0.0, now - at), 4) for step, at in call.steps.items()},
        }
        if call.agent:
            report["agent"] = call.agent
        if call.amd_verdict is not None:
            report["amd"] = call.amd_verdict
        if call.keys:
            report["keys"] = call.keys
        if call.outcome is not None and call.ended is not None:
            report["outcome"] = call.outcome
            report["ended"] = round(max(0.0, now - call.ended), 4)
            report["cause"] = call.cause if call.channel_seen else None
            report["detail"] = call.detail or None
            if call.unsent:
                report["unsent"] = True
        return report
