"""Who owns an Asterisk, how it changes hands, and what a worker that has lost it can still do: nothing."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.sql.attempts.test_begin import in_background
from tests.support.caller import Caller, ended
from tests.support.dialects import Dialect, execute
from tests.support.factories import add_case, add_cases, add_project, add_trunk
from worker.db import Database


@pytest.fixture(autouse=True)
def project(caller: Caller) -> None:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()


def let_the_lease_pass(caller: Caller) -> None:
    """Leases are by the database's clock; a beat for a time in the past is the way to age one."""
    assert caller.db.value("dialer_worker_beat", caller.worker_id, -1)


def worker(db: Database) -> int:
    return int(db.value("dialer_worker_start", "second", 60))


def test_an_asterisk_has_one_owner(caller: Caller) -> None:
    second = worker(caller.db)
    assert caller.db.value("dialer_asterisk_own", second, "default", 60) is None
    assert caller.db.value("dialer_asterisk_own", caller.worker_id, "default", 60) == caller.epoch, "its own"
    assert caller.db.value("dialer_asterisk_own", second, "east", 60) == 1, "another one is free"


def test_four_workers_that_want_one_asterisk_at_once_get_one_owner(caller: Caller) -> None:
    workers = [worker(caller.db) for _ in range(4)]
    hands = [in_background(caller.db.value, "dialer_asterisk_own", one, "east", 60) for one in workers]
    assert sorted(hand.get(timeout=20) or 0 for hand in hands) == [0, 0, 0, 1]


def test_after_the_lease_another_worker_takes_over_under_a_new_epoch(caller: Caller) -> None:
    second = worker(caller.db)
    let_the_lease_pass(caller)
    assert caller.db.value("dialer_asterisk_own", second, "default", 60) == caller.epoch + 1
    assert caller.db.value("dialer_asterisk_own", caller.worker_id, "default", 60) is None
    row = caller.db.query("SELECT * FROM dialer_asterisks")[0]
    assert (row["worker_id"], row["state"]) == (second, "down"), "down until the new owner says otherwise"


def test_who_asks_late_takes_nothing(caller: Caller) -> None:
    """The database stood still meanwhile: who owned it before knows how the calls of that time have ended."""
    second = worker(caller.db)
    let_the_lease_pass(caller)
    assert caller.db.value("dialer_worker_beat", second, -1)
    assert caller.db.value("dialer_asterisk_own", second, "default", 60) is None
    assert caller.db.value("dialer_worker_beat", second, 60)
    assert caller.db.value("dialer_asterisk_own", second, "default", 60) == caller.epoch + 1


def offer(caller: Caller) -> bool:
    return bool(caller.db.value("dialer_asterisk_yield", caller.worker_id, "default", caller.epoch, "out of reach"))


def test_an_owner_out_of_reach_gives_its_asterisk_and_what_it_claimed_to_another_worker(caller: Caller) -> None:
    up = caller.dial(add_case(caller.db))
    add_case(caller.db)
    assert len(caller.claim(1)) == 1
    second = worker(caller.db)
    assert offer(caller)
    row = caller.db.query("SELECT * FROM dialer_asterisks")[0]
    assert (row["worker_id"], row["state"], row["reason"]) == (None, "down", "out of reach")
    claims = caller.db.query("SELECT attempt_id FROM dialer_claims")
    assert [claim["attempt_id"] for claim in claims] == [up], "a call that is up stays for the next owner"
    assert caller.db.value("dialer_asterisk_own", second, "default", 60) == caller.epoch + 1
    assert caller.claim(1) == [], "and who gave it up cannot dial there"


def test_nobody_gives_an_asterisk_up_when_nobody_could_take_it(caller: Caller) -> None:
    assert not offer(caller), "the only worker"
    gone = worker(caller.db)
    caller.db.call("dialer_worker_stop", gone)
    assert not offer(caller), "the other has signed off"
    dead = worker(caller.db)
    caller.db.value("dialer_worker_beat", dead, -1)
    assert not offer(caller), "the other's lease has passed"
    assert caller.db.query("SELECT worker_id FROM dialer_asterisks")[0]["worker_id"] == caller.worker_id


