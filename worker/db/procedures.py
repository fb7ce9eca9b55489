"""The SQL routines, one typed function each: the only place where their names and columns stand."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from worker.clock import Clock, SystemClock
from worker.db.database import Database, Row
from worker.errors import StatementTimedOut, UnknownProject
from worker.model import (
    AbandonWindow,
    AmdVerdict,
    Begun,
    Claim,
    OpenAttempt,
    Ownership,
    PacingDecision,
    ProjectStatus,
    Readiness,
    Refusal,
    Step,
    Work,
    storable,
)

Report = dict[str, Any]
"""What is told of an attempt: {"attempt_id", "steps": {step: seconds ago}, …}, see dialer_attempt_advance."""

_TELL_SECONDS = 1.0
"""For what is told to readers alone: it must not hold up who tells it."""
_OWN_SECONDS = 2.0
"""For taking, confirming and yielding an Asterisk: the lease of the others must not pass meanwhile."""


def _json(value: Any) -> str:
    """JSON that a database takes, whatever bytes the texts in it once were."""
    text = json.dumps(value)
    # Escaped is what is not ASCII or a control character: halves of characters and NUL are among these.
    return json.dumps(_storable(value)) if "\\u" in text else text


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(key): _storable(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [_storable(one) for one in value]
    return value


def _sentence(text: str | None) -> str | None:
    return None if text is None else storable(text)


def instant(clock: Clock) -> datetime | None:
    """The p_now of a routine: the database's own time (None), but on a virtual clock that clock's."""
    return None if isinstance(clock, SystemClock) else datetime.fromtimestamp(clock.time(), UTC)


def database_time(database: Database) -> datetime:
    """The time by the database's clock."""
    instant: datetime = database.query("SELECT dialer_now() AS instant")[0]["instant"]
    return instant


def _numbers(row: Row) -> dict[str, Any]:
    """A row with floats for what the database keeps as decimal numbers."""
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}


# --- workers and Asterisks -------------------------------------------------------------------------------


def worker_start(database: Database, name: str, lease_seconds: float) -> int:
    """Register a worker; its id."""
    return int(database.value("dialer_worker_start", name, lease_seconds))


def worker_beat(database: Database, worker_id: int, lease_seconds: float) -> bool:
    """Renew the leases; False: the worker was declared dead and has to start anew."""
    # One that takes longer would come too late as a rule; another one is tried then.
    beaten = database.value("dialer_worker_beat", worker_id, lease_seconds, timeout_seconds=lease_seconds / 2)
    return bool(beaten)


def worker_stop(database: Database, worker_id: int) -> None:
    """Sign off: everything owned and claimed is given back."""
    database.call("dialer_worker_stop", worker_id)


def asterisk_own(database: Database, worker_id: int, asterisk: str, lease_seconds: float) -> Ownership | None:
    """Take an Asterisk, or confirm that it is ours; None while another worker owns it."""
    epoch = database.value("dialer_asterisk_own", worker_id, asterisk, lease_seconds, timeout_seconds=_OWN_SECONDS)
    return None if epoch is None else Ownership(worker_id, asterisk, int(epoch))


def asterisk_yield(database: Database, owner: Ownership, reason: str) -> bool:
    """Give an Asterisk that cannot be reached to another worker; False: there is none, or it is not ours."""
    return bool(
        database.value(
            "dialer_asterisk_yield",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            storable(reason),
            timeout_seconds=_OWN_SECONDS,
        )
    )


def asterisk_report(database: Database, owner: Ownership, state: str, reason: str | None) -> None:
    """Tell readers that an Asterisk is up or down, and why."""
    database.call(
        "dialer_asterisk_report",
        owner.worker_id,
        owner.asterisk,
        owner.epoch,
        state,
        _sentence(reason),
        timeout_seconds=_TELL_SECONDS,
    )


def agents_write(database: Database, owner: Ownership, members: Sequence[Report], now: datetime | None) -> None:
    """Tell readers what all queue members of an Asterisk do."""
    database.call(
        "dialer_agents_write",
        owner.worker_id,
        owner.asterisk,
        owner.epoch,
        _json(members),
        now,
        timeout_seconds=_TELL_SECONDS,
    )


def reap(database: Database) -> int:
    """Free what dead owners have claimed and not dialled; how many cases."""
    return int(database.value("dialer_reap") or 0)


# --- cases and attempts ----------------------------------------------------------------------------------


def work(database: Database, asterisk: str) -> list[Work]:
    """The projects that may be dialled on an Asterisk."""
    rows = database.call("dialer_work", asterisk)
    return [Work(**{**_numbers(row), "amd": bool(row["amd"]), "unfit": bool(row["unfit"])}) for row in rows]


