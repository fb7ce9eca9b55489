"""A worker in slow motion: claims, begins and finishes calls at the instants that a test gives."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from dialer.takeover import takeover
from tests.support.dialects import Dialect, clean, query_at, rows_of
from tests.support.factories import PROJECT, add_case, add_project, add_trunk
from worker.db import Database
from worker.db.database import Row
from worker.db.migration import objects_at_head
from worker.db.objects import VIEW
from worker.db.routines.upkeep import Upkeep
from worker.figures import Readiness

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
"""A Monday."""


class Caller:
    """Owns an Asterisk and drives the routines; `now` is passed as p_now, and moves only by `forward`."""

    def __init__(self, db: Database, dialect: Dialect, now: datetime = NOON, asterisk: str = "default") -> None:
        self.db = db
        self.dialect = dialect
        self.now = now
        self.asterisk = asterisk
        self.worker_id = int(db.value("dialer_worker_start", "tester", 3600))
        epoch = db.value("dialer_asterisk_own", self.worker_id, asterisk, 3600)
        assert epoch is not None, "another worker owns this Asterisk"
        self.epoch = int(epoch)
        self.report_up()

    def report_up(self, state: str = "up", reason: str | None = None) -> None:
        self.db.call("dialer_asterisk_report", *self.owner, state, reason)

    @property
    def owner(self) -> tuple[int, str, int]:
        return self.worker_id, self.asterisk, self.epoch

    def forward(self, **span: float) -> datetime:
        """Let time pass: forward(minutes=1)."""
        self.now += timedelta(**span)
        return self.now

    def readiness(self) -> Readiness:
        """What `GET /readyz` is told; a test's database is a copy, which has to be made known first."""
        list(takeover(self.db.settings, stop=False))
        database = Database(self.db.settings)
        try:
            return Upkeep(database).readiness()
        finally:
            database.dispose()

    # --- projects ---------------------------------------------------------------------------------------------

    def start(self, project: str = PROJECT) -> Row:
        return self.db.call("dialer_project_start", project)[0]

    def stop(self, project: str = PROJECT) -> Row:
        return self.db.call("dialer_project_stop", project)[0]

    def project(self, project: str = PROJECT) -> Row:
        """What a worker's look at the project left in it."""
        return self.db.query("SELECT * FROM dialer_projects WHERE project_id = :p", p=project)[0]

    # --- cases ------------------------------------------------------------------------------------------------

    def next(self, n: int = 100, project: str = PROJECT) -> list[int]:
        """The cases of dialer_next, in order."""
        return [row["case_id"] for row in self.db.call("dialer_next", project, self.now, n)]

    def claim(self, n: int = 100, project: str = PROJECT) -> list[int]:
        """Claim; the cases in the order of their places."""
        rows = self.db.call("dialer_claim", *self.owner, project, n, self.now)
        assert [row["place"] for row in rows] == sorted(row["place"] for row in rows)
        return [row["case_id"] for row in rows]

    def screen(self) -> None:
        """Have all cases looked at by the rules as they are now, whatever time it was when that was last done."""
        self.db.run(
            lambda connection: connection.execute(text("INSERT INTO dialer_rule_changes (numbers) VALUES (true)"))
        )
        while self.db.value("dialer_screen", 500, self.now):
            pass

    def case(self, case_id: int) -> Row:
        return rows_of(self.db, "dialer_clients", "WHERE id = :id", id=case_id)[0]

    def why(self, case_id: int) -> Row:
        return query_at(self.db, self.dialect, self.now, "SELECT * FROM dialer_why WHERE case_id = :id", id=case_id)[0]

    def stat(self, case_id: int) -> Row | None:
        rows = self.db.query("SELECT * FROM dialer_stat WHERE id = :id", id=case_id)
        return rows[0] if rows else None

    # --- attempts ---------------------------------------------------------------------------------------------

    def begin(self, cases: Sequence[int], project: str = PROJECT, *, guaranteed: bool = True) -> list[Row]:
        """Ask for the permission to dial claimed cases, an agent guaranteed for each; a row each, in order."""
        requests = [
            {
                "case_id": case,
                "channel_id": secrets.token_hex(16),
                "action_id": secrets.token_hex(16),
                "guaranteed": guaranteed,
            }
            for case in cases
        ]
        return self.db.call("dialer_attempt_begin", *self.owner, project, json.dumps(requests), self.now)

    def refusals(self, cases: Sequence[int], project: str = PROJECT, *, guaranteed: bool = True) -> list[str | None]:
        """Why each case may not be dialled; None: it has been begun."""
        return [row["refusal"] for row in self.begin(cases, project, guaranteed=guaranteed)]

    def dial(self, case_id: int, project: str = PROJECT) -> int:
        """Begin a case that is claimed, or claim it first; the attempt. It has to be permitted."""
        if not self.db.query("SELECT 1 AS one FROM dialer_claims WHERE case_id = :id", id=case_id):
            claimed = self.claim(project=project)
            assert case_id in claimed, f"case {case_id} is not to be dialled at {self.now}: {self.why(case_id)}"
        row = self.begin([case_id], project)[0]
        assert row["refusal"] is None, row
        return int(row["attempt_id"])

    def attempt(self, attempt_id: int) -> Row:
        """An attempt, under way or in the ledger."""
        for table in ("dialer_calls", "dialer_attempts"):
            for row in self.db.query(f"SELECT * FROM {table} WHERE id = :id", id=attempt_id):
                return row
        raise AssertionError(f"there is no attempt {attempt_id}")

    def advance(self, attempt_id: int, agent_name: str | None = None, **steps: float) -> bool:
        """Report steps, each with the seconds since: advance(attempt, ringing=3)."""
        return self._advance({"attempt_id": attempt_id, "steps": steps, "agent": agent_name})

    def advance_amd(self, attempt_id: int, verdict: str, **steps: float) -> bool:
        """Report AMD's verdict, and steps: advance_amd(attempt, "HUMAN", answered=3, amd=1)."""
        return self._advance({"attempt_id": attempt_id, "steps": steps, "amd": verdict})

    def _advance(self, report: dict[str, Any]) -> bool:
        return bool(self.db.value("dialer_attempt_advance", *self.owner, json.dumps([report]), self.now))

    def finish(self, attempt_id: int, outcome: str, **facts: Any) -> bool:
        """Report the end of one call; what is neither ended, cause, detail, verdict nor agent_name is a step."""
        return self.finish_all([ended(attempt_id, outcome, **facts)])

    def finish_all(self, reports: Sequence[dict[str, Any]]) -> bool:
        return bool(self.db.value("dialer_attempt_finish", *self.owner, json.dumps(list(reports)), self.now))

    def call(self, case_id: int, outcome: str, **facts: Any) -> int:
        """One whole call at this instant; the attempt. Unless told otherwise it rang if such a call does."""
        attempt = self.dial(case_id)
        if not facts and outcome in ("BUSY", "NOANSWER", "REJECTED"):
            facts = {"ringing": 0}
        assert self.finish(attempt, outcome, **facts)
        return attempt


