"""The figures that predictive pacing is measured by, what it has learned, and the journal of its decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from worker.db.routines.base import Routines, stored_json
from worker.db.routines.instants import DatabaseClock
from worker.model import AbandonWindow, Ownership, PacingDecision


class Pacing(Routines):
    """What the pacing keeps in the database."""

    def abandon_ledger(self, project_id: str, now: datetime | None) -> list[AbandonWindow]:
        """The figures for the abandon target: the windows 'hours' and 'days'. Empty: there is no such project."""
        return [
            AbandonWindow(row["window"], row["since_at"], row["connected"], row["abandoned"], row["lost"])
            for row in self._database.call("dialer_abandon_ledger", project_id, now)
        ]

    def load(self, project_id: str) -> tuple[str, datetime] | None:
        """What the pacing of a project had learned, and when that was saved; None: nothing yet."""
        rows = self._database.call("dialer_pacing_load", project_id)
        return (rows[0]["learned"], rows[0]["saved_at"]) if rows else None

    def save(
        self,
        owner: Ownership,
        learned: Mapping[str, str],
        now: datetime | None,
        *,
        timeout_seconds: float | None = None,
    ) -> bool:
        """Save what the pacing has learned, by project; False: the Asterisk is no longer ours."""
        states = [{"project_id": project, "learned": text} for project, text in learned.items()]
        return self._write("dialer_pacing_save", owner, states, now, timeout_seconds)

    def write_journal(
        self,
        owner: Ownership,
        decisions: Sequence[PacingDecision],
        now: datetime | None,
        *,
        timeout_seconds: float | None = None,
    ) -> bool:
        """Write decisions of the pacing into its journal, oldest first; False: the Asterisk is no longer ours."""
        return self._write("dialer_journal_write", owner, [asdict(one) for one in decisions], now, timeout_seconds)

    def _write(
        self,
        routine: str,
        owner: Ownership,
        rows: Sequence[Mapping[str, Any]],
        now: datetime | None,
        timeout_seconds: float | None,
    ) -> bool:
        return bool(
            self._database.value(
                routine,
                owner.worker_id,
                owner.asterisk,
                owner.epoch,
                stored_json(rows),
                now,
                timeout_seconds=timeout_seconds,
            )
        )

    def journal(self, project_id: str, hours: float) -> Iterator[str]:
        """The inputs of a project's decisions of the last `hours`, oldest first; read in portions, since a day has
        many.

        Projects that share agents share a decision; its inputs are stored with the first of them.
        """
        since = DatabaseClock(self._database).now() - timedelta(hours=hours)
        last = 0
        while True:
            rows = self._database.query(
                "SELECT id, inputs FROM dialer_pacing_journal"
                " WHERE project_id = :project AND id > :last AND at >= :since ORDER BY id LIMIT 1000",
                project=project_id,
                last=last,
                since=since,
            )
            yield from (row["inputs"] for row in rows if row["inputs"])
            if not rows:
                return
            last = rows[-1]["id"]
