"""dialer_why: each reason of the contract, and that the first one that applies is given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.support.caller import NOON, Caller
from tests.support.dialects import execute
from tests.support.factories import add_case, add_project, add_trunk
from worker.db.database import Row

MEMBER = '[{"queue": "p", "interface": "PJSIP/a", "name": "Ann", "state": "%s", "since": 0}]'


class Obstacles:
    """A case with every obstacle of the contract before it; each method clears the topmost one away."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.db = caller.db
        self.case = add_case(self.db, phone_number="1", allowed_start="15:00", allowed_stop="20:00", call_back=True)

    def put(self) -> None:
        """All of them but a call and a claim, which need a project that runs."""
        self.write("deferred_time = :at", at=NOON + timedelta(hours=1))
        execute(
            self.db,
            "UPDATE dialer_clients SET not_before_at = :at WHERE id = :id",
            at=NOON + timedelta(hours=2),
            id=self.case,
        )
        self.caller.db.call("dialer_worker_stop", self.caller.worker_id)

    def write(self, assignments: str, **values: object) -> None:
        execute(self.db, f"UPDATE dialer_clients SET {assignments} WHERE id = :id", id=self.case, **values)

    def why(self) -> Row:
        return self.caller.why(self.case)


def test_every_reason_is_given_in_the_order_of_the_contract(caller: Caller) -> None:
    """From the last to the first: what is cleared away lets the next reason be seen."""
    db = caller.db
    obstacles = Obstacles(caller)
    obstacles.put()
    told = []

    def look(clear: Callable[[], object]) -> None:
        told.append(obstacles.why()["reason"])
        clear()

    def add_parameters() -> None:
        add_project(db, type="progressive", lines=1)
        # A call of the same number in another project, on the one line of the trunk.
        add_trunk(db, max_lines=1, calls_per_second=0.5)
        add_project(db, "q")

    def sign_on() -> None:
        fresh = Caller(db, caller.dialect)
        caller.worker_id, caller.epoch = fresh.worker_id, fresh.epoch
        caller.report_up("down", "no route")

    def start_with_a_report_of_failure() -> None:
        caller.start()
        caller.db.call("dialer_project_report", *caller.owner, "p", "no queue", caller.now)

    def ring_the_number_elsewhere() -> None:
        caller.now = NOON + timedelta(hours=3)
        caller.start("q")
        rival = add_case(db, project_id="q", phone_number="1")
        other_call.append(caller.dial(rival, "q"))

    def end_the_other_call() -> None:
        caller.finish(other_call[0], "BUSY")

    def give_an_agent() -> None:
        caller.db.call("dialer_agents_write", *caller.owner, MEMBER % "free", caller.now)
        another = add_case(db, project_id="q")
        caller.forward(seconds=2)
        other_call[0] = caller.dial(another, "q")

    other_call: list[int] = []
    look(add_parameters)
    look(sign_on)
    look(caller.report_up)
    look(start_with_a_report_of_failure)
    look(lambda: caller.db.call("dialer_project_report", *caller.owner, "p", None, caller.now))
    look(lambda: caller.forward(hours=1))
    look(lambda: caller.forward(hours=1))
    look(ring_the_number_elsewhere)
    look(end_the_other_call)
    look(give_an_agent)
    look(end_the_other_call)
    look(lambda: caller.forward(seconds=2))
    look(lambda: caller.claim(1))
    look(lambda: caller.begin([obstacles.case]))
    look(lambda: None)
    assert told == [
        "no_project",
        "no_worker",
        "asterisk_down",
        "project_stopped",
        "project_failing",
        "scheduled",
        "delayed",
        "window_closed",
        "number_in_call",
        "no_agent",
        "no_line",
        "pacing",
        "queued",
        "claimed",
        "in_call",
    ]


@pytest.fixture
def case(caller: Caller) -> int:
    add_project(caller.db)
    add_trunk(caller.db)
    caller.start()
    return add_case(caller.db, call_back=True, call_back_period="30")


def test_a_redial_ahead_says_when(caller: Caller, case: int) -> None:
    caller.call(case, "BUSY")
    row = caller.why(case)
    assert (row["reason"], row["until_at"]) == ("redial", NOON + timedelta(minutes=30))


def test_a_closed_window_says_when_it_opens_and_what_it_is(caller: Caller, case: int) -> None:
    execute(caller.db, "UPDATE dialer_clients SET utc = '+3', allowed_start = '18:00', allowed_stop = '20:00'")
    row = caller.why(case)
    assert (row["reason"], row["until_at"]) == ("window_closed", NOON + timedelta(hours=3))
    assert row["detail"] == "18:00 to 20:00 in +3"


def test_the_lines_of_the_project_are_a_reason_too(caller: Caller, case: int) -> None:
    execute(caller.db, f"UPDATE dialer_params SET {caller.dialect.lines} = 1")
    caller.dial(case)
    second = add_case(caller.db)
    assert caller.why(second)["reason"] == "no_line"


def test_pacing_says_when_the_next_call_may_begin(caller: Caller, case: int) -> None:
    execute(caller.db, "UPDATE dialer_trunks SET calls_per_second = 0.5")
    caller.dial(case)
    row = caller.why(add_case(caller.db))
    assert (row["reason"], row["until_at"]) == ("pacing", NOON + timedelta(seconds=2))


def test_an_autoinforming_project_needs_no_agent(caller: Caller, case: int) -> None:
    assert caller.why(case)["reason"] == "queued"


def test_who_holds_a_case_is_told(caller: Caller, case: int) -> None:
    caller.claim()
    assert f"worker {caller.worker_id}" in caller.why(case)["detail"]
    attempt = caller.dial(case)
    assert caller.why(case)["detail"] == f"attempt {attempt}"


def test_every_waiting_case_has_one_row_and_a_used_one_none(caller: Caller, case: int) -> None:
    add_case(caller.db, phone_number="7", project_id="nobody")
    used = add_case(caller.db)
    execute(caller.db, "UPDATE dialer_clients SET used = true WHERE id = :id", id=used)
    rows = caller.db.query("SELECT * FROM dialer_why ORDER BY case_id")
    assert [row["project_id"] for row in rows] == ["p", "nobody"]
    assert rows[1]["reason"] == "no_project"


def test_tonight_can_be_asked_about(caller: Caller, case: int) -> None:
    execute(caller.db, "UPDATE dialer_clients SET allowed_start = '20:00', allowed_stop = '21:00'")
    assert caller.why(case)["reason"] == "window_closed"
    caller.now = NOON + timedelta(hours=8)
    assert caller.why(case)["reason"] == "queued"
