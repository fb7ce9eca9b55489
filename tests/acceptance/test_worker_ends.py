"""A worker that ends in the middle, killed or asked to: no case is lost and none is dialled twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support.containers import AsteriskContainer
from tests.support.installation import Installation
from tests.support.sipp import Agents, Carrier
from tests.support.sipp_scenarios import Answer
from tests.support.waiting import wait_for
from tests.support.witness import assert_accounted, numbers

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]


def talking(seconds: float) -> Answer:
    """An agent who talks for so long."""
    return Answer(ring_ms=(200,), hang_up_after_ms=round(seconds * 1000))


def test_a_worker_killed_in_the_middle_dials_nothing_twice(
    dialer: Installation, asterisk: AsteriskContainer, carrier: Carrier, tmp_path: Path
) -> None:
    dialer.trunk()
    dialer.project("talk", queue="sales", dial_time=3000)
    dialer.project("inform", type="autoinforming", context="autoinforming", lines=20, dial_time=3000)
    dialer.cases("talk", *numbers(n20=12, n36=2), call_back=True, call_back_period="600")
    # Other numbers than those of the first project, of the same kinds.
    informed = [f"{number}9" for number in numbers(n20=20, n21=20, n22=15, n23=10, n24=10, n27=10, n28=10)]
    dialer.cases("inform", *informed, call_back=True, call_back_period="600")

    # agent1 talks beyond the lease of the dead worker: this call must be taken over alive.
    with Agents(asterisk.agents_port, tmp_path, {"agent1@": talking(15)}, otherwise=talking(3)):
        dialer.start("run")
        dialer.wait_until_ready()
        dialer.start_project("talk")
        dialer.start_project("inform")

        def in_the_middle() -> bool:
            states = {row["state"] for row in dialer.attempts("ended_at IS NULL")}
            connected = {row["agent"] for row in dialer.attempts("state = 'connected'")}
            some_of_each = {"ringing", "connected", "answered"} <= states
            return some_of_each and len(connected) >= 3 and "PJSIP/agent1" in connected

        wait_for(in_the_middle, 20, dialer.situation)
        dialer.signal("run", signal.SIGKILL)
        assert dialer.wait_for_exit("run") == -signal.SIGKILL
        up = dialer.attempts("ended_at IS NULL")
        held = next(row for row in up if row["agent"] == "PJSIP/agent1")
        assert dialer.value("SELECT count(*) FROM dialer_clients WHERE NOT used AND NOT checked") > 0, "it was over"

        dialer.start("run")
        for project in ("talk", "inform"):
            dialer.wait_for_state(project, "idle", "finished", seconds=90)
        dialer.wait_until_quiet()

    assert_accounted(dialer, carrier)
    # Who talked or had talked when the worker died was not called again.
    for row in up:
        again = dialer.attempts("case_id = %s", row["case_id"])
        if row["answered_at"] is not None:
            assert [one["id"] for one in again] == [row["id"]]
            assert again[0]["outcome"] in ("ANSWERED", "ABANDONED")
        if row["agent_at"] is not None:
            assert again[0]["outcome"] == "ANSWERED"
    survivor = dialer.attempts("id = %s", held["id"])[0]
    assert (survivor["outcome"], survivor["agent"]) == ("ANSWERED", "PJSIP/agent1")
    assert survivor["talk_seconds"] == pytest.approx(15, abs=1)
    # Every case was dialled, and is over or waits for its redial.
    for case in dialer.sql("SELECT * FROM dialer_clients"):
        last = dialer.attempts("case_id = %s", case["id"])[-1]
        assert case["used"] or (case["deferred_kind"] == "redial" and not case["deferred_done"]), (case, last)
    assert asterisk.channels() == 0


def test_sigterm_leaves_conversations_to_the_next_worker(
    dialer: Installation, asterisk: AsteriskContainer, carrier: Carrier, tmp_path: Path
) -> None:
    # Two calls a second: most of what is claimed for five agents is not dialled yet at any time.
    dialer.trunk(calls_per_second=2)
    dialer.project("talk", queue="sales", dial_time=20000)
    dialer.cases("talk", *numbers(n20=3, n23=2), "200008", "200009")

    with Agents(asterisk.agents_port, tmp_path, otherwise=talking(10)):
        dialer.start("run")
        dialer.wait_until_ready()
        dialer.start_project("talk")

        def some_of_each() -> bool:
            states = [row["state"] for row in dialer.attempts("ended_at IS NULL")]
            return "connected" in states and "ringing" in states and states.count("connected") >= 2

        wait_for(some_of_each, 20, dialer.situation)
        asked = time.monotonic()
        dialer.signal("run", signal.SIGTERM)
        assert dialer.wait_for_exit("run") == 0
        took = time.monotonic() - asked
        assert took < 5, f"it took {took:.1f} s to stop"
        up = dialer.attempts("ended_at IS NULL")
        assert len([row for row in up if row["agent_at"]]) >= 2, "conversations must go on"
        assert asterisk.channels() >= len(up)
        assert dialer.sql("SELECT * FROM dialer_claims WHERE attempt_id IS NULL") == []
        assert dialer.value("SELECT count(*) FROM dialer_asterisks WHERE worker_id IS NOT NULL") == 0

        dialer.start("run")
        dialer.wait_for_state("talk", "finished", seconds=60)
        dialer.wait_until_quiet()

    assert_accounted(dialer, carrier)
    for row in up:
        after = dialer.attempts("case_id = %s", row["case_id"])
        assert len(after) == 1, "taken over, not dialled again"
        if row["agent_at"] is not None:
            assert (after[0]["outcome"], after[0]["agent"]) == ("ANSWERED", row["agent"])
            assert after[0]["talk_seconds"] == pytest.approx(10, abs=1)
        if row["phone_number"].startswith("23"):
            assert after[0]["outcome"] == "NOANSWER"
    assert dialer.value("SELECT count(*) FROM dialer_clients WHERE NOT used") == 0
