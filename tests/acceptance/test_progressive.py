"""One call for each free agent, never more: reconstructed from the ledger's instants."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import AsteriskContainer
from tests.support.installation import Installation
from tests.support.queues import extra_queue, paused
from tests.support.sipp import Agents, Carrier
from tests.support.sipp_scenarios import Ring
from tests.support.waiting import wait_for
from tests.support.witness import assert_accounted, numbers

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

HANG_UP = timedelta(seconds=0.2)
"""An agent is free when his phone is down; Asterisk ends the subscriber's side a moment later."""


def occupying(attempts: list[dict[str, Any]], instant: datetime) -> list[dict[str, Any]]:
    """The attempts that have or will need an agent at this instant, the one that begins at it included."""
    return [
        row
        for row in attempts
        if row["begun_at"] <= instant < row["ended_at"] - (HANG_UP if row["agent_at"] else timedelta(0))
    ]


def most_at_once(attempts: list[dict[str, Any]], *projects: str) -> int:
    """The most agents that these projects had or needed at any instant; it only grows when an attempt begins."""
    ours = [row for row in attempts if row["project_id"] in projects]
    crowd = max((occupying(ours, row["begun_at"]) for row in ours), key=len)
    at = max(row["begun_at"] for row in crowd)
    for row in crowd:
        # Shown by pytest where the number is not what it should be: seconds before and after the last beginning.
        steps = ("begun_at", "answered_at", "agent_at", "ended_at")
        times = {step: round((row[step] - at).total_seconds(), 3) for step in steps if row[step]}
        print(row["project_id"], row["phone_number"], row["outcome"], row["agent"], times)
    return len(crowd)


def test_projects_that_share_agents_never_dial_more_than_are_free(
    dialer: Installation, carrier: Carrier, agents: Agents
) -> None:
    """sales has agents 1 to 5, support 4 to 8: five each, but only eight together."""
    dialer.trunk()
    for project in ("sales", "support"):
        dialer.project(project, dial_time=3000)
    dialed = numbers(n20=20, n22=8, n23=2, n24=4, n36=5)
    dialer.cases("sales", *dialed)
    dialer.cases("support", *(f"{number}9" for number in dialed))
    dialer.start("run")
    dialer.wait_until_ready()
    dialer.start_project("sales")
    dialer.start_project("support")
    dialer.wait_for_state("sales", "finished", seconds=90)
    dialer.wait_for_state("support", "finished", seconds=90)
    dialer.wait_until_quiet()

    assert_accounted(dialer, carrier)
    attempts = dialer.attempts()
    assert most_at_once(attempts, "sales") <= 5
    assert most_at_once(attempts, "support") <= 5
    assert 7 <= most_at_once(attempts, "sales", "support") <= 8, "seven of eight agents were never used at once"
    for project, members in (("sales", range(1, 6)), ("support", range(4, 9))):
        connected = {row["agent"] for row in attempts if row["project_id"] == project and row["agent"]}
        assert connected <= {f"PJSIP/agent{number}" for number in members}
    # One call at a time at each phone, by SIPp's word.
    calls = sorted(agents.wait_until_over(), key=lambda call: (call.number, call.at))
    for first, second in pairwise(calls):
        assert first.number != second.number or (first.ended_at or 0) <= second.at
    waited = [row for row in attempts if row["phone_number"].startswith("20")]
    assert {row["outcome"] for row in waited} == {"ANSWERED"}
    print(f"the longest wait for an agent: {max(row['wait_seconds'] for row in waited)} s")


def test_an_agent_who_pauses_is_not_counted_and_one_who_never_answers_costs_no_call(
    dialer: Installation, asterisk: AsteriskContainer, carrier: Carrier, tmp_path: Path
) -> None:
    dialer.trunk()
    dialer.project("sales", dial_time=3000)
    dialer.cases("sales", *numbers(n20=12))
    with (
        paused(asterisk, "PJSIP/agent1", "sales"),
        Agents(asterisk.agents_port, tmp_path, {"agent4@": Ring()}) as agents,
    ):
        dialer.start("run")
        dialer.wait_until_ready()
        dialer.start_project("sales")
        dialer.wait_for_state("sales", "finished", seconds=90)
        dialer.wait_until_quiet()
        assert "agent4" in {call.number for call in agents.calls()}, "agent 4 was never tried"

    assert_accounted(dialer, carrier)
    attempts = dialer.attempts()
    assert 3 <= most_at_once(attempts, "sales") <= 4
    assert {row["outcome"] for row in attempts} == {"ANSWERED"}, "they stay on the line until somebody comes"
    assert {row["agent"] for row in attempts} <= {f"PJSIP/agent{number}" for number in (2, 3, 5)}
    # The law's count: who waited beyond the limit for agent 4 counts as abandoned, though somebody came.
    late = [row for row in attempts if row["wait_seconds"] > row["abandon_seconds"]]
    assert [row["id"] for row in attempts if row["abandoned_at"]] == [row["id"] for row in late]
    assert late, "nobody waited for agent 4"


def test_pauses_and_wrap_up_hold_calls_back(
    dialer: Installation, asterisk: AsteriskContainer, carrier: Carrier, agents: Agents
) -> None:
    wrap_up = 2
    dialer.trunk()
    dialer.project("solo", dial_time=3000)
    dialer.project("rest", dial_time=3000)
    dialer.cases("solo", "200001")
    dialer.cases("rest", "200002", "200003", "200004")
    # AMI tells a member's own wrap-up, never the queue's.
    member = f"member => PJSIP/agent10,0,Agent 10,PJSIP/agent10,no,{wrap_up}"
    with extra_queue(asterisk, "rest", member):
        with paused(asterisk, "PJSIP/agent9", "solo"):
            dialer.start("run")
            dialer.wait_until_ready()
            dialer.start_project("solo")
            dialer.start_project("rest")
            dialer.wait_for_attempts(3, "project_id = 'rest'", seconds=30)
            assert dialer.attempts("project_id = 'solo'") == []
            why = dialer.sql("SELECT reason, detail FROM dialer_why WHERE project_id = 'solo'")
            assert why == [{"reason": "no_agent", "detail": "no member of queue solo is free"}]
            state = "SELECT state FROM dialer_agents WHERE interface = 'PJSIP/agent9'"
            assert dialer.value(state) == "paused"
        unpaused = dialer.now()
        dialer.wait_for_attempts(1, "project_id = 'solo'", seconds=3)
        assert dialer.attempts("project_id = 'solo'")[0]["begun_at"] - unpaused < timedelta(seconds=1)
        for project in ("solo", "rest"):
            dialer.wait_for_state(project, "finished")
        dialer.wait_until_quiet()
        wait_for(
            lambda: dialer.value("SELECT state FROM dialer_agents WHERE queue = 'rest'") == "free", 5, "wrap-up to end"
        )

    assert_accounted(dialer, carrier)
    rests = dialer.attempts("project_id = 'rest'")
    assert [row["outcome"] for row in rests] == ["ANSWERED"] * 3
    for first, second in pairwise(rests):
        pause = (second["begun_at"] - first["ended_at"]).total_seconds()
        assert wrap_up - HANG_UP.total_seconds() <= pause < wrap_up + 1.5
