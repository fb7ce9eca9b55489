"""A case is who it is, not its id: ids come again by TRUNCATE, REPLACE, DELETE and INSERT, archive and back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.caller import Caller
from tests.support.dialects import execute, rows_of
from tests.support.factories import add_case, add_project, add_trunk


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()


def write_anew(caller: Caller, case: int, **columns: object) -> None:
    """Another person's row under the id of a case that is gone."""
    execute(caller.db, "DELETE FROM dialer_clients WHERE id = :id", id=case)
    assert add_case(caller.db, id=case, **columns) == case


@pytest.mark.parametrize("outcome", ["ANSWERED", "BUSY", "INVALID", "FAILED", "CANCELLED"])
def test_the_end_of_a_call_leaves_another_case_under_its_id_alone(caller: Caller, outcome: str) -> None:
    case = add_case(caller.db, call_back=True, call_back_period="1")
    attempt = caller.dial(case)
    write_anew(caller, case, case_name="new", phone_number="42")
    before = caller.case(case)
    assert caller.finish(attempt, outcome)
    assert caller.case(case) == before
    assert caller.attempt(attempt)["effect"] == "kept"
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
    caller.forward(seconds=1)
    assert caller.claim() == [case], "the new one waits, and is called"


def test_a_new_case_need_not_wait_for_the_call_of_the_old_one(caller: Caller) -> None:
    case = add_case(caller.db)
    old = caller.dial(case)
    write_anew(caller, case, phone_number="42")
    assert caller.why(case)["reason"] == "queued", "it is not in a call"
    assert caller.claim() == [case]
    new = caller.begin([case])[0]["attempt_id"]
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
    assert caller.finish(old, "ANSWERED", answered=1)
    assert caller.why(case)["reason"] == "in_call"
    assert caller.finish(new, "BUSY", ringing=1)
    assert caller.case(case)["last_attempt_id"] == new
    assert caller.case(case)["used"]
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_a_claim_is_for_the_case_that_was_claimed(caller: Caller) -> None:
    case = add_case(caller.db)
    assert caller.claim() == [case]
    write_anew(caller, case, phone_number="42")
    assert caller.refusals([case]) == ["gone"]
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
    assert caller.claim() == [case]
    assert caller.begin([case])[0]["phone_number"] == "42"


@pytest.mark.parametrize("same", [{"phone_number": "42"}, {"case_name": "else"}])
def test_counters_begin_anew_for_another_case_and_go_on_for_the_same(caller: Caller, same: dict[str, str]) -> None:
    """REPLACE, or an import that brings its own ids; a list that gives the instant of its making to each row, too."""
    created = caller.now - timedelta(days=1)
    case = add_case(caller.db, phone_number="41", created=created, call_back=True, call_back_period="1,1")
    caller.call(case, "BUSY")
    write_anew(caller, case, **{"phone_number": "41", "created": created, **same})
    caller.call(case, "ANSWERED", answered=1)
    stat = caller.stat(case)
    assert stat is not None
    assert stat["dial_count"] == (1 if "phone_number" in same else 2)
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_what_a_claim_tells_of_calls_before_is_of_the_same_case(caller: Caller) -> None:
    case = add_case(caller.db)
    caller.call(case, "ANSWERED", answered=1)
    write_anew(caller, case, phone_number="42")
    [row] = caller.db.call("dialer_claim", *caller.owner, "p", 1, caller.now)
    assert (row["dials"], row["last_outcome"]) == (0, None)


def test_a_case_whose_creation_is_written_anew_during_its_call_is_the_same(caller: Caller) -> None:
    """DBAs order lists by it."""
    case = add_case(caller.db)
    attempt = caller.dial(case)
    execute(caller.db, "UPDATE dialer_clients SET created = :at", at=caller.now)
    assert caller.finish(attempt, "ANSWERED", answered=1)
    assert caller.case(case)["used"]
    assert not caller.case(case)["checked"]


@pytest.mark.parametrize("change", ["phone_number = '42'", "project_id = 'q'"])
def test_a_case_that_is_given_another_number_or_project_during_its_call_is_fresh_there(
    caller: Caller, change: str
) -> None:
    add_project(caller.db, "q")
    caller.start("q")
    case = add_case(caller.db)
    attempt = caller.dial(case)
    execute(caller.db, f"UPDATE dialer_clients SET {change}")
    assert caller.finish(attempt, "ANSWERED", answered=1)
    row = caller.case(case)
    assert (row["used"], row["checked"]) == (False, False)
    assert caller.claim(project=row["project_id"]) == [case]


def test_a_dead_carrier_gives_back_only_the_cases_that_were_dialled(caller: Caller) -> None:
    cases = [add_case(caller.db) for _ in range(20)]
    attempts = {row["case_id"]: row["attempt_id"] for row in caller.begin(caller.claim())}
    for case in cases[:19]:
        caller.finish(attempts[case], "CONGESTION")
    write_anew(caller, cases[0], used=True, phone_number="42")
    execute(
        caller.db, "UPDATE dialer_clients SET last_attempt_id = :a WHERE id = :id", a=attempts[cases[0]], id=cases[0]
    )
    caller.finish(attempts[cases[19]], "CONGESTION")
    waiting = {row["id"] for row in caller.db.query("SELECT id FROM dialer_clients WHERE NOT used")}
    assert waiting == set(cases[1:]), "the one that was inserted as used stays so"