def claim(
    database: Database,
    owner: Ownership,
    project_id: str,
    count: int,
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> list[Claim]:
    """Take up to `count` more cases in hand, in dial order. Raises StatementTimedOut."""
    rows = database.call(
        "dialer_claim",
        owner.worker_id,
        owner.asterisk,
        owner.epoch,
        project_id,
        count,
        now,
        timeout_seconds=timeout_seconds,
    )
    return [Claim(row["case_id"], row["kind"], bool(row["guarded"]), row["dials"], row["last_outcome"]) for row in rows]


def trouble_report(  # noqa: PLR0917 - as the routine has them
    database: Database, owner: Ownership, kind: str, subject: str, step: str, detail: str | None, now: datetime | None
) -> None:
    """Say what keeps one project, trunk, Asterisk, worker or case (`kind`) from being served, at which step; or that it
    is over (None). dialer_warnings, dialer_why and readiness have it until then, or until it was not told for a while.
    """
    database.call(
        "dialer_trouble_report",
        owner.worker_id,
        owner.asterisk,
        owner.epoch,
        kind,
        storable(subject),
        step,
        _sentence(detail),
        now,
        timeout_seconds=_TELL_SECONDS,
    )


def release(
    database: Database, owner: Ownership, project_id: str | None = None, *, timeout_seconds: float | None = None
) -> int:
    """Give back what was claimed on an Asterisk and not dialled; of one project or of all."""
    freed = database.value(
        "dialer_release", owner.worker_id, owner.asterisk, project_id, timeout_seconds=timeout_seconds
    )
    return int(freed or 0)


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
    """Ask to dial: `requests` are (case_id, channel_id, action_id) in dial order, of one project.

    guaranteed: those of the cases for which an agent is, since calls in flight stay below free agents. Without it
    the number of a call that was abandoned lately is refused (number_abandoned), its claim given back, and the case
    put off.
    """
    text = _json(
        [
            {"case_id": case, "channel_id": channel, "action_id": action, "guaranteed": case in guaranteed}
            for case, channel, action in requests
        ]
    )
    begun: list[Begun] = []
    refused: list[Refusal] = []
    for row in database.call(
        "dialer_attempt_begin",
        owner.worker_id,
        owner.asterisk,
        owner.epoch,
        item.project_id,
        text,
        now,
        timeout_seconds=timeout_seconds,
    ):
        if row["attempt_id"] is None:
            refused.append(Refusal(row["case_id"], row["refusal"], row["retry_at"]))
            continue
        values = {name: value for name, value in row.items() if name not in ("refusal", "retry_at")}
        values["dial_seconds"] = float(values["dial_seconds"])
        values["abandon_seconds"] = float(values["abandon_seconds"])
        values["amd"] = bool(values["amd"])
        begun.append(Begun(project_id=item.project_id, type=item.type, trunk=item.trunk, **values))
    return begun, refused


def attempt_advance(
    database: Database,
    owner: Ownership,
    reports: Sequence[Report],
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> bool:
    """Write where calls have got to; False: not ours any more."""
    return bool(
        database.value(
            "dialer_attempt_advance",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            _json(reports),
            now,
            timeout_seconds=timeout_seconds,
        )
    )


def attempt_finish(
    database: Database,
    owner: Ownership,
    reports: Sequence[Report],
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> bool:
    """Write how calls have ended, once; False: not ours any more."""
    return bool(
        database.value(
            "dialer_attempt_finish",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            _json(reports),
            now,
            timeout_seconds=timeout_seconds,
        )
    )


def open_attempts(
    database: Database, asterisk: str, now: datetime | None, *, timeout_seconds: float | None = None
) -> list[OpenAttempt]:
    """The attempts without an end on an Asterisk."""
    return [
        OpenAttempt(
            attempt_id=row["attempt_id"],
            case_id=row["case_id"],
            project_id=row["project_id"],
            phone_number=row["phone_number"],
            type=row["type"],
            queue=row["queue"],
            trunk=row["trunk"],
            channel_id=row["channel_id"],
            action_id=row["action_id"],
            epoch=row["epoch"],
            dial_seconds=float(row["dial_seconds"]),
            abandon_seconds=float(row["abandon_seconds"]),
            agent=row["agent"],
            begun_ago=float(row["begun_ago"]),
            steps_ago={step: float(row[f"{step}_ago"]) for step in Step if row[f"{step}_ago"] is not None},
            amd_verdict=AmdVerdict(row["amd_verdict"]) if row["amd_verdict"] else None,
            signed_off=bool(row["signed_off"]),
        )
        for row in database.call("dialer_open_attempts", asterisk, now, timeout_seconds=timeout_seconds)
    ]


def project_report(
    database: Database,
    owner: Ownership,
    project_id: str,
    reason: str | None,
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> None:
    """Say why a project cannot be dialled on an Asterisk (a sentence), or that it can (None)."""
    database.call(
        "dialer_project_report",
        owner.worker_id,
        owner.asterisk,
        owner.epoch,
        project_id,
        _sentence(reason),
        now,
        timeout_seconds=timeout_seconds,
    )


def project_count(database: Database, project_id: str, now: datetime | None) -> None:
    """Count the waiting cases for readers, unless that takes long: the elder count stands then."""
    with suppress(StatementTimedOut):
        database.call("dialer_project_count", project_id, now, timeout_seconds=5)


# --- predictive pacing -----------------------------------------------------------------------------------


def abandon_ledger(database: Database, project_id: str, now: datetime | None) -> list[AbandonWindow]:
    """What the abandon target is measured by: the windows 'hours' and 'days'. Empty: there is no such project."""
    return [
        AbandonWindow(row["window"], row["since_at"], row["connected"], row["abandoned"], row["lost"])
        for row in database.call("dialer_abandon_ledger", project_id, now)
    ]


def pacing_load(database: Database, project_id: str) -> tuple[str, datetime] | None:
    """What the pacing of a project had learned, and when that was saved; None: nothing yet."""
    rows = database.call("dialer_pacing_load", project_id)
    return (rows[0]["learned"], rows[0]["saved_at"]) if rows else None


def pacing_save(
    database: Database,
    owner: Ownership,
    learned: Mapping[str, str],
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> bool:
    """Keep what the pacing has learned, by project; False: not ours any more."""
    states = [{"project_id": project, "learned": text} for project, text in learned.items()]
    return bool(
        database.value(
            "dialer_pacing_save",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            _json(states),
            now,
            timeout_seconds=timeout_seconds,
        )
    )


def journal_write(
    database: Database,
    owner: Ownership,
    decisions: Sequence[PacingDecision],
    now: datetime | None,
    *,
    timeout_seconds: float | None = None,
) -> bool:
    """Write decisions of the pacing into its journal, oldest first; False: not ours any more."""
    rows = [asdict(decision) for decision in decisions]
    return bool(
        database.value(
            "dialer_journal_write",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            _json(rows),
            now,
            timeout_seconds=timeout_seconds,
        )
    )


def journal(database: Database, project_id: str, hours: float) -> Iterator[str]:
    """The inputs of a project's decisions of the last `hours`, oldest first; in portions, for a day has many.

    Projects that share agents share a decision, and its inputs stand with the first of them.
    """
    since = database_time(database) - timedelta(hours=hours)
    last = 0
    while True:
        rows = database.query(
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


# --- control and statistics ------------------------------------------------------------------------------


def project_start(database: Database, project_id: str) -> ProjectStatus:
    """Ask for a project to be dialled. Raises UnknownProject."""
    return _status(database, "dialer_project_start", project_id)


def project_stop(database: Database, project_id: str) -> ProjectStatus:
    """Ask for a project to be left alone; once this returns no attempt begins. Raises UnknownProject."""
    return _status(database, "dialer_project_stop", project_id)


def _status(database: Database, routine: str, project_id: str) -> ProjectStatus:
    rows = database.call(routine, project_id)
    if not rows:
        raise UnknownProject(project_id)
    return ProjectStatus(**rows[0])


def project_list(database: Database) -> list[dict[str, Any]]:
    """All projects as dialer_stat_project shows them."""
    return [dict(row) for row in database.query("SELECT * FROM dialer_stat_project ORDER BY project_id")]


def project_row(database: Database, project_id: str) -> dict[str, Any] | None:
    """One project as dialer_stat_project shows it."""
    rows = database.query("SELECT * FROM dialer_stat_project WHERE project_id = :project", project=project_id)
    return dict(rows[0]) if rows else None


def project_statistics(database: Database, project_id: str) -> dict[str, Any]:
    """A project's figures: now and of the last day, by outcome, by hour, by agent; of a predictive one its abandon
    target against what was measured, else None. Raises UnknownProject."""
    project = project_row(database, project_id)
    if project is None:
        raise UnknownProject(project_id)
    pacing = database.query("SELECT * FROM dialer_stat_pacing WHERE project_id = :project", project=project_id)
    now = database.query("SELECT dialer_now() AS instant")[0]["instant"]
    return {
        "project": project,
        "pacing": dict(pacing[0]) if pacing else None,
        "outcomes": [
            dict(row) for row in database.query(_OUTCOMES, project=project_id, since=now - timedelta(hours=24))
        ],
        "hours": _hours(database, project_id, _hour(now) - timedelta(hours=23)),
        "agents": [
            dict(row)
            for row in database.query(
                "SELECT a.agent, a.name, a.state, a.since_at, a.calls, a.talk_seconds FROM dialer_stat_agent a"
                " JOIN dialer_rules r ON lower(r.queue) = lower(a.queue) AND r.asterisk = a.asterisk"
                " WHERE r.project_id = :project ORDER BY a.name",
                project=project_id,
            )
        ],
    }


# As dialer_stat_outcome; a bound that is no function's has PostgreSQL take the index, however long the ledger.
_OUTCOMES = """
    SELECT outcome, count(*) AS attempts, max(ended_at) AS last_at
    FROM dialer_attempts
    WHERE project_id = :project AND ended_at > :since
    GROUP BY outcome
    ORDER BY attempts DESC, outcome
"""
_HOURS = """
    SELECT min(ended_at) AS hour_at,
        count(*) AS attempts,
        count(DISTINCT case_id) AS cases,
        count(answered_at) AS answered,
        count(CASE WHEN counts_as = 'connected' THEN 1 END) AS connected,
        count(CASE WHEN counts_as = 'abandoned' THEN 1 END) AS abandoned,
        avg(ring_seconds) AS ring_seconds,
        avg(wait_seconds) AS wait_seconds,
        avg(talk_seconds) AS talk_seconds,
        count(CASE WHEN outcome = 'LOST' THEN 1 END) AS lost,
        count(agent_at) AS talked,
        count(CASE WHEN outcome = 'ANSWERED' THEN played_at END) AS heard
    FROM dialer_attempts
    WHERE project_id = :project AND ended_at >= :since
    GROUP BY CAST(ended_at AS date), extract(HOUR FROM ended_at)
    ORDER BY hour_at DESC
"""


def _hours(database: Database, project_id: str, since: datetime) -> list[dict[str, Any]]:
    """Hours from an instant on as dialer_stat_hour has them, the latest first: that view reads all that a project has
    ever called, for no index knows its hours."""

    def rate(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    return [
        dict(row)
        | {
            "hour_at": _hour(row["hour_at"]),
            "abandon_rate": rate(row["abandoned"], row["connected"] + row["abandoned"]),
            "answer_rate": rate(row["answered"], row["attempts"]),
        }
        for row in database.query(_HOURS, project=project_id, since=since)
    ]


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


LOOK_SECONDS = 1.0
"""Whoever asks for readiness has not long to wait."""
_TROUBLES = (
    "SELECT kind, subject, asterisk, detail, since_at FROM dialer_troubles"
    " WHERE kind = 'case' OR told_at > dialer_now() - INTERVAL '5' MINUTE"
    " UNION ALL SELECT 'project', j.project_id, coalesce(r.asterisk, 'default'),"
    " concat('it gets no cases: ', j.claims_slow), j.claims_slow_at"
    " FROM dialer_projects j JOIN dialer_rules r ON r.project_id = j.project_id"
    " WHERE j.claims_slow IS NOT NULL AND j.wanted = 'start' ORDER BY since_at LIMIT 20"
)


def readiness(database: Database) -> Readiness:
    """Can the dialer do its work? What somebody locks is a trouble, and not waited for."""
    database.require_head()
    if faults := database.faults():
        return Readiness([f"{one.name} {one.fault}. {one.remedy}" for one in faults], [])
    reasons = [
        f"Asterisk {row['asterisk']} is down: {row['reason']}"
        for row in database.query("SELECT asterisk, reason FROM dialer_asterisks WHERE state = 'down'")
    ]
    if not any(
        row["alive"]
        for row in database.query(
            "SELECT dialer_lease_alive(lease_until, lease_seconds) AS alive FROM dialer_asterisks"
        )
    ):
        reasons.append("no live worker owns an Asterisk: start one with `dialer run` or `dialer worker`")
    broken, unseen = _look(database, "dialer_invariants", "SELECT kind, id, detail FROM dialer_invariants LIMIT 5")
    troubles, unread = _look(database, "dialer_troubles", _TROUBLES)
    reasons += [f"dialer_invariants: {row['kind']} {row['id']}: {row['detail']}" for row in broken]
    told = [f"{row['kind']} {row['subject']} on {row['asterisk']}: {row['detail']}" for row in troubles]
    return Readiness(reasons, [*unseen, *unread, *told])


def _look(database: Database, name: str, statement: str) -> tuple[list[Row], list[str]]:
    """Rows, and why there are none to be had."""
    try:
        return database.query(statement, timeout_seconds=LOOK_SECONDS), []
    except StatementTimedOut as error:
        return [], [f"{name} cannot be looked at: {error.told}"]


def trunk_ensure(database: Database, asterisk: str, template: str) -> None:
    """Make the trunk 'default' of an Asterisk unless there is one."""
    database.call("dialer_trunk_ensure", asterisk, template)
