"""What the worker still calls as functions: each is a method of a class in worker.db.routines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from worker.db.database import Database
from worker.db.routines.attempts import Attempts, Report
from worker.db.routines.cases import Cases
from worker.db.routines.instants import DatabaseClock, instant
from worker.db.routines.owners import Owners
from worker.db.routines.pacing import Pacing
from worker.db.routines.projects import Projects
from worker.db.routines.trunks import Trunks
from worker.db.routines.upkeep import Upkeep
from worker.model import AbandonWindow, Begun, Claim, OpenAttempt, Ownership, PacingDecision, Refusal, Work

__all__ = ["Report", "instant"]


def database_time(database: Database) -> datetime:
    return DatabaseClock(database).now()


def worker_start(database: Database, name: str, lease_seconds: float) -> int:
    return Owners(database).start_worker(name, lease_seconds)


def worker_beat(database: Database, worker_id: int, lease_seconds: float) -> bool:
    return Owners(database).beat(worker_id, lease_seconds)


def worker_stop(database: Database, worker_id: int) -> None:
    Owners(database).stop_worker(worker_id)


def asterisk_own(database: Database, worker_id: int, asterisk: str, lease_seconds: float) -> Ownership | None:
    return Owners(database).own(worker_id, asterisk, lease_seconds)


def asterisk_yield(database: Database, owner: Ownership, reason: str) -> bool:
    return Owners(database).yield_asterisk(owner, reason)


def asterisk_report(database: Database, owner: Ownership, state: str, reason: str | None) -> None:
    Owners(database).report_asterisk(owner, state, reason)


def agents_write(database: Database, owner: Ownership, members: Sequence[Report], now: datetime | None) -> None:
    Owners(database).write_agents(owner, members, now)


def reap(database: Database) -> int:
    return Upkeep(database).reap()


def work(database: Database, asterisk: str) -> list[Work]:
    return Projects(database).work(asterisk)


def claim(
    database: Database,
    owner: Ownership,
    project_id: str,
    count: int,
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> list[Claim]:
    return Cases(database).claim(owner, project_id, count, now, timeout_seconds=timeout_seconds)


def trouble_report(  # noqa: PLR0917 - as the routine has them
    database: Database, owner: Ownership, kind: str, subject: str, step: str, detail: str | None, now: datetime | None
) -> None:
    Upkeep(database).report_trouble(owner, kind, subject, step, detail, now)


def release(
    database: Database, owner: Ownership, project_id: str | None = None, *, timeout_seconds: float | None = None
) -> int:
    return Cases(database).release(owner, project_id, timeout_seconds=timeout_seconds)


def attempt_begin(
    database: Database,
    owner: Ownership,
    item: Work,
    requests: Sequence[tuple[int, str, str]],
    now: datetime | None,
    *,
    guaranteed: Collection[int] = (),
    timeout_seconds: float | None = None,
) -> tuple[list[Begun], list[Refusal]]:
    attempts = Attempts(database)
    return attempts.begin(owner, item, requests, now, guaranteed=guaranteed, timeout_seconds=timeout_seconds)


def attempt_advance(
    database: Database,
    owner: Ownership,
    reports: Sequence[Report],
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> bool:
    return Attempts(database).advance(owner, reports, now, timeout_seconds=timeout_seconds)


def attempt_finish(
    database: Database,
    owner: Ownership,
    reports: Sequence[Report],
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> bool:
    return Attempts(database).finish(owner, reports, now, timeout_seconds=timeout_seconds)


def open_attempts(
    database: Database, asterisk: str, now: datetime | None, *, timeout_seconds: float | None = None
) -> list[OpenAttempt]:
    return Attempts(database).open_on(asterisk, now, timeout_seconds=timeout_seconds)


def project_report(
    database: Database,
    owner: Ownership,
    project_id: str,
    reason: str | None,
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> None:
    Projects(database).report(owner, project_id, reason, now, timeout_seconds=timeout_seconds)


def project_count(database: Database, project_id: str, now: datetime | None) -> None:
    Projects(database).count_waiting(project_id, now)


def abandon_ledger(database: Database, project_id: str, now: datetime | None) -> list[AbandonWindow]:
    return Pacing(database).abandon_ledger(project_id, now)


def pacing_load(database: Database, project_id: str) -> tuple[str, datetime] | None:
    return Pacing(database).load(project_id)


def pacing_save(
    database: Database,
    owner: Ownership,
    learned: Mapping[str, str],
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> bool:
    return Pacing(database).save(owner, learned, now, timeout_seconds=timeout_seconds)


def journal_write(
    database: Database,
    owner: Ownership,
    decisions: Sequence[PacingDecision],
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> bool:
    return Pacing(database).write_journal(owner, decisions, now, timeout_seconds=timeout_seconds)


def trunk_ensure(database: Database, asterisk: str, template: str) -> None:
    Trunks(database).ensure(asterisk, template)
