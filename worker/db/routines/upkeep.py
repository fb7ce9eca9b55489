"""Is all well? Things that must never be, things an operator should look at, and what keeps something from being
served."""

from __future__ import annotations

from datetime import datetime

from worker.db.database import Row
from worker.db.routines.base import TELL_SECONDS, Routines, columns, made, sentence
from worker.errors import StatementTimedOut
from worker.figures import BrokenInvariant, OperatorWarning, Readiness
from worker.model import Ownership, storable

LOOK_SECONDS = 1.0
"""Short, since whoever asks for readiness does not wait long."""


class Upkeep(Routines):
    """The state of the installation."""

    def readiness(self) -> Readiness:
        """Can the dialer do its work? A lock that somebody holds is reported as a trouble, not waited for.

        Raises DatabaseNotAtHead.
        """
        database = self._database
        database.require_head()
        if faults := database.faults():
            return Readiness([f"{one.name} {one.fault}. {one.remedy}" for one in faults], [])
        reasons = [
            f"Asterisk {row['asterisk']} is down: {row['reason']}"
            for row in database.query("SELECT asterisk, reason FROM dialer_asterisks WHERE state = 'down'")
        ]
        leases = database.query("SELECT dialer_lease_alive(lease_until, lease_seconds) AS alive FROM dialer_asterisks")
        if not any(row["alive"] for row in leases):
            reasons.append("no live worker owns an Asterisk: start one with `dialer run` or `dialer worker`")
        broken, unseen = self._look("dialer_invariants", f"{_INVARIANTS} LIMIT 5")
        troubles, unread = self._look("dialer_troubles", _TROUBLES)
        reasons += [f"dialer_invariants: {row['kind']} {row['id']}: {row['detail']}" for row in broken]
        told = [f"{row['kind']} {row['subject']} on {row['asterisk']}: {row['detail']}" for row in troubles]
        return Readiness(reasons, [*unseen, *unread, *told])

    def _look(self, name: str, statement: str) -> tuple[list[Row], list[str]]:
        """Rows, and if they could not be read, why."""
        try:
            return self._database.query(statement, timeout_seconds=LOOK_SECONDS), []
        except StatementTimedOut as error:
            return [], [f"{name} cannot be looked at: {error.told}"]

    def invariants(self) -> list[BrokenInvariant]:
        """Things that must never be, and are."""
        return made(BrokenInvariant, self._database.query(_INVARIANTS))

    def warnings(self) -> list[OperatorWarning]:
        """Things an operator should look at."""
        statement = f"SELECT {columns(OperatorWarning)} FROM dialer_warnings"  # noqa: S608 - names of ours
        return made(OperatorWarning, self._database.query(statement))

    def reap(self) -> int:
        """Free the cases that dead owners claimed and did not dial; how many they were."""
        return int(self._database.value("dialer_reap") or 0)

    def report_trouble(  # noqa: PLR0917 - as the routine has them
        self, owner: Ownership, kind: str, subject: str, step: str, detail: str | None, now: datetime | None
    ) -> None:
        """Report what keeps one project, trunk, Asterisk, worker or case (`kind`) from being served, and at which step;
        or that it is over (None). dialer_warnings, dialer_why and readiness show it until then, or until it has not
        been reported for a while."""
        self._database.call(
            "dialer_trouble_report",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            kind,
            storable(subject),
            step,
            sentence(detail),
            now,
            timeout_seconds=TELL_SECONDS,
        )


_INVARIANTS = f"SELECT {columns(BrokenInvariant)} FROM dialer_invariants"  # noqa: S608 - names of ours
_TROUBLES = (
    "SELECT kind, subject, asterisk, detail, since_at FROM dialer_troubles"
    " WHERE kind = 'case' OR told_at > dialer_now() - INTERVAL '5' MINUTE"
    " UNION ALL SELECT 'project', j.project_id, coalesce(r.asterisk, 'default'),"
    " concat('it gets no cases: ', j.claims_slow), j.claims_slow_at"
    " FROM dialer_projects j JOIN dialer_rules r ON r.project_id = j.project_id"
    " WHERE j.claims_slow IS NOT NULL AND j.wanted = 'start' ORDER BY since_at LIMIT 20"
)
