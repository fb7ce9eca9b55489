"""Many redials wait whose numbers have reached a limit: claims stay cheap, and a due case is dialled."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest

from tests.support.caller import Caller
from tests.support.dialects import execute
from tests.support.factories import add_case, add_project, add_trunk
from tests.support.turns_lab import Cases, FakeSession
from worker.asterisk.session import Session
from worker.clock import VirtualClock
from worker.dialling.turns import Turns
from worker.model import Ownership


@pytest.mark.parametrize("caller_ids", [0, 3])
@pytest.mark.parametrize("limit", [False, True], ids=["no_limit", "limit"])
def test_a_due_case_is_dialled_although_each_claim_takes_long(caller: Caller, limit: bool, caller_ids: int) -> None:
    db = caller.db
    add_project(db, country="US")
    add_trunk(db)
    caller.start()
    for n in range(caller_ids):
        execute(
            db,
            "INSERT INTO dialer_caller_ids (project_id, caller_id, most_per_day) VALUES ('p', :c, 1000)",
            c=f"+1305555010{n}",
        )
    execute(
        db,
        "INSERT INTO dialer_retries (project_id, outcome, period_minutes, most, other_part_of_day)"
        " VALUES ('p', 'BUSY', 10, 4, false)",
    )
    if limit:
        execute(db, "INSERT INTO dialer_limits (project_id, most, local_period) VALUES ('p', 1, 'day')")
    caller.screen()
    for n in range(120):
        add_case(db, phone_number=f"305555{1000 + n}")
    for row in caller.begin(caller.claim(200)):
        assert caller.finish(row["attempt_id"], "BUSY", ringing=0)
    caller.forward(minutes=1)
    due = add_case(db, phone_number="3055559999")

    clock = VirtualClock(caller.now.timestamp())
    session = FakeSession(clock, Cases())
    session.owner = Ownership(*caller.owner)
    turns = Turns(cast("Session", session), db, clock, lambda: True, 5.0)
    for _ in range(30):
        session.notices.arrived.clear()
        wait = turns.turn()
        if session.sent:
            break
        if wait > 0.1:
            assert session.notices.arrived.wait(20)
    turns._hopper.wait()
    assert [one.case_id for one in session.sent] == [due]


def test_redials_that_a_limit_keeps_back_are_not_all_asked_about_before_they_are_due(caller: Caller) -> None:
    db = caller.db
    add_project(db)
    add_trunk(db)
    caller.start()
    execute(
        db,
        "INSERT INTO dialer_retries (project_id, outcome, period_minutes, most, other_part_of_day)"
        " VALUES ('p', 'BUSY', 10, 4, false)",
    )
    execute(db, "INSERT INTO dialer_limits (project_id, most, local_period) VALUES ('p', 1, 'day')")
    caller.screen()
    for _ in range(40):
        add_case(db)
    for row in caller.begin(caller.claim()):
        assert caller.finish(row["attempt_id"], "BUSY", ringing=0)
    due = caller.now + timedelta(minutes=10)
    caller.forward(minutes=1)
    assert caller.claim() == []
    assert (caller.project()["state"], caller.project()["until_at"]) == ("idle", due), "none is due before that"
    caller.now = due
    assert caller.claim() == []
    assert caller.project()["until_at"] > due + timedelta(hours=1), "now they are held"
    caller.now = caller.project()["until_at"]
    assert len(caller.claim()) == 40