def ended(attempt_id: int, outcome: str, **facts: Any) -> dict[str, Any]:
    """A report for dialer_attempt_finish."""
    report: dict[str, Any] = {"attempt_id": attempt_id, "outcome": outcome, "ended": facts.pop("ended", 0)}
    for name, key in {"cause": "cause", "detail": "detail", "agent_name": "agent", "verdict": "amd"}.items():
        report[key] = facts.pop(name, None)
    report["steps"] = facts
    return report


def at(hour: int, minute: int = 0, *, day: int = 1, month: int = 6, year: int = 2026) -> datetime:
    """An instant, by UTC."""
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def a_call_from_end_to_end(db: Database, dialect: Dialect) -> None:
    """A project is started, a case claimed, dialled, answered and finished; every view is read meanwhile and after."""
    clean(db)
    add_project(db, "Zürich ✓", zone="Europe/Moscow")
    add_trunk(db)
    caller = Caller(db, dialect)
    assert caller.start("Zürich ✓")["wanted"] == "start"
    fields = {"project_id": "Zürich ✓", "case_name": "O'Neil 😀", "call_back": True, "call_back_period": "1,1"}
    case, other = add_case(db, **fields), add_case(db, **fields, allowed_start="23:00", allowed_stop="23:59")
    assert caller.next(project="Zürich ✓") == [case]
    assert caller.why(other)["reason"] == "window_closed"
    attempt = caller.dial(case, "Zürich ✓")
    assert caller.advance(attempt, ringing=2)
    assert caller.why(case)["reason"] == "in_call"
    assert caller.finish(attempt, "BUSY", cause=17, ringing=2)
    assert caller.case(case)["deferred_kind"] == "redial"
    caller.forward(minutes=2)
    attempt = caller.dial(case, "Zürich ✓")
    assert caller.finish(attempt, "ANSWERED", answered=9.5, agent=9, agent_name="PJSIP/anna")
    row = caller.attempt(attempt)
    assert (row["outcome"], row["phone_number"]) == ("ANSWERED", caller.case(case)["phone_number"])
    assert caller.case(case)["used"]
    stat = caller.stat(case)
    assert stat is not None
    assert (stat["dial_count"], stat["state"]) == (2, "ANSWERED")
    for one in objects_at_head(dialect.name):
        if one.kind == VIEW:
            db.query(f"SELECT * FROM {one.name}")
    assert db.query("SELECT * FROM dialer_invariants") == []
    assert caller.stop("Zürich ✓")["state"] == "stopped"