def test_only_the_owner_can_give_an_asterisk_up(caller: Caller) -> None:
    second = worker(caller.db)
    arguments = ("default", caller.epoch, "out of reach")
    assert not caller.db.value("dialer_asterisk_yield", second, *arguments)
    assert not caller.db.value("dialer_asterisk_yield", caller.worker_id, "default", caller.epoch - 1, "out of reach")
    assert caller.db.query("SELECT worker_id FROM dialer_asterisks")[0]["worker_id"] == caller.worker_id


def test_a_beat_keeps_the_lease_and_the_epoch(caller: Caller) -> None:
    let_the_lease_pass(caller)
    assert caller.db.value("dialer_worker_beat", caller.worker_id, 60)
    assert caller.db.value("dialer_asterisk_own", worker(caller.db), "default", 60) is None
    assert caller.db.value("dialer_asterisk_own", caller.worker_id, "default", 60) == caller.epoch


def test_a_worker_that_signed_off_has_to_register_anew(caller: Caller) -> None:
    caller.db.call("dialer_worker_stop", caller.worker_id)
    assert not caller.db.value("dialer_worker_beat", caller.worker_id, 60)
    assert caller.db.value("dialer_asterisk_own", caller.worker_id, "default", 60) is None
    assert not caller.db.value("dialer_worker_beat", 0, 60), "and so has one that never was"


def test_a_beat_does_not_win_a_lost_asterisk_back(caller: Caller) -> None:
    let_the_lease_pass(caller)
    second = worker(caller.db)
    caller.db.value("dialer_asterisk_own", second, "default", 60)
    caller.db.value("dialer_worker_beat", caller.worker_id, 60)
    assert caller.db.query("SELECT * FROM dialer_asterisks")[0]["worker_id"] == second


@pytest.mark.parametrize("loss", ["lease passed", "taken over", "wrong epoch", "signed off"])
def test_who_is_not_the_owner_can_neither_claim_begin_advance_nor_finish(caller: Caller, loss: str) -> None:
    attempt = caller.dial(add_case(caller.db))
    case = add_case(caller.db)
    assert caller.claim() == [case]
    if loss == "wrong epoch":
        caller.epoch -= 1
    elif loss == "signed off":
        caller.db.call("dialer_worker_stop", caller.worker_id)
    else:
        let_the_lease_pass(caller)
        if loss == "taken over":
            caller.db.value("dialer_asterisk_own", worker(caller.db), "default", 60)
    assert caller.refusals([case]) == ["not_owner"]
    add_case(caller.db)
    assert caller.claim() == []
    assert not caller.advance(attempt, ringing=1)
    assert not caller.finish(attempt, "BUSY")
    caller.db.call("dialer_project_report", *caller.owner, "p", "nonsense", caller.now)
    row = caller.attempt(attempt)
    assert (row["state"], row["ringing_at"]) == ("begun", None)
    assert caller.project()["state"] == "running"


def test_the_new_owner_ends_what_the_old_one_began(caller: Caller, dialect: Dialect) -> None:
    case = add_case(caller.db)
    attempt = caller.dial(case)
    caller.advance(attempt, ringing=2)
    let_the_lease_pass(caller)
    heir = Caller(caller.db, dialect, caller.now + timedelta(seconds=30))
    found = caller.db.call("dialer_open_attempts", "default", heir.now)
    assert [(row["attempt_id"], row["case_id"], row["epoch"]) for row in found] == [(attempt, case, caller.epoch)]
    assert (found[0]["begun_ago"], found[0]["ringing_ago"], found[0]["answered_ago"]) == (30, 32, None)
    assert heir.epoch == caller.epoch + 1
    assert heir.finish(attempt, "LOST")
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_signing_off_gives_claims_back_and_leaves_calls_alone(caller: Caller) -> None:
    attempt = caller.dial(add_case(caller.db))
    case = add_case(caller.db)
    caller.claim()
    caller.db.call("dialer_worker_stop", caller.worker_id)
    assert not caller.case(case)["checked"]
    assert caller.attempt(attempt)["state"] == "begun"
    assert [row["attempt_id"] for row in caller.db.query("SELECT * FROM dialer_claims")] == [attempt]
    caller.db.call("dialer_worker_stop", caller.worker_id)  # twice is harmless


