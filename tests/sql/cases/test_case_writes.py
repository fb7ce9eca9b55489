"""A DBA at the wrong moment: what an UPDATE or DELETE means before, during and after a call."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute, rows_of
from tests.support.factories import add_case, add_project, add_trunk
from worker.db import Database


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()


@pytest.fixture
def case(caller: Caller) -> int:
    return add_case(caller.db, call_back=True, call_back_period="1,1")


def write(caller: Caller, case: int, assignments: str, **values: object) -> None:
    assert execute(caller.db, f"UPDATE dialer_clients SET {assignments} WHERE id = :id", id=case, **values) == 1


def assert_nothing_in_hand(caller: Caller, case: int) -> None:
    assert caller.db.query("SELECT * FROM dialer_claims") == []
    assert caller.db.query("SELECT * FROM dialer_live") == []
    assert not any(row["checked"] for row in caller.db.query("SELECT checked FROM dialer_clients"))
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


# --- used set: the case is withdrawn ----------------------------------------------------------------------------


def test_used_set_while_claimed_is_not_dialled(caller: Caller, case: int) -> None:
    assert caller.claim() == [case]
    write(caller, case, "used = true")
    assert caller.refusals([case]) == ["used"]
    assert_nothing_in_hand(caller, case)
    assert caller.case(case)["used"]


def test_used_set_during_the_call_stands_although_a_redial_would_be_due(caller: Caller, case: int) -> None:
    attempt = caller.dial(case)
    write(caller, case, "used = true")
    caller.finish(attempt, "BUSY")
    row = caller.case(case)
    assert row["used"]
    assert row["deferred_time"] is None, "nothing stays pending"
    assert caller.attempt(attempt)["effect"] == "kept"
    stat = caller.stat(case)
    assert stat is not None
    assert stat["state"] == "BUSY", "the call has been made and counts"
    assert_nothing_in_hand(caller, case)


def test_used_set_after_the_call_takes_the_pending_redial_with_it(caller: Caller, case: int) -> None:
    caller.call(case, "BUSY")
    write(caller, case, "used = true")
    row = caller.case(case)
    assert (row["deferred_time"], row["deferred_kind"]) == (None, None)
    caller.forward(hours=1)
    assert caller.next() == []
    write(caller, case, "used = false")
    assert caller.next() == [case]
    assert caller.db.call("dialer_next", "p", caller.now, 1)[0]["kind"] == "fresh", "not the old redial"


# --- used cleared: the case is brought back ---------------------------------------------------------------------


def test_used_cleared_before_the_call_makes_it_a_case_again(caller: Caller, case: int) -> None:
    write(caller, case, "used = true")
    assert caller.claim() == []
    write(caller, case, "used = false")
    assert caller.claim() == [case]


def test_used_cleared_during_the_call_makes_the_case_fresh_when_it_is_over(caller: Caller, case: int) -> None:
    caller.call(case, "BUSY")
    caller.forward(minutes=1)
    attempt = caller.dial(case)
    write(caller, case, "used = true")
    write(caller, case, "used = false")
    assert caller.next() == [], "the call goes on"
    caller.finish(attempt, "ANSWERED", answered=3)
    row = caller.case(case)
    assert not row["used"]
    assert row["redials_done"] == 0
    assert caller.next() == [case]
    assert_nothing_in_hand(caller, case)


def test_used_cleared_after_the_call_starts_the_redial_list_anew(caller: Caller, case: int) -> None:
    for _ in range(3):
        caller.call(case, "BUSY")
        caller.forward(minutes=1)
    assert caller.case(case)["used"]
    write(caller, case, "used = false")
    for _ in range(3):
        assert caller.next() == [case]
        caller.call(case, "BUSY")
        caller.forward(minutes=1)
    assert caller.case(case)["used"]
    stat = caller.stat(case)
    assert stat is not None
    assert stat["dial_count"] == 6


# --- deferred_time written: a scheduled callback ----------------------------------------------------------------


def test_a_promise_made_while_claimed_gives_the_case_back_until_then(caller: Caller, case: int) -> None:
    caller.claim()
    write(caller, case, "deferred_time = :at", at=NOON + timedelta(minutes=5))
    assert caller.refusals([case]) == ["scheduled"]
    assert_nothing_in_hand(caller, case)
    assert caller.why(case)["reason"] == "scheduled"
    caller.forward(minutes=5)
    assert caller.claim() == [case]


@pytest.mark.parametrize("outcome", ["ANSWERED", "BUSY", "CANCELLED", "FAILED", "LOST"])
def test_a_promise_made_during_the_call_is_not_overwritten_by_its_end(caller: Caller, case: int, outcome: str) -> None:
    promised = NOON + timedelta(hours=2)
    attempt = caller.dial(case)
    write(caller, case, "deferred_time = :at", at=promised)
    caller.forward(seconds=20)
    caller.finish(attempt, outcome)
    row = caller.case(case)
    assert (row["deferred_time"], row["deferred_kind"], row["deferred_done"]) == (promised, "scheduled", False)
    assert not row["used"]
    caller.now = promised
    assert caller.claim() == [case]


def test_a_promise_made_during_a_callback_replaces_the_one_being_kept(caller: Caller) -> None:
    case = add_case(caller.db, deferred_time=NOON)
    attempt = caller.dial(case)
    write(caller, case, "deferred_time = :at", at=NOON + timedelta(days=1))
    caller.finish(attempt, "ANSWERED", answered=1)
    caller.now = NOON + timedelta(days=1)
    assert caller.next() == [case]


def test_a_promise_made_after_the_call_brings_the_case_back(caller: Caller, case: int) -> None:
    caller.call(case, "ANSWERED", answered=0)
    assert caller.case(case)["used"]
    write(caller, case, "deferred_time = :at", at=NOON + timedelta(hours=1))
    assert not caller.case(case)["used"]
    assert caller.next() == []
    caller.forward(hours=1)
    assert caller.next() == [case]


def test_a_promise_written_over_a_pending_redial_comes_at_its_own_instant(caller: Caller, case: int) -> None:
    caller.call(case, "BUSY")
    write(caller, case, "deferred_time = :at", at=NOON + timedelta(hours=1))
    caller.forward(minutes=1)
    assert caller.next() == []
    caller.now = NOON + timedelta(hours=1)
    assert caller.db.call("dialer_next", "p", caller.now, 1)[0]["kind"] == "scheduled"


def test_a_promise_and_used_in_one_statement_is_a_promise(caller: Caller, case: int) -> None:
    write(caller, case, "used = true, deferred_time = :at", at=NOON)
    row = caller.case(case)
    assert not row["used"]
    assert row["deferred_kind"] == "scheduled"


def test_a_case_inserted_with_a_promise_is_a_scheduled_callback(caller: Caller) -> None:
    case = add_case(caller.db, deferred_time=NOON)
    row = caller.case(case)
    assert (row["used"], row["deferred_done"], row["deferred_kind"]) == (False, False, "scheduled")
    assert caller.claim() == [case]


# --- inserted: an archive comes back -----------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [{"used": True}, {"deferred_done": True}, {"used": True, "deferred_done": True}])
def test_what_is_inserted_as_used_or_with_its_promise_kept_stays_so(caller: Caller, columns: dict[str, bool]) -> None:
    promised = NOON - timedelta(days=1)
    case = add_case(caller.db, deferred_time=promised, **columns)
    row = caller.case(case)
    assert {"used": row["used"], "deferred_done": row["deferred_done"]} == {
        "used": False,
        "deferred_done": False,
        **columns,
    }
    assert row["deferred_time"] == promised
    assert caller.next() == ([] if "used" in columns else [case])


def test_a_used_case_with_a_promise_can_be_brought_back(caller: Caller) -> None:
    case = add_case(caller.db, deferred_time=NOON, used=True)
    write(caller, case, "used = false")
    assert caller.db.call("dialer_next", "p", caller.now, 1)[0]["kind"] == "scheduled"


def archive_and_back(caller: Caller, *, restoring: bool) -> None:
    """All columns of all cases go into another table, and come back from it."""
    names = list(rows_of(caller.db, "dialer_clients")[0])
    columns = ", ".join(name for name in names if name not in ("window_key", "waits_as", "waits_for"))
    said = {"postgresql": "SET LOCAL dialer.restoring = 'on'", "mariadb": "SET @dialer_restoring = true"}
    forgotten = {"postgresql": "SET LOCAL dialer.restoring = ''", "mariadb": "SET @dialer_restoring = NULL"}
    with caller.db.transaction() as dba:
        dba.exec_driver_sql(f"CREATE TEMPORARY TABLE archive AS SELECT {columns} FROM dialer_clients")
        dba.exec_driver_sql("DELETE FROM dialer_clients")
        if restoring:
            dba.exec_driver_sql(said[caller.dialect.name])
        try:
            dba.exec_driver_sql(f"INSERT INTO dialer_clients ({columns}) SELECT {columns} FROM archive")
        except DBAPIError:
            if caller.dialect.name == "mariadb":  # a variable of the session outlives its transaction
                dba.exec_driver_sql(forgotten["mariadb"])
            raise
        dba.exec_driver_sql(forgotten[caller.dialect.name])
        temporary = "TEMPORARY " if caller.dialect.name == "mariadb" else ""
        dba.exec_driver_sql(f"DROP {temporary}TABLE archive")


@pytest.mark.parametrize("in_call", [False, True])
def test_a_case_that_is_away_for_a_moment_keeps_its_claim(caller: Caller, in_call: bool) -> None:
    case = add_case(caller.db)
    caller.claim()
    attempt = caller.dial(case) if in_call else None
    archive_and_back(caller, restoring=True)
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
    assert caller.claim() == []
    assert caller.finish(attempt or caller.dial(case), "ANSWERED", answered=1)
    assert caller.case(case)["used"]
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def all_states(caller: Caller) -> dict[str, int]:
    """A case of each kind that there is."""
    cases = {
        "fresh": add_case(caller.db),
        "scheduled": add_case(caller.db, deferred_time=NOON + timedelta(days=1)),
        "redial": add_case(caller.db, call_back=True, call_back_period="60,60"),
        "withdrawn": add_case(caller.db, used=True),
        "finished": add_case(caller.db, call_back=True, call_back_period="1"),
        "failed": add_case(caller.db),
        "brought back": add_case(caller.db),
    }
    caller.call(cases["redial"], "BUSY")
    caller.call(cases["finished"], "BUSY")
    caller.call(cases["failed"], "FAILED")
    caller.forward(minutes=1)
    caller.call(cases["finished"], "ANSWERED", answered=1)
    write(caller, cases["brought back"], "used = true")
    write(caller, cases["brought back"], "used = false, created = :at", at=NOON)
    caller.stop()
    caller.start()
    return cases


def test_an_archive_comes_back_as_it_was_to_who_says_that_it_is_one(caller: Caller) -> None:
    all_states(caller)
    before = rows_of(caller.db, "dialer_clients", "ORDER BY id")
    archive_and_back(caller, restoring=True)
    assert rows_of(caller.db, "dialer_clients", "ORDER BY id") == before
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_who_was_finished_is_not_called_again_after_an_archive(caller: Caller) -> None:
    cases = all_states(caller)
    before = {row["id"]: row for row in rows_of(caller.db, "dialer_clients")}
    archive_and_back(caller, restoring=False)
    after = {row["id"]: row for row in rows_of(caller.db, "dialer_clients")}
    for case in before:
        for column in ("used", "deferred_time", "deferred_done", "inserted_at", "created"):
            assert after[case][column] == before[case][column], (case, column)
    caller.forward(hours=2)
    assert set(caller.claim()) == set(cases.values()) - {cases["withdrawn"], cases["finished"], cases["scheduled"]}


def test_a_row_that_is_restored_is_checked_like_any_other(caller: Caller) -> None:
    with caller.dialect.unchecked(caller.db, "dialer_clients"):
        add_case(caller.db, phone_number="none")
    with pytest.raises(DBAPIError, match="phone_number is 'none'"):
        archive_and_back(caller, restoring=True)


def test_nobodys_update_changes_who_a_case_is(caller: Caller, case: int) -> None:
    before = caller.case(case)["inserted_at"]
    write(caller, case, "inserted_at = :at, created = :at", at=NOON)
    assert caller.case(case)["inserted_at"] == before
    assert caller.case(case)["created"] == NOON


def test_the_kind_of_what_is_pending_is_not_for_people_to_write(caller: Caller) -> None:
    case = add_case(caller.db, deferred_time=NOON)
    write(caller, case, "deferred_kind = NULL")
    assert caller.case(case)["deferred_kind"] == "scheduled"
    write(caller, case, "deferred_kind = 'redial', used = true")
    assert caller.case(case)["deferred_kind"] is None


# --- a row that could not be written now: from before the checks, or out of a dump --------------------------------

BAD = {
    "phone_number": "",
    "case_name": "a\nb",
    "utc": "Mars/Olympus",
    "allowed_start": "",
    "allowed_stop": "9pm",
    "call_back_period": "soon",
}
MENDED = {
    "phone_number": "1",
    "case_name": "a",
    "utc": "+3",
    "allowed_start": "0:00",
    "allowed_stop": "0:00",
    "call_back_period": "1",
}


@pytest.mark.parametrize("column", BAD)
def test_a_call_ends_whatever_its_row_holds_by_then(caller: Caller, case: int, column: str) -> None:
    attempt = caller.dial(case)
    with caller.dialect.unchecked(caller.db, "dialer_clients"):
        write(caller, case, f"{column} = :value, call_back = false", value=BAD[column])
    assert caller.finish(attempt, "BUSY")
    assert_nothing_in_hand(caller, case)
    other_case = column == "phone_number"
    assert caller.case(case)["used"] is not other_case, "under another number it is another case"


@pytest.mark.parametrize("column", BAD)
def test_a_bad_row_is_in_no_other_ones_way_and_can_be_withdrawn_or_mended(caller: Caller, column: str) -> None:
    with caller.dialect.unchecked(caller.db, "dialer_clients"):
        bad = add_case(caller.db, **{"phone_number": "301", "number": "301", column: BAD[column]})
    good = add_case(caller.db)
    project = add_project(caller.db, "q")
    caller.start(project)
    elsewhere = add_case(caller.db, project_id=project)
    claimed = caller.claim()
    assert good in claimed
    caller.begin(claimed)
    assert caller.claim(project=project) == [elsewhere]
    caller.db.query("SELECT * FROM dialer_why")
    told = caller.db.query("SELECT id, detail FROM dialer_warnings WHERE kind = 'window_unreadable'")
    assert [row["id"] for row in told] == ([bad] if column.startswith("allowed_") else [])
    assert all(BAD[column] in row["detail"] for row in told)
    assert bad not in caller.next()
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
    caller.stop()
    with pytest.raises(DBAPIError, match=column):
        write(caller, bad, "created = :at", at=NOON)
    write(caller, bad, "used = true, priority = 7")
    write(caller, bad, f"{column} = :good, used = false", good=MENDED[column])


# --- deferred_time cleared: the promise is withdrawn ------------------------------------------------------------


def test_a_promise_withdrawn_before_the_call_leaves_a_fresh_case(caller: Caller) -> None:
    case = add_case(caller.db, deferred_time=NOON + timedelta(days=1))
    write(caller, case, "deferred_time = NULL")
    assert caller.db.call("dialer_next", "p", caller.now, 1)[0]["kind"] == "fresh"


def test_a_promise_withdrawn_while_claimed_is_dialled_as_a_fresh_case(caller: Caller) -> None:
    case = add_case(caller.db, deferred_time=NOON)
    caller.claim()
    write(caller, case, "deferred_time = NULL")
    attempt = caller.dial(case)
    assert caller.attempt(attempt)["kind"] == "fresh"


def test_a_promise_withdrawn_during_its_call_is_not_pending_after_a_cancel(caller: Caller) -> None:
    case = add_case(caller.db, deferred_time=NOON)
    attempt = caller.dial(case)
    write(caller, case, "deferred_time = NULL")
    caller.finish(attempt, "CANCELLED")
    row = caller.case(case)
    assert (row["deferred_time"], row["deferred_kind"], row["used"]) == (None, None, False)
    caller.forward(minutes=1)
    assert caller.db.call("dialer_next", "p", caller.now, 1)[0]["kind"] == "fresh"


def test_a_redial_withdrawn_does_not_start_the_list_anew(caller: Caller) -> None:
    case = add_case(caller.db, call_back=True, call_back_period="1")
    caller.call(case, "BUSY")
    write(caller, case, "deferred_time = NULL")
    assert caller.next() == [case], "nothing is waited for any more"
    caller.call(case, "BUSY")
    assert caller.case(case)["used"], "the one redial of the list has been spent"


# --- row deleted ------------------------------------------------------------------------------------------------


def test_a_case_deleted_while_claimed_is_not_dialled(caller: Caller, case: int) -> None:
    caller.claim()
    execute(caller.db, "DELETE FROM dialer_clients WHERE id = :id", id=case)
    assert caller.refusals([case]) == ["gone"]
    assert_nothing_in_hand(caller, case)


def test_a_case_deleted_during_the_call_leaves_its_history(caller: Caller, case: int) -> None:
    attempt = caller.dial(case)
    execute(caller.db, "DELETE FROM dialer_clients WHERE id = :id", id=case)
    assert caller.finish(attempt, "ANSWERED", answered=4)
    assert caller.attempt(attempt)["outcome"] == "ANSWERED"
    stat = caller.stat(case)
    assert stat is not None
    assert (stat["case_name"], stat["dial_count"]) == ("somebody", 1)
    assert_nothing_in_hand(caller, case)


def test_a_case_deleted_after_the_call_leaves_its_history(caller: Caller, case: int) -> None:
    caller.call(case, "BUSY")
    execute(caller.db, "DELETE FROM dialer_clients WHERE id = :id", id=case)
    caller.forward(hours=1)
    assert caller.claim() == []
    assert caller.stat(case) is not None


def test_a_deleted_claimed_case_is_given_back_by_stop(caller: Caller, case: int) -> None:
    caller.claim()
    execute(caller.db, "DELETE FROM dialer_clients WHERE id = :id", id=case)
    caller.stop()
    assert_nothing_in_hand(caller, case)


# --- other columns ----------------------------------------------------------------------------------------------


def test_a_number_corrected_while_claimed_is_the_one_that_is_dialled(caller: Caller, case: int) -> None:
    caller.claim()
    write(caller, case, "phone_number = '777'")
    row = caller.begin([case])[0]
    assert (row["phone_number"], row["channel"]) == ("777", "PJSIP/777@carrier")
    assert [live["number"] for live in caller.db.query("SELECT * FROM dialer_live")] == ["777"]


def test_a_number_corrected_during_the_call_frees_the_line_of_the_old_one(caller: Caller, case: int) -> None:
    attempt = caller.dial(case)
    write(caller, case, "phone_number = '777'")
    caller.finish(attempt, "BUSY")
    assert_nothing_in_hand(caller, case)


def test_a_window_closed_while_claimed_is_tested_again_before_the_call(caller: Caller, case: int) -> None:
    caller.claim()
    write(caller, case, "allowed_start = '20:00', allowed_stop = '21:00'")
    assert caller.refusals([case]) == ["window_closed"]
    assert_nothing_in_hand(caller, case)


def test_a_case_moved_to_another_project_while_claimed_is_given_back(caller: Caller, case: int) -> None:
    caller.claim()
    write(caller, case, "project_id = 'q'")
    assert caller.refusals([case]) == ["gone"]
    assert_nothing_in_hand(caller, case)


def test_checked_cleared_by_hand_cannot_cause_a_second_call(caller: Caller, case: int) -> None:
    caller.dial(case)
    write(caller, case, "checked = false")
    assert caller.claim() == []
    kinds = [row["kind"] for row in caller.db.query("SELECT * FROM dialer_invariants")]
    assert kinds == ["claim_not_mirrored"]


def test_checked_set_by_hand_is_healed(caller: Caller, case: int) -> None:
    write(caller, case, "checked = true")
    assert caller.claim() == []
    caller.db.value("dialer_reap")
    assert caller.claim() == [case]


# --- a transaction that a DBA leaves open: nobody waits for it --------------------------------------------------


def test_a_case_in_an_open_transaction_is_not_claimed_and_holds_nobody_up(
    caller: Caller, case: int, other: Database
) -> None:
    second = add_case(caller.db)
    with other.transaction() as dba:
        dba.exec_driver_sql(f"UPDATE dialer_clients SET priority = 5 WHERE id = {case}")
        assert caller.claim() == [second]
    assert caller.claim() == [case]


def test_a_claimed_case_in_an_open_transaction_is_left_out_and_given_back_later(
    caller: Caller, case: int, other: Database
) -> None:
    second = add_case(caller.db)
    caller.claim()
    with other.transaction() as dba:
        dba.exec_driver_sql(f"UPDATE dialer_clients SET priority = 5 WHERE id = {case}")
        assert caller.refusals([case, second]) == ["locked", None]
        assert caller.refusals([case]) == ["not_claimed"], "it is nobody's now"
    assert caller.claim() == [], "until it has been given back"
    caller.db.value("dialer_reap")
    assert caller.claim() == [case]
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_a_call_ends_although_its_case_is_in_an_open_transaction(caller: Caller, case: int, other: Database) -> None:
    attempt = caller.dial(case)
    with other.transaction() as dba:
        dba.exec_driver_sql(f"UPDATE dialer_clients SET priority = 5 WHERE id = {case}")
        assert caller.finish(attempt, "BUSY")
        assert caller.attempt(attempt)["outcome"] == "BUSY"
        assert caller.db.query("SELECT * FROM dialer_live") == [], "its line is free"
        assert caller.db.query("SELECT * FROM dialer_invariants") == []
        caller.db.value("dialer_reap")  # does not wait either
    assert caller.case(case)["checked"], "what it means for the case is still open"
    assert caller.claim() == []
    caller.db.value("dialer_reap")
    row = caller.case(case)
    assert (row["deferred_kind"], row["deferred_time"]) == ("redial", NOON + timedelta(minutes=1))
    assert caller.attempt(attempt)["effect"] == "redial"
    assert_nothing_in_hand(caller, case)


def test_stop_does_not_wait_for_a_dba_either(caller: Caller, case: int, other: Database) -> None:
    second = add_case(caller.db)
    caller.claim()
    with other.transaction() as dba:
        dba.exec_driver_sql(f"UPDATE dialer_clients SET priority = 5 WHERE id = {case}")
        assert caller.stop()["state"] == "stopped"
    assert not caller.case(second)["checked"]
    caller.db.value("dialer_reap")
    assert_nothing_in_hand(caller, case)


def test_a_case_changed_before_the_call_is_dialled_as_it_is_then(caller: Caller, case: int) -> None:
    write(caller, case, "priority = 3, case_name = 'else'")
    attempt = caller.dial(case)
    assert caller.attempt(attempt)["case_name"] == "else"
    assert caller.claim() == []
