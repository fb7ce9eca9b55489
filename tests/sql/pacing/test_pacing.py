"""What predictive pacing reads and leaves in the database: rules, ledger, learned state, journal, and their views."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.caller import NOON, Caller, ended
from tests.support.dialects import Dialect, execute, query_at
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database
from worker.db.database import Row
from worker.db.routines.attempts import Attempts
from worker.db.routines.cases import Cases
from worker.db.routines.pacing import Pacing
from worker.db.routines.projects import Projects
from worker.db.routines.statistics import Statistics
from worker.model import Claim, Ownership, PacingDecision

DECISION = PacingDecision("p", 0, "predictive", 5, 3, "risk of one more call", '{"free": 2}')


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db, type="predictive", context="predictive")
    add_trunk(caller.db)
    caller.start()


@pytest.fixture
def owner(caller: Caller) -> Ownership:
    return Ownership(*caller.owner)


def write(caller: Caller, assignments: str, **values: Any) -> None:
    execute(caller.db, f"UPDATE dialer_params SET {assignments} WHERE project_id = 'p'", **values)


def people(caller: Caller, connected: int, abandoned: int, lost: int = 0) -> None:
    """So many calls that end now."""
    outcomes = ["ANSWERED"] * connected + ["ABANDONED"] * abandoned + ["LOST"] * lost
    cases = [add_case(caller.db) for _ in outcomes]
    assert set(cases) <= set(caller.claim(len(cases)))
    attempts = [row["attempt_id"] for row in caller.begin(cases)]
    caller.finish_all(
        [
            ended(attempt, outcome, **({"answered": 5, "agent": 4} if outcome == "ANSWERED" else {"answered": 5}))
            for attempt, outcome in zip(attempts, outcomes, strict=True)
        ]
    )


def pacing(caller: Caller) -> Row:
    return query_at(caller.db, caller.dialect, caller.now, "SELECT * FROM dialer_stat_pacing")[0]


def warnings(caller: Caller) -> dict[str, str]:
    rows = query_at(caller.db, caller.dialect, caller.now, "SELECT kind, detail FROM dialer_warnings")
    return {row["kind"]: row["detail"] for row in rows}


# --- rules ------------------------------------------------------------------------------------------------------


def test_a_predictive_project_has_safe_defaults(caller: Caller) -> None:
    (work,) = Projects(caller.db).work("default")
    assert (work.type, work.serves_agents) == ("predictive", True)
    assert (work.abandon_target, work.abandon_seconds) == (3.0, 2.0)
    assert [window.name for window in Pacing(caller.db).abandon_ledger("p", caller.now)] == ["hours", "days"]
    assert caller.db.query("SELECT abandon_hours, abandon_days FROM dialer_rules") == [
        {"abandon_hours": 24, "abandon_days": 30}
    ]
    assert (work.calls_per_agent, work.predictive_agents, work.dial_ratio) == (10.0, 5, None)
    assert (work.dial_seconds, work.amd, work.priority) == (20.0, False, 0)
    assert isinstance(work.amd, bool)


def test_the_work_of_an_asterisk_carries_the_rules(caller: Caller) -> None:
    (before,) = Projects(caller.db).work("default")
    write(
        caller,
        "abandon_target = 2.5, abandon_hours = 12, abandon_days = 7, abandon_seconds = 1.5, calls_per_agent = 4.5,"
        " predictive_agents = 3, dial_ratio = 1.25, amd = true, priority = -2, dial_time = 25000",
    )
    (after,) = Projects(caller.db).work("default")
    assert after == replace(
        before,
        abandon_target=2.5,
        abandon_seconds=1.5,
        calls_per_agent=4.5,
        predictive_agents=3,
        dial_ratio=1.25,
        amd=True,
        priority=-2,
        dial_seconds=25.0,
    )


def test_a_predictive_project_belongs_to_the_asterisk_of_its_queue(caller: Caller) -> None:
    add_trunk(caller.db, asterisk="east")
    assert Projects(caller.db).work("east") == []


@pytest.mark.parametrize(
    ("changes", "patience"),
    [
        ("abandon_seconds = 2", 2),
        ("abandon_seconds = 2.1", 3),
        ("abandon_seconds = 0.3", 1),
        ("abandon_action = 'queue'", None),
        ("type = 'progressive'", None),
        ("type = 'autoinforming'", None),
    ],
)
def test_a_permission_says_how_long_a_person_waits_for_an_agent(
    caller: Caller, owner: Ownership, changes: str, patience: int | None
) -> None:
    write(caller, changes)
    (work,) = Projects(caller.db).work("default")
    case = add_case(caller.db)
    caller.claim()
    (begun,), _ = Attempts(caller.db).begin(owner, work, [(case, "c", "a")], caller.now)
    assert begun.patience == patience


@pytest.mark.parametrize(("amd", "action"), [(True, "message"), (False, "hangup")])
def test_a_permission_says_whether_amd_listens_and_what_a_machine_hears(
    caller: Caller, owner: Ownership, amd: bool, action: str
) -> None:
    write(caller, "amd = :amd, machine_action = :action", amd=amd, action=action)
    (work,) = Projects(caller.db).work("default")
    case = add_case(caller.db)
    caller.claim()
    (begun,), _ = Attempts(caller.db).begin(owner, work, [(case, "c", "a")], caller.now)
    assert (begun.amd, begun.machine_action) == (amd, action)
    assert isinstance(begun.amd, bool)


def test_the_guarantee_of_an_agent_is_given_case_by_case(caller: Caller, owner: Ownership) -> None:
    cases = [add_case(caller.db, phone_number=number) for number in ("1", "2")]
    for case in cases:
        caller.finish(caller.dial(case), "ABANDONED", answered=0)
    execute(caller.db, "UPDATE dialer_clients SET used = false")
    caller.db.call("dialer_release", caller.worker_id, "default", None)
    assert all(one.guarded for one in Cases(caller.db).claim(owner, "p", 10, caller.now))
    (work,) = Projects(caller.db).work("default")
    requests = [(case, f"c{case}", f"a{case}") for case in cases]
    begun, refused = Attempts(caller.db).begin(owner, work, requests, caller.now, guaranteed={cases[1]})
    assert [one.case_id for one in begun] == cases[1:]
    assert [(one.case_id, one.reason) for one in refused] == [(cases[0], "number_abandoned")]


def test_a_claim_tells_what_became_of_the_calls_before(caller: Caller, owner: Ownership) -> None:
    case = add_case(caller.db, call_back=True, call_back_period="1,1")
    assert Cases(caller.db).claim(owner, "p", 1, caller.now) == [Claim(case, "fresh")]
    caller.call(case, "NOANSWER")
    caller.forward(minutes=1)
    caller.call(case, "BUSY")
    caller.forward(minutes=1)
    expected = Claim(case, "redial", guarded=False, dials=2, last_outcome="BUSY")
    assert Cases(caller.db).claim(owner, "p", 1, caller.now) == [expected]


# --- the ledger of abandoned calls ------------------------------------------------------------------------------


def test_the_ledger_counts_people_over_two_windows(caller: Caller) -> None:
    people(caller, connected=3, abandoned=2, lost=1)
    caller.call(add_case(caller.db), "BUSY")
    caller.forward(days=2)
    people(caller, connected=4, abandoned=1)
    hours, days = Pacing(caller.db).abandon_ledger("p", caller.now)
    assert (hours.name, hours.connected, hours.abandoned, hours.lost) == ("hours", 4, 1, 0)
    assert hours.since_at == caller.now - timedelta(hours=24)
    assert (days.name, days.connected, days.abandoned, days.lost) == ("days", 7, 3, 1)
    assert days.since_at == caller.now - timedelta(days=30)


def test_the_windows_are_the_projects(caller: Caller) -> None:
    people(caller, connected=1, abandoned=1)
    caller.forward(hours=2)
    write(caller, "abandon_hours = 2, abandon_days = 1")
    hours, days = Pacing(caller.db).abandon_ledger("p", caller.now)
    assert (hours.connected, days.connected) == (0, 1), "what ended at its very beginning is out"
    caller.forward(seconds=-1)
    assert Pacing(caller.db).abandon_ledger("p", caller.now)[0].connected == 1


def test_calls_of_another_project_are_not_counted_and_of_another_type_are(caller: Caller) -> None:
    write(caller, "type = 'progressive'")
    people(caller, connected=1, abandoned=1)
    write(caller, "type = 'predictive'")
    add_project(caller.db, "q", type="predictive")
    hours = Pacing(caller.db).abandon_ledger("p", caller.now)[0]
    assert (hours.connected, hours.abandoned) == (1, 1)
    nobody = Pacing(caller.db).abandon_ledger("q", caller.now)
    assert [(one.connected, one.abandoned) for one in nobody] == [(0, 0)] * 2
    assert Pacing(caller.db).abandon_ledger("no such project", caller.now) == []


# --- what was learned -------------------------------------------------------------------------------------------


def test_what_was_learned_comes_back_as_it_was(caller: Caller, owner: Ownership) -> None:
    learned = json.dumps({"text": "Größe \"'\\ \n😀", "rates": [0.25] * 5000})
    assert Pacing(caller.db).load("p") is None
    assert Pacing(caller.db).save(owner, {"p": learned, "ж '; --": "{}"}, caller.now)
    assert Pacing(caller.db).load("p") == (learned, NOON)
    caller.forward(minutes=1)
    assert Pacing(caller.db).save(owner, {"p": "{}"}, caller.now)
    assert Pacing(caller.db).load("p") == ("{}", caller.now)
    assert Pacing(caller.db).load("ж '; --") == ("{}", NOON)


def test_who_is_not_the_owner_saves_nothing(caller: Caller, owner: Ownership) -> None:
    Pacing(caller.db).save(owner, {"p": "ours"}, caller.now)
    before = replace(owner, epoch=owner.epoch - 1)
    assert not Pacing(caller.db).save(before, {"p": "theirs"}, caller.now)
    assert not Pacing(caller.db).write_journal(before, [DECISION], caller.now)
    assert Pacing(caller.db).load("p") == ("ours", NOON)
    assert caller.db.query("SELECT * FROM dialer_pacing_journal") == []


def test_what_was_learned_survives_the_worker(caller: Caller, owner: Ownership) -> None:
    Pacing(caller.db).save(owner, {"p": "much"}, caller.now)
    caller.db.call("dialer_worker_stop", caller.worker_id)
    Caller(caller.db, caller.dialect)
    assert Pacing(caller.db).load("p") == ("much", NOON)


# --- the journal ------------------------------------------------------------------------------------------------


def test_decisions_are_written_in_their_order_with_their_instants(caller: Caller, owner: Ownership) -> None:
    decisions = [replace(DECISION, ago=2.5), replace(DECISION, ago=1, mode="ratio", granted=0), DECISION]
    assert Pacing(caller.db).write_journal(owner, decisions, caller.now)
    rows = caller.db.query("SELECT * FROM dialer_pacing_journal ORDER BY id")
    assert [(NOON - row["at"]).total_seconds() for row in rows] == [2.5, 1, 0]
    assert [row["mode"] for row in rows] == ["predictive", "ratio", "predictive"]
    first = rows[0]
    assert (first["project_id"], first["asterisk"]) == ("p", "default")
    assert (first["quota"], first["granted"], first["reason"]) == (5, 3, "risk of one more call")
    assert json.loads(first["inputs"]) == {"free": 2}
    assert Pacing(caller.db).write_journal(owner, [], caller.now)


def test_an_unknown_mode_is_refused(caller: Caller, owner: Ownership) -> None:
    with pytest.raises(Exception, match="mode"):
        Pacing(caller.db).write_journal(owner, [replace(DECISION, mode="magic")], caller.now)


def test_decisions_are_kept_for_48_hours(caller: Caller, owner: Ownership) -> None:
    Pacing(caller.db).write_journal(owner, [replace(DECISION, ago=1), DECISION], caller.now)
    caller.db.call("dialer_prune", NOON + timedelta(hours=48))
    assert len(caller.db.query("SELECT * FROM dialer_pacing_journal")) == 1
    caller.db.call("dialer_prune", NOON + timedelta(hours=48, seconds=1))
    assert caller.db.query("SELECT * FROM dialer_pacing_journal") == []


def test_pruning_takes_a_thousand_at_a_time_the_oldest_first(caller: Caller, owner: Ownership) -> None:
    many = [replace(DECISION, ago=1100 - number, quota=number) for number in range(1100)]
    Pacing(caller.db).write_journal(owner, many, caller.now)
    caller.db.call("dialer_prune", NOON + timedelta(days=3))
    assert [row["quota"] for row in caller.db.query("SELECT quota FROM dialer_pacing_journal ORDER BY id")] == list(
        range(1000, 1100)
    )


# --- for readers ------------------------------------------------------------------------------------------------


def test_only_predictive_projects_are_shown(caller: Caller) -> None:
    add_project(caller.db, "q", type="progressive")
    add_project(caller.db, "i")
    rows = caller.db.query("SELECT * FROM dialer_stat_pacing")
    assert [row["project_id"] for row in rows] == ["p"]
    row = rows[0]
    assert (row["day_connected"], row["day_rate"], row["left_before_target"]) == (0, None, 0)
    assert {row[name] for name in ("mode", "reason", "quota", "decided_at", "saved_at")} == {None}


def test_target_and_actual_stand_beside_each_other(caller: Caller, owner: Ownership) -> None:
    people(caller, connected=18, abandoned=2, lost=1)
    caller.forward(hours=25)
    people(caller, connected=39, abandoned=1)
    Pacing(caller.db).write_journal(owner, [replace(DECISION, quota=9), DECISION], caller.now)
    Pacing(caller.db).save(owner, {"p": "{}"}, caller.now)
    row = pacing(caller)
    assert float(row["abandon_target"]) == 3
    assert (row["day_connected"], row["day_abandoned"], float(row["day_rate"])) == (39, 1, 0.025)
    assert (row["days_connected"], row["days_abandoned"], float(row["days_rate"])) == (57, 3, 0.05)
    assert row["days_lost"] == 1
    assert row["left_before_target"] == 0, "the stricter window decides"
    assert (row["mode"], row["reason"], row["quota"]) == ("predictive", "risk of one more call", 5)
    assert (row["decided_at"], row["saved_at"]) == (caller.now, caller.now)
    shown = Statistics(caller.db).of_project("p").pacing
    assert shown is not None
    assert shown.quota == 5


def test_a_project_of_another_type_has_no_pacing_in_its_statistics(caller: Caller) -> None:
    write(caller, "type = 'progressive'")
    assert Statistics(caller.db).of_project("p").pacing is None


@pytest.mark.parametrize(("target", "connected", "abandoned"), [(10, 19, 1), (5, 40, 2), (50, 3, 0), (33.33, 2, 1)])
def test_what_is_left_can_be_spent_and_one_more_cannot(
    caller: Caller, target: float, connected: int, abandoned: int
) -> None:
    write(caller, "abandon_target = :target", target=target)
    people(caller, connected, abandoned)
    left = pacing(caller)["left_before_target"]
    rates = [(abandoned + more) / (connected + abandoned + more) for more in (left, left + 1)]
    assert rates[0] * 100 <= target < rates[1] * 100 or (left == 0 and rates[0] * 100 > target)


def test_a_target_of_100_per_cent_is_never_used_up(caller: Caller) -> None:
    write(caller, "abandon_target = 100")
    people(caller, 0, 3)
    assert pacing(caller)["left_before_target"] is None


def test_warnings_of_a_predictive_project(caller: Caller) -> None:
    assert warnings(caller) == {}
    write(caller, "dial_time = 14000, abandon_target = 3.5")
    people(caller, 2, 1)
    told = warnings(caller)
    assert told.keys() == {"rings_too_short", "abandon_target_high", "abandon_target_exceeded"}
    assert "14.000 s" in told["rings_too_short"]
    assert "3.50" in told["abandon_target_high"]
    assert "1 of 3 people" in told["abandon_target_exceeded"]
    assert "33.333 per cent" in told["abandon_target_exceeded"]
    write(caller, "type = 'progressive'")
    assert warnings(caller) == {}, "they are about predictive projects"


def test_each_window_over_its_target_is_told(caller: Caller) -> None:
    people(caller, 2, 1)
    rows = query_at(
        caller.db,
        caller.dialect,
        caller.now,
        "SELECT detail FROM dialer_warnings WHERE kind = 'abandon_target_exceeded'",
    )
    assert sorted(row["detail"].split(" in its last ")[1].split(":")[0] for row in rows) == ["24 hours", "30 days"]
    caller.forward(hours=25)
    assert "30 days" in warnings(caller)["abandon_target_exceeded"]


def test_the_ledger_reads_only_what_it_counts(own_database: Database, dialect: Dialect) -> None:
    """Many calls, few of them answered, most of them long ago: rows that the plan gives, whatever the machine."""
    fill = {
        "postgresql": "SELECT n FROM generate_series(1, 20000) n",
        "mariadb": "SELECT seq AS n FROM seq_1_to_20000",
    }[dialect.name]
    step = {"postgresql": "n * interval '1 minute'", "mariadb": "INTERVAL n MINUTE"}[dialect.name]
    with own_database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO dialer_attempts (id, case_id, case_inserted_at, effect, case_name, project_id,"
                " phone_number, asterisk, trunk, worker_id, epoch, type, queue, kind, redials_done, brought_back,"
                " channel_id, action_id, channel, dial_seconds, abandon_seconds, state, outcome, begun_at, answered_at,"
                " agent_at, ended_at)"
                " SELECT n, n, :noon, 'used', '', 'p', '1', 'default', 'default', 1, 1, 'predictive', 'p', 'fresh', 0,"
                " 0, concat('c', n), concat('a', n), '', 20, 2, 'ended',"
                " CASE WHEN n % 10 = 0 THEN 'ANSWERED' ELSE 'NOANSWER' END,"
                f" :noon, :noon, CASE WHEN n % 10 = 0 THEN :noon END, CAST(:noon AS {_instant(dialect)}) - {step}"
                f" FROM ({fill}) numbers"
            ),
            {"noon": NOON},
        )
    with own_database.transaction() as connection:
        connection.execute(text("ANALYZE" if dialect.name == "postgresql" else "ANALYZE TABLE dialer_attempts"))
        plan = dialect.plan(
            connection,
            "SELECT count(*) FROM dialer_attempts a WHERE a.project_id = 'p' AND a.counts_as = 'connected'"
            f" AND a.ended_at > CAST(:since AS {_instant(dialect)})",
            {"since": NOON - timedelta(days=1)},
        )
    assert "dialer_attempts_counted" in plan, plan
    assert "Seq Scan" not in plan
    if dialect.name == "mariadb":
        assert "type=range" in plan, plan
        assert "Using index" in plan, plan


def _instant(dialect: Dialect) -> str:
    return "timestamptz" if dialect.name == "postgresql" else "datetime(6)"