def test_release_gives_back_one_project_or_all(caller: Caller) -> None:
    add_project(caller.db, "q")
    caller.start("q")
    add_cases(caller.db, [{"project_id": "pq"[number % 2]} for number in range(6)])
    caller.claim(project="p")
    caller.claim(project="q")
    assert caller.db.value("dialer_release", caller.worker_id, "default", "p") == 3
    assert len(caller.db.query("SELECT * FROM dialer_clients WHERE checked")) == 3
    assert caller.db.value("dialer_release", caller.worker_id, "default", None) == 3
    assert len(caller.claim()) == 3


def test_reap_frees_the_claims_of_lost_ownerships_only(caller: Caller, dialect: Dialect) -> None:
    mine = add_case(caller.db)
    caller.claim()
    calling = add_case(caller.db)
    caller.dial(calling)
    assert caller.db.value("dialer_reap") == 0, "the owner lives"
    let_the_lease_pass(caller)
    heir = Caller(caller.db, dialect)
    assert caller.db.value("dialer_reap") == 1
    assert not caller.case(mine)["checked"]
    assert caller.case(calling)["checked"], "its call may be up"
    assert heir.claim() == [mine]
    assert caller.db.value("dialer_reap") == 0


def test_reap_does_not_wait_for_an_heir(caller: Caller) -> None:
    case = add_case(caller.db)
    caller.claim()
    let_the_lease_pass(caller)
    assert caller.db.value("dialer_reap") == 1
    assert not caller.case(case)["checked"]


def test_the_instant_is_believed_only_in_a_database_marked_virtual_clock(caller: Caller) -> None:
    execute(caller.db, "UPDATE dialer_settings SET value = 'false' WHERE name = 'virtual_clock'")
    attempt = caller.dial(add_case(caller.db))
    row = caller.db.query("SELECT CURRENT_TIMESTAMP AS now, begun_at FROM dialer_calls WHERE id = :id", id=attempt)[0]
    assert abs(row["now"] - row["begun_at"]) < timedelta(minutes=1), "the database's own time"


def test_two_reports_of_one_end_at_once_count_it_once(caller: Caller, other: Database) -> None:
    case = add_case(caller.db)
    attempt = caller.dial(case)
    text = json.dumps([ended(attempt, "BUSY")])
    hands = [
        in_background(one.value, "dialer_attempt_finish", *caller.owner, text, caller.now) for one in (caller.db, other)
    ]
    assert [hand.get(timeout=20) for hand in hands] == [True, True]
    stat = caller.stat(case)
    assert stat is not None
    assert stat["dial_count"] == 1


# --- dialer_invariants ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("attempt_without_claim", "DELETE FROM dialer_claims WHERE attempt_id IS NOT NULL"),
        ("claim_of_ended_attempt", "DELETE FROM dialer_calls"),
        (
            "two_live_attempts_of_a_case",
            "UPDATE dialer_calls SET case_inserted_at = '2026-01-01',"
            " case_id = (SELECT m FROM (SELECT min(case_id) AS m FROM dialer_calls) t)",
        ),
        ("two_live_attempts_of_a_number", "UPDATE dialer_calls SET number = '1'"),
        ("live_attempt_not_counted", "DELETE FROM dialer_live"),
        ("line_without_attempt", "UPDATE dialer_live SET attempt_id = NULL"),
        ("claim_not_mirrored", "UPDATE dialer_clients SET checked = false"),
        ("checked_without_claim", "UPDATE dialer_clients SET checked = true"),
        ("claim_of_dead_worker", "UPDATE dialer_workers SET stopped_at = CURRENT_TIMESTAMP"),
        ("owner_signed_off", "UPDATE dialer_workers SET stopped_at = CURRENT_TIMESTAMP"),
        ("line_of_another", "UPDATE dialer_live SET trunk = 'another'"),
        ("line_of_another", "UPDATE dialer_live SET project_id = 'another'"),
        ("dial_count_disagrees", "UPDATE dialer_stat SET dial_count = 0"),
        (
            "attempt_overdue",
            "UPDATE dialer_settings SET value = 'false' WHERE name = 'virtual_clock';"
            "UPDATE dialer_asterisks SET since_at = '2020-01-01';"
            "UPDATE dialer_calls SET begun_at = '2020-01-01'",
        ),
    ],
)
def test_a_fault_made_by_hand_is_found(caller: Caller, kind: str, fault: str) -> None:
    first, second = add_case(caller.db), add_case(caller.db)
    caller.dial(first)
    caller.dial(second)
    caller.call(add_case(caller.db), "ANSWERED", answered=1)
    add_case(caller.db)
    caller.claim()
    add_case(caller.db)
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
    for statement in fault.split(";"):
        execute(caller.db, statement)
    found = caller.db.query("SELECT * FROM dialer_invariants")
    assert kind in {row["kind"] for row in found}
    assert all(row["id"] is not None and row["detail"] for row in found)


