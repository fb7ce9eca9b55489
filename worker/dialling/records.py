"""What the pacing keeps in the database: its journal, and what was learned.

Both are saved in the background; a decision never waits for the database.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import gevent
from sqlalchemy.exc import DBAPIError

from worker.asterisk.session import Session
from worker.backoff import Backoff
from worker.clock import Clock
from worker.db.routines.instants import instant
from worker.db.routines.pacing import Pacing
from worker.errors import DatabaseUnavailable, StatementTimedOut
from worker.model import PacingDecision
from worker.pacing.pilot import Pilot
from worker.pacing.settings import PacingSettings
from worker.supervisor import LINGER_SECONDS, errand

log = logging.getLogger(__name__)

SAVE_SECONDS = 30.0
"""Seconds of learning that a killed worker may lose."""
WRITE_SECONDS = 2.0
"""Seconds between writes of the journal, so that its rows are written together."""
GIVE_UP_SECONDS = 2.0
"""After this the server gives up writing them; a row that somebody has locked is written later."""
ROWS_MOST = 1000
"""The most rows of the journal kept while the database is away; older ones are dropped."""


@dataclass
class Row:
    """A row of the journal in the making. at: when it was decided, by monotonic()."""

    at: float
    project_id: str
    mode: str
    quota: int
    reason: str
    inputs: str
    granted: int = 0

    def as_decision(self, now: float) -> PacingDecision:
        """The row to write if it is written at `now`."""
        ago = round(max(0.0, now - self.at), 3)
        return PacingDecision(self.project_id, ago, self.mode, self.quota, self.granted, self.reason, self.inputs)


class Records:
    """The journal and the learned states of one Asterisk's projects."""

    def __init__(self, session: Session, kept: Pacing, clock: Clock) -> None:
        self._session = session
        self._kept = kept
        self._clock = clock
        self._rows: deque[Row] = deque(maxlen=ROWS_MOST)
        self._writer: gevent.Greenlet[..., None] | None = None
        self._unwritten = Backoff()
        self._saved = clock.monotonic()
        self._written = clock.monotonic()

    def load(self, projects: Iterable[str], settings: PacingSettings) -> Pilot:
        """A pilot for these projects, which starts with what the most experienced of them has learned.

        Raises DatabaseUnavailable, StatementTimedOut and DBAPIError.
        """
        pilot = Pilot(settings)
        for project in sorted(projects):
            found = self._kept.load(project)
            if found is None:
                continue
            try:
                saved = Pilot.from_dict(json.loads(found[0]), settings)
            except ValueError as error:
                log.warning(
                    "what was learned cannot be read, begun anew",
                    extra={"action": "pacing_load", "project_id": project, "why": str(error)},
                )
                continue
            if saved.finished > pilot.finished:
                pilot = saved
        return pilot

    def add(self, rows: Iterable[Row]) -> None:
        """Add complete rows to the journal."""
        self._rows.extend(rows)

    def save(self, pilots: Mapping[str, Pilot]) -> None:
        """Write what is due in another greenlet; the caller waits a moment for it at most. pilots: by project."""
        now = self._clock.monotonic()
        rows = bool(self._rows) and now - self._written >= WRITE_SECONDS
        states = bool(pilots) and now - self._saved >= SAVE_SECONDS
        if not (rows or states) or self._writing() or self._unwritten.left(now) > 0:
            return
        self._writer = errand(self._write, rows, pilots if states else {})
        self._writer.join(LINGER_SECONDS)

    def save_all(self, pilots: Mapping[str, Pilot]) -> None:
        """Write everything. Raises DatabaseUnavailable and StatementTimedOut."""
        if self._writer is not None:
            self._writer.join()
        if self._rows:
            self._write_rows()
        if pilots:
            self._write_states(pilots)

    def _writing(self) -> bool:
        return self._writer is not None and not self._writer.ready()

    def _write(self, rows: bool, pilots: Mapping[str, Pilot]) -> None:
        trouble: str | None = None
        try:
            if rows:
                self._write_rows()
            if pilots:
                self._write_states(pilots)
        except DatabaseUnavailable:
            return  # others wait for it
        except (StatementTimedOut, DBAPIError) as error:
            self._unwritten.failed(self._clock.monotonic())
            trouble = f"what it has learned and decided cannot be written: {error}"
        else:
            self._unwritten.over()
        self._session.troubles.note("asterisk", self._session.name, "pacing", trouble)

    def _write_rows(self) -> None:
        now = self._clock.monotonic()
        rows = list(self._rows)
        self._rows.clear()
        try:
            self._kept.write_journal(
                self._session.owner,
                [row.as_decision(now) for row in rows],
                instant(self._clock),
                timeout_seconds=GIVE_UP_SECONDS,
            )
        except BaseException:
            self._rows.extendleft(reversed(rows))
            raise
        self._written = now

    def _write_states(self, pilots: Mapping[str, Pilot]) -> None:
        self._kept.save(
            self._session.owner,
            {project: json.dumps(pilot.as_dict()) for project, pilot in pilots.items()},
            instant(self._clock),
            timeout_seconds=GIVE_UP_SECONDS,
        )
        self._saved = self._clock.monotonic()