def test_a_case_settled_by_somebody_elses_call_is_found(caller: Caller) -> None:
    case = add_case(caller.db)
    attempt = caller.call(case, "ANSWERED", answered=1)
    write_anew(caller, case, phone_number="42")
    execute(caller.db, "UPDATE dialer_clients SET used = true, last_attempt_id = :a WHERE id = :id", a=attempt, id=case)
    [found] = caller.db.query("SELECT * FROM dialer_invariants")
    assert (found["kind"], found["id"]) == ("settled_another_case", attempt)


def test_another_case_that_a_restoring_session_writes_has_no_claim(caller: Caller) -> None:
    case = add_case(caller.db)
    attempt = caller.dial(case)
    said = (
        "SET LOCAL dialer.restoring = 'on'" if caller.dialect.name == "postgresql" else "SET @dialer_restoring = true"
    )
    with caller.db.transaction() as dba:
        dba.exec_driver_sql(said)
        dba.exec_driver_sql(f"DELETE FROM dialer_clients WHERE id = {case}")
        dba.exec_driver_sql(
            f"INSERT INTO dialer_clients (id, case_name, project_id, phone_number) VALUES ({case}, 'new', 'p', '42')"
        )
        if caller.dialect.name == "mariadb":
            dba.exec_driver_sql("SET @dialer_restoring = NULL")
    assert not caller.case(case)["checked"]
    assert caller.finish(attempt, "ANSWERED", answered=1)
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_a_truncated_list_loses_no_case_of_the_next_one(caller: Caller) -> None:
    """Ids begin anew, while five calls of the old list are up."""
    old = [add_case(caller.db) for _ in range(5)]
    attempts = [row["attempt_id"] for row in caller.begin(caller.claim())]
    restart = " RESTART IDENTITY" if caller.dialect.name == "postgresql" else ""
    execute(caller.db, f"TRUNCATE TABLE dialer_clients{restart}")
    new = [add_case(caller.db, id=case) for case in old]
    for attempt in attempts:
        caller.finish(attempt, "ANSWERED", answered=1)
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
    assert not any(row["used"] for row in rows_of(caller.db, "dialer_clients"))
    assert sorted(caller.claim()) == new


def take_away(caller: Caller, case: int) -> dict[str, object]:
    """A case goes into an archive; its row."""
    row = dict(caller.case(case))
    for name in ("window_key", "waits_as", "waits_for"):
        row.pop(name, None)
    execute(caller.db, "DELETE FROM dialer_clients WHERE id = :id", id=case)
    return row


def bring_back(caller: Caller, row: dict[str, object]) -> None:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    execute(caller.db, f"INSERT INTO dialer_clients ({names}) VALUES ({values})", **row)


@pytest.mark.parametrize(
    ("outcome", "columns", "used"),
    [
        ("ANSWERED", {}, True),
        ("BUSY", {}, True),
        ("BUSY", {"call_back": True, "call_back_period": "1,1"}, False),
        ("ANSWERED", {"call_back": True, "call_back_period": "1,1"}, True),
        ("FAILED", {}, False),
    ],
)
def test_who_was_called_to_the_end_while_away_is_not_called_again(
    caller: Caller, outcome: str, columns: dict[str, object], used: bool
) -> None:
    case = add_case(caller.db, **columns)
    attempt = caller.dial(case)
    row = take_away(caller, case)
    assert caller.finish(attempt, outcome, answered=1) if outcome == "ANSWERED" else caller.finish(attempt, outcome)
    caller.forward(days=1)
    bring_back(caller, row)
    assert caller.claim() == [case]
    assert caller.refusals([case]) == (["used"] if used else [None])
    if used:
        assert (caller.case(case)["used"], caller.case(case)["last_attempt_id"]) == (True, attempt)
        execute(caller.db, "UPDATE dialer_clients SET used = false WHERE id = :id", id=case)
        caller.call(case, "ANSWERED", answered=1)
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_a_promise_that_was_made_while_away_is_kept(caller: Caller) -> None:
    case = add_case(caller.db)
    attempt = caller.dial(case)
    row = take_away(caller, case)
    caller.finish(attempt, "ANSWERED", answered=1)
    bring_back(caller, row | {"deferred_time": caller.now, "deferred_done": False})
    caller.forward(seconds=1)
    caller.call(case, "ANSWERED", answered=1)
    assert caller.case(case)["last_attempt_id"] > attempt


def test_another_case_under_the_id_of_one_that_is_away_is_called(caller: Caller) -> None:
    case = add_case(caller.db)
    attempt = caller.dial(case)
    write_anew(caller, case, phone_number="42")
    caller.finish(attempt, "ANSWERED", answered=1)
    caller.forward(seconds=1)
    caller.call(case, "ANSWERED", answered=1)
    assert caller.case(case)["phone_number"] == "42"
