"""A DBA's changes while projects run take effect within a second, and only where they belong.

All instants are the ledger's and the database's own clock; `-s` prints the latencies.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.support.installation import Installation
from tests.support.sipp import Agents, Carrier
from tests.support.witness import assert_accounted, numbers

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

SOON_SECONDS = 1.0


def soon(what: str, earlier: datetime, later: datetime) -> None:
    """`later` came within a second of `earlier`."""
    seconds = (later - earlier).total_seconds()
    print(f"{what}: {seconds * 1000:.0f} ms")
    assert seconds < SOON_SECONDS, f"{what} took {seconds:.3f} s"


def next_attempt(dialer: Installation, known: int, seconds: float = 5) -> dict[str, Any]:
    """The first attempt after those that were known."""
    dialer.wait_for_attempts(known + 1, seconds=seconds)
    return dialer.attempts()[known]


def test_lines_type_context_and_exten(dialer: Installation, carrier: Carrier, agents: Agents) -> None:
    dialer.trunk()
    dialer.project("edited", type="autoinforming", context="autoinforming", queue="sales", lines=2, dial_time=4000)
    # Beside it, one that nobody edits: two lines, always in use.
    dialer.project("other", type="autoinforming", context="autoinforming", lines=2, dial_time=1000)
    dialer.cases("edited", *numbers(n23=10, n20=30), priority=1)
    dialer.cases("other", *(f"{number}9" for number in numbers(n23=60)))
    dialer.sql("UPDATE dialer_params SET sort = '2:2' WHERE project_id = 'edited'")
    dialer.start("run")
    dialer.wait_until_ready()
    dialer.start_project("other")
    dialer.start_project("edited")

    dialer.wait_for_attempts(2, "project_id = 'edited' AND state = 'ringing'")
    assert len(dialer.attempts("project_id = 'edited' AND ended_at IS NULL")) == 2, "lines was 2"
    changed = dialer.change("UPDATE dialer_params SET lines = 6 WHERE project_id = 'edited'")
    dialer.wait_for_attempts(6, "project_id = 'edited'", seconds=3)
    soon("lines raised to sixth call", changed, dialer.attempts("project_id = 'edited'")[5]["begun_at"])

    # Lowered: what is up goes on, nothing more begins until there is room.
    lowered = dialer.change("UPDATE dialer_params SET lines = 1 WHERE project_id = 'edited'")
    dialer.wait_for_attempts(1, "project_id = 'edited' AND begun_at > %s", lowered)
    for row in dialer.attempts("project_id = 'edited' AND begun_at > %s", lowered):
        up = dialer.attempts(
            "project_id = 'edited' AND id < %s AND coalesce(ended_at, 'infinity') > %s", row["id"], row["begun_at"]
        )
        assert up == [], "a second call on one line"

    # Informing becomes progressive: the next call is for an agent.
    changed = dialer.change(
        "UPDATE dialer_params SET lines = 0, type = 'progressive', context = 'progressive' WHERE project_id = 'edited'"
    )
    dialer.wait_for_attempts(1, "project_id = 'edited' AND type = 'progressive'", seconds=3)
    first = dialer.attempts("project_id = 'edited' AND type = 'progressive'")[0]
    soon("type to the first progressive call", changed, first["begun_at"])
    assert dialer.attempts("type = 'autoinforming' AND project_id = 'edited' AND id > %s", first["id"]) == []
    dialer.wait_for_attempts(2, "type = 'progressive' AND agent_at IS NOT NULL")

    # An extension that is not there, and back. The dialplan is asked, so nothing is called in vain.
    changed = dialer.change("UPDATE dialer_params SET exten = 'nowhere' WHERE project_id = 'edited'")
    dialer.wait_for_state("edited", "failing", seconds=3)
    state = dialer.sql("SELECT * FROM dialer_project_states WHERE project_id = 'edited'")[0]
    soon("exten to failing", changed, state["since_at"])
    assert "no extension 'nowhere' in context 'progressive'" in state["reason"]
    dialer.wait_until_quiet(where="project_id = 'edited'")
    known = len(dialer.attempts("project_id = 'edited'"))
    assert dialer.attempts("outcome = 'FAILED'") == []
    changed = dialer.change("UPDATE dialer_params SET exten = 's' WHERE project_id = 'edited'")
    dialer.wait_for_attempts(known + 1, "project_id = 'edited'", seconds=3)
    soon("exten put right to the next call", changed, dialer.attempts("project_id = 'edited'")[known]["begun_at"])

    # All the while the other project went on: no pause longer than its calls, never a third line.
    other = dialer.attempts("project_id = 'other'")
    for row in other:
        up = [one for one in other if one["id"] < row["id"] and (one["ended_at"] or dialer.now()) > row["begun_at"]]
        assert len(up) < 2
    begun = [row["begun_at"] for row in other]
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(begun)]
    assert max(pauses) < 1 + SOON_SECONDS, "the other project was disturbed"
    for project in ("edited", "other"):
        assert dialer.get(f"/?action=stop&projectid={project}")[0] == 200
    dialer.wait_until_quiet()
    assert_accounted(dialer, carrier)


def test_a_new_case_and_one_brought_back_are_dialled_at_once(
    dialer: Installation, carrier: Carrier, agents: Agents
) -> None:
    dialer.trunk()
    dialer.project("waits", queue="sales", dial_time=3000)
    dialer.project("empty", type="autoinforming", context="autoinforming", dial_time=3000)
    dialer.cases("waits", "220000")
    dialer.start("run")
    dialer.wait_until_ready()
    dialer.start_project("waits")
    dialer.start_project("empty")
    dialer.wait_for_state("waits", "finished")
    dialer.wait_for_state("empty", "finished")

    known = 1
    for project in ("waits", "empty", "waits"):
        dialer.cases(project, f"22000{known}")
        inserted = dialer.now()
        soon(f"INSERT into {project} to its call", inserted, next_attempt(dialer, known)["begun_at"])
        known += 1
        dialer.wait_for_state(project, "finished")

    brought_back = dialer.change("UPDATE dialer_clients SET used = false WHERE phone_number = '220000'")
    soon("used cleared to its call", brought_back, next_attempt(dialer, known)["begun_at"])
    dialer.wait_for_state("waits", "finished")

    # A project that waits for tomorrow is no less awake: idle is not asleep.
    dialer.cases("waits", "220009", deferred_time="2037-01-01 09:00+00")
    dialer.wait_for_state("waits", "idle", seconds=10)
    promised = dialer.change("UPDATE dialer_clients SET deferred_time = now() WHERE phone_number = '220009'")
    attempt = next_attempt(dialer, known + 1)
    soon("a callback promised for now to its call", promised, attempt["begun_at"])
    assert attempt["kind"] == "scheduled"
    dialer.wait_for_state("waits", "finished")
    assert_accounted(dialer, carrier)


def test_redials_without_a_pause(dialer: Installation, carrier: Carrier) -> None:
    dialer.trunk()
    dialer.project("again", type="autoinforming", context="autoinforming", dial_time=3000)
    dialer.cases("again", "220000", call_back=True, call_back_period="0,0")
    dialer.cases("again", "220001")
    dialer.start("run")
    dialer.wait_until_ready()
    dialer.start_project("again")
    dialer.wait_for_state("again", "finished")

    assert_accounted(dialer, carrier)
    redialled = dialer.attempts("phone_number = '220000'")
    assert [(row["kind"], row["outcome"], row["effect"]) for row in redialled] == [
        ("fresh", "BUSY", "redial"),
        ("redial", "BUSY", "redial"),
        ("redial", "BUSY", "used"),
    ]
    assert dialer.value("SELECT dial_count FROM dialer_stat WHERE phone_number = '220000'") == 3
    assert len(dialer.attempts("phone_number = '220001'")) == 1
    assert dialer.value("SELECT count(*) FROM dialer_clients WHERE NOT used") == 0
