"""States of projects: stopped, running, idle, finished, failing; who writes them and what readers see."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.support.caller import NOON, Caller
from tests.support.dialects import Dialect, execute, query_at
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database
from worker.db.database import Row
from worker.db.routines.statistics import Statistics


@pytest.fixture(autouse=True)
def project(db: Database) -> None:
    add_project(db)
    add_trunk(db)


def seen(caller: Caller) -> Row:
    """The project as readers see it."""
    return caller.db.query("SELECT * FROM dialer_project_states WHERE project_id = 'p'")[0]


def state(caller: Caller) -> tuple[str, datetime | None]:
    row = seen(caller)
    return row["state"], row["until_at"]


def test_a_project_exists_as_soon_as_its_parameters_do_and_is_stopped(caller: Caller) -> None:
    assert state(caller) == ("stopped", None)
    add_case(caller.db)
    assert caller.claim() == []


def test_start_and_stop_are_idempotent_and_say_whether_they_changed_anything(caller: Caller) -> None:
    def told(answer: Row) -> tuple[object, ...]:
        return answer["wanted"], answer["state"], answer["changed"]

    caller.claim()  # nobody asked for it: nothing happens
    assert told(caller.start()) == ("start", "running", True)
    since = seen(caller)["since_at"]
    assert told(caller.start()) == ("start", "running", False)
    assert seen(caller)["since_at"] == since
    assert told(caller.stop()) == ("stop", "stopped", True)
    assert told(caller.stop()) == ("stop", "stopped", False)


def test_a_slow_look_does_not_take_a_lease_for_over_that_held_when_it_began(caller: Caller) -> None:
    if caller.dialect.name == "mariadb":
        return  # it has no instant of a statement but the one that people may set
    caller.start()
    execute(
        caller.db,
        "DO $$ DECLARE v_until timestamptz := clock_timestamp() + interval '0.2 seconds'; BEGIN"
        " UPDATE dialer_asterisks SET lease_until = v_until;"
        " WHILE clock_timestamp() <= v_until LOOP END LOOP;"
        " IF EXISTS (SELECT FROM dialer_project_states s WHERE s.obstacle = 'no_worker') THEN"
        " RAISE EXCEPTION 'it was taken for over'; END IF; END $$",
    )
    assert seen(caller)["obstacle"] == "no_worker"


def test_an_unknown_project_gives_no_row(caller: Caller) -> None:
    assert caller.db.call("dialer_project_start", "nobody") == []
    assert caller.db.call("dialer_project_stop", "nobody") == []


def test_running_while_something_is_in_hand(caller: Caller) -> None:
    case = add_case(caller.db)
    caller.start()
    attempt = caller.dial(case)
    assert caller.claim() == []
    assert seen(caller)["state"] == "running", "a call is up"
    caller.finish(attempt, "ANSWERED", answered=1)
    caller.claim()
    assert seen(caller)["state"] == "finished"


def test_idle_until_the_next_window_opens(caller: Caller) -> None:
    add_case(caller.db, allowed_start="15:00", allowed_stop="16:00")
    add_case(caller.db, allowed_start="14:00", allowed_stop="16:00", utc="-3")
    caller.start()
    caller.claim()
    assert state(caller) == ("idle", NOON + timedelta(hours=3))


def test_idle_until_the_next_promise_redial_or_end_of_a_delay(caller: Caller) -> None:
    add_case(caller.db, deferred_time=NOON + timedelta(hours=2))
    caller.start()
    caller.claim()
    assert state(caller) == ("idle", NOON + timedelta(hours=2))
    redial = add_case(caller.db, call_back=True, call_back_period="30")
    caller.call(redial, "BUSY")
    caller.claim()
    assert state(caller) == ("idle", NOON + timedelta(minutes=30))
    delayed = add_case(caller.db)
    caller.call(delayed, "FAILED")
    caller.claim()
    assert state(caller) == ("idle", caller.case(delayed)["not_before_at"])


def test_a_promise_outside_its_window_counts_from_the_window(caller: Caller) -> None:
    add_case(caller.db, deferred_time=NOON + timedelta(hours=1), allowed_start="20:00", allowed_stop="21:00")
    caller.start()
    caller.claim()
    assert state(caller) == ("idle", NOON + timedelta(hours=8))


def test_finished_when_nothing_is_left_and_running_again_with_a_new_case(caller: Caller) -> None:
    caller.start()
    caller.claim()
    assert state(caller) == ("finished", None)
    case = add_case(caller.db)
    assert caller.claim() == [case], "only stop holds it"
    assert seen(caller)["state"] == "running"


def test_a_case_brought_back_makes_a_finished_project_run_again(caller: Caller) -> None:
    case = add_case(caller.db)
    caller.start()
    caller.call(case, "ANSWERED", answered=1)
    caller.claim()
    assert seen(caller)["state"] == "finished"
    execute(caller.db, "UPDATE dialer_clients SET used = false")
    assert caller.claim() == [case]
    assert seen(caller)["state"] == "running"


def test_since_tells_when_the_state_began(caller: Caller) -> None:
    caller.start()
    caller.claim()
    began = seen(caller)["since_at"]
    assert began == NOON
    caller.forward(minutes=5)
    caller.claim()
    assert seen(caller)["since_at"] == began


def test_stop_holds_a_finished_project(caller: Caller) -> None:
    caller.start()
    caller.claim()
    caller.stop()
    add_case(caller.db)
    assert caller.claim() == []
    assert state(caller) == ("stopped", None)


# --- failing ----------------------------------------------------------------------------------------------------


def report(caller: Caller, reason: str | None) -> None:
    caller.db.call("dialer_project_report", *caller.owner, "p", reason, caller.now)


def test_a_failing_project_says_why_and_is_tried_again_at_growing_intervals(caller: Caller) -> None:
    add_case(caller.db)
    caller.start()
    waits = []
    for _ in range(6):
        report(caller, "no queue 'p'")
        row = seen(caller)
        assert (row["state"], row["reason"], row["since_at"]) == ("failing", "no queue 'p'", NOON)
        assert caller.claim() == []
        waits.append((row["until_at"] - caller.now).total_seconds())
        caller.now = row["until_at"]
    assert waits == [5, 10, 20, 40, 60, 60]
    report(caller, None)
    assert seen(caller)["state"] == "running"
    assert len(caller.claim()) == 1


def test_a_failing_project_is_tried_at_once_when_it_is_started_anew(caller: Caller) -> None:
    caller.start()
    report(caller, "no queue 'p'")
    assert seen(caller)["state"] == "failing"
    caller.stop()
    assert caller.start()["state"] == "running"


def test_a_stopped_project_cannot_fail(caller: Caller) -> None:
    report(caller, "no queue 'p'")
    assert seen(caller)["state"] == "stopped"


def test_readers_see_that_there_is_no_worker(caller: Caller) -> None:
    add_case(caller.db)
    caller.start()
    caller.claim()
    caller.db.call("dialer_worker_stop", caller.worker_id)
    row = seen(caller)
    assert row["state"] == "failing"
    assert "no live worker" in row["reason"]
    assert "dialer run" in row["reason"], "the remedy"


def test_readers_see_that_a_lease_has_passed(caller: Caller) -> None:
    caller.start()
    caller.db.value("dialer_worker_beat", caller.worker_id, -1)
    assert "no live worker" in seen(caller)["reason"]


def test_readers_see_that_asterisk_is_down(caller: Caller) -> None:
    caller.start()
    caller.report_up("down", "connection refused")
    row = seen(caller)
    assert row["state"] == "failing"
    assert "connection refused" in row["reason"]


def test_readers_see_that_the_trunk_is_missing(caller: Caller) -> None:
    execute(caller.db, "DELETE FROM dialer_trunks")
    caller.start()
    row = seen(caller)
    assert row["state"] == "failing"
    assert "dialer_trunks" in row["reason"]


def test_a_project_whose_parameters_were_deleted_says_so(caller: Caller) -> None:
    caller.start()
    execute(caller.db, "DELETE FROM dialer_params")
    assert "dialer_params" in seen(caller)["reason"]
    assert caller.claim() == []
    assert caller.db.call("dialer_work", "default") == []


def test_the_count_of_waiting_cases_is_taken_when_asked(caller: Caller) -> None:
    add_case(caller.db)
    add_case(caller.db, deferred_time=NOON + timedelta(days=1))
    execute(caller.db, "UPDATE dialer_clients SET used = true WHERE id = :id", id=add_case(caller.db))
    caller.start()
    caller.db.call("dialer_project_count", "p", caller.now)
    row = caller.db.query("SELECT * FROM dialer_stat_project")[0]
    assert (row["cases_waiting"], row["counted_at"]) == (2, NOON)


def test_what_a_worker_has_to_know_of_a_project(caller: Caller) -> None:
    add_project(caller.db, "q", lines=7, type="progressive", asterisk="east")
    caller.start()
    caller.start("q")
    caller.dial(add_case(caller.db))
    work = caller.db.call("dialer_work", "default")
    assert [row["project_id"] for row in work] == ["p"]
    assert work[0]["room"] == 999
    east = caller.db.call("dialer_work", "east")
    assert [(row["project_id"], row["room"]) for row in east] == [("q", None)], "it has no such trunk"


@pytest.mark.parametrize(
    ("lines", "max_lines", "state", "room"),
    [(2, 30, "ok", 1), (5, 30, "ok", 4), (1, 30, "ok", 0), (None, 3, "ok", 2), (0, 4, "ok", 3), (0, 30, "failing", 1)],
)
def test_the_room_of_a_project_is_what_itself_and_its_trunk_have_left(
    caller: Caller, lines: int | None, max_lines: int, state: str, room: int
) -> None:
    caller.start()
    caller.dial(add_case(caller.db))
    execute(caller.db, f"UPDATE dialer_params SET {caller.dialect.lines} = :lines", lines=lines)
    execute(caller.db, "UPDATE dialer_trunks SET max_lines = :lines", lines=max_lines)
    execute(
        caller.db,
        "UPDATE dialer_trunk_states SET state = :state, dial_template = (SELECT dial_template FROM dialer_trunks)",
        state=state,
    )
    assert [row["room"] for row in caller.db.call("dialer_work", "default")] == [room]


def test_agents_are_what_the_owner_of_their_asterisk_sees(caller: Caller) -> None:
    members = (
        '[{"queue": "p", "interface": "PJSIP/a", "name": "Ann", "state": "free", "since": 5},'
        ' {"queue": "p", "interface": "PJSIP/b", "name": "Bob", "state": "paused", "since": 0}]'
    )
    caller.db.call("dialer_agents_write", *caller.owner, members, caller.now)
    caller.forward(minutes=1)
    caller.db.call("dialer_agents_write", *caller.owner, members, caller.now)
    rows = caller.db.query("SELECT * FROM dialer_agents ORDER BY interface")
    assert [(row["name"], row["state"]) for row in rows] == [("Ann", "free"), ("Bob", "paused")]
    assert rows[0]["since_at"] == NOON - timedelta(seconds=5), "an unchanged state keeps its beginning"
    figures = caller.db.query("SELECT * FROM dialer_stat_project")[0]
    assert (figures["agents_free"], figures["agents_paused"], figures["agents"]) == (1, 1, 2)
    caller.db.call("dialer_agents_write", *caller.owner, "[]", caller.now)
    assert caller.db.query("SELECT * FROM dialer_agents") == [], "who is not in it has left"


@pytest.mark.parametrize("queue", ["p", "P"], ids=["as written", "as Asterisk writes it"])
def test_what_an_agent_did_today_stands_beside_what_they_do_now(caller: Caller, queue: str) -> None:
    members = f'[{{"queue": "{queue}", "interface": "PJSIP/a", "name": "Ann", "state": "talking", "since": 0}}]'
    caller.db.call("dialer_agents_write", *caller.owner, members, caller.now)
    caller.start()
    attempt = caller.dial(add_case(caller.db))
    caller.forward(minutes=1)
    caller.finish(attempt, "ANSWERED", answered=40, agent=30, agent_name="PJSIP/a")
    row = query_at(caller.db, caller.dialect, caller.now, "SELECT * FROM dialer_stat_agent")[0]
    assert (row["agent"], row["state"]) == ("PJSIP/a", "talking")
    assert (row["calls"], float(row["talk_seconds"])) == (1, 30)
    assert [agent.name for agent in Statistics(caller.db).of_project("p").agents] == ["Ann"]


# --- several Asterisks: what one lacks says nothing of the other ---------------------------------------------------


@pytest.fixture
def two(caller: Caller, dialect: Dialect) -> Caller:
    """The owner of Asterisk 'two', which alone has the trunk 'east'."""
    add_trunk(caller.db, "east", asterisk="two")
    return Caller(caller.db, dialect, asterisk="two")


def test_a_project_without_agents_is_the_work_of_the_asterisks_that_have_its_trunk(caller: Caller, two: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET trunk = 'east'")
    case = add_case(caller.db)
    caller.start()
    assert caller.db.call("dialer_work", "default") == []
    assert [row["project_id"] for row in caller.db.call("dialer_work", "two")] == ["p"]
    assert (seen(caller)["state"], seen(caller)["obstacle"]) == ("running", None)
    assert caller.why(case)["reason"] == "queued"
    assert two.claim() == [case]
    assert two.refusals([case]) == [None]


def test_what_is_missing_on_one_asterisk_does_not_keep_a_project_from_the_other(caller: Caller, two: Caller) -> None:
    add_trunk(caller.db, asterisk="two")
    case = add_case(caller.db)
    caller.start()
    report(caller, "Asterisk 'default' has no context")
    assert caller.claim() == []
    assert seen(caller)["state"] == "running"
    assert two.claim() == [case]
    assert two.refusals([case]) == [None]
    report(two, "Asterisk 'two' has no context either")
    assert seen(caller)["state"] == "failing"
    assert seen(caller)["reason"] == "Asterisk 'default' has no context", "the one that its parameters name"
    report(caller, None)
    assert seen(caller)["state"] == "running"


def test_a_project_that_can_be_dialled_nowhere_says_why(caller: Caller, two: Caller) -> None:
    execute(caller.db, "UPDATE dialer_params SET trunk = 'east'")
    caller.start()
    two.report_up("down", "it rains")
    assert (seen(caller)["obstacle"], seen(caller)["reason"]) == ("asterisk_down", "Asterisk two is down: it rains")


def test_a_trouble_of_one_project_is_that_projects_and_readers_see_it(caller: Caller) -> None:
    add_project(caller.db, "q")
    case = add_case(caller.db)
    caller.start()
    caller.start("q")
    tell = ("dialer_trouble_report", *caller.owner, "project", "p", "begin")
    caller.db.call(*tell, "a row of it is locked", caller.now)
    states = query_at(caller.db, caller.dialect, caller.now, "SELECT project_id, state FROM dialer_project_states")
    assert {row["project_id"]: row["state"] for row in states} == {"p": "failing", "q": "running"}
    why = caller.why(case)
    assert (why["reason"], why["detail"]) == ("project_failing", "a row of it is locked")
    statement = "SELECT kind, detail FROM dialer_warnings WHERE kind LIKE '%trouble'"
    [warning] = query_at(caller.db, caller.dialect, caller.now, statement)
    assert warning["kind"] == "project_trouble"
    assert "a row of it is locked" in warning["detail"]
    caller.db.call(*tell, None, caller.now)
    assert query_at(caller.db, caller.dialect, caller.now, statement) == []
    assert caller.why(case)["reason"] == "queued"


def test_a_claim_of_nothing_settles_the_state_of_a_project_that_is_granted_no_call(caller: Caller) -> None:
    add_case(caller.db, allowed_start="15:00", allowed_stop="16:00")
    caller.start()
    assert caller.claim(0) == []
    assert state(caller) == ("idle", NOON + timedelta(hours=3))


def test_joins_on_our_tables_are_no_error(caller: Caller) -> None:
    caller.start()
    for statement in (
        "UPDATE dialer_params SET caller_id = '1' WHERE project_id IN (SELECT project_id FROM dialer_projects)",
        "UPDATE dialer_params SET caller_id = '2' WHERE project_id IN (SELECT project_id FROM dialer_stat_project)",
        "INSERT INTO dialer_params (project_id, exten) SELECT concat(project_id, '2'), 's' FROM dialer_projects",
        "UPDATE dialer_clients SET priority = 2 WHERE id IN (SELECT case_id FROM dialer_why)",
        "UPDATE dialer_trunks SET max_lines = 7 WHERE trunk IN (SELECT trunk FROM dialer_stat_trunk)",
    ):
        execute(caller.db, statement)
    if caller.dialect.name == "mariadb":
        execute(
            caller.db,
            "UPDATE dialer_params p JOIN dialer_projects s USING (project_id) SET p.caller_id = '3'"
            " WHERE s.wanted = 'start'",
        )
    assert len(caller.db.query("SELECT * FROM dialer_project_states")) == 2