def test_a_call_that_a_dead_asterisk_has_is_not_overdue(caller: Caller) -> None:
    caller.dial(add_case(caller.db))
    execute(caller.db, "UPDATE dialer_settings SET value = 'false' WHERE name = 'virtual_clock'")
    execute(caller.db, "UPDATE dialer_calls SET begun_at = '2020-01-01'")
    execute(caller.db, "UPDATE dialer_asterisks SET since_at = '2020-01-01', state = 'down'")
    assert caller.db.query("SELECT * FROM dialer_invariants") == [], "nobody can ask it"
    execute(caller.db, "UPDATE dialer_asterisks SET since_at = CURRENT_TIMESTAMP, state = 'up'")
    assert caller.db.query("SELECT * FROM dialer_invariants") == [], "its channels are being looked at"


def test_calls_that_failed_and_history_that_was_deleted_leave_the_counters_right(caller: Caller) -> None:
    case = add_case(caller.db)
    caller.call(case, "FAILED")
    caller.forward(minutes=1)
    caller.call(case, "FAILED")
    caller.forward(minutes=1)
    caller.call(case, "ANSWERED", answered=1)
    assert caller.db.query("SELECT * FROM dialer_invariants") == []
    execute(caller.db, "DELETE FROM dialer_attempts")
    assert caller.db.query("SELECT * FROM dialer_invariants") == []


def test_the_next_owner_is_told_whether_the_one_before_left_in_order(caller: Caller) -> None:
    caller.dial(add_case(caller.db))
    [attempt] = caller.db.call("dialer_open_attempts", "default", caller.now)
    assert not attempt["signed_off"]
    caller.db.call("dialer_worker_stop", caller.worker_id)
    [attempt] = caller.db.call("dialer_open_attempts", "default", caller.now)
    assert attempt["signed_off"]


def test_a_lease_that_ends_later_than_it_could_have_been_given_is_over(caller: Caller, other: Database) -> None:
    """The database's clock was set back after its worker had died."""
    far = "CURRENT_TIMESTAMP + INTERVAL '3' HOUR"
    execute(caller.db, f"UPDATE dialer_asterisks SET lease_until = {far}, lease_seconds = 6")
    execute(caller.db, f"UPDATE dialer_workers SET lease_until = {far}, lease_seconds = 6")
    assert caller.claim() == []
    add_project(caller.db, "seen")
    caller.start("seen")
    states = caller.db.query("SELECT obstacle FROM dialer_project_states WHERE project_id = 'seen'")
    assert states[0]["obstacle"] == "no_worker"
    successor = int(other.value("dialer_worker_start", "successor", 6))
    assert int(other.value("dialer_asterisk_own", successor, "default", 6)) == caller.epoch + 1


def test_workers_that_died_are_forgotten_after_a_day(caller: Caller) -> None:
    for number in range(30):
        caller.db.value("dialer_worker_start", f"dead {number}", 6)
    execute(caller.db, "UPDATE dialer_workers SET lease_until = '2026-01-01' WHERE name LIKE 'dead%'")
    execute(caller.db, "UPDATE dialer_workers SET stopped_at = '2026-01-01' WHERE name = 'dead 3'")
    caller.db.call("dialer_reap")
    assert [row["name"] for row in caller.db.query("SELECT name FROM dialer_workers")] == ["tester"]
