"""A carrier that refuses everything must not eat a list."""

from __future__ import annotations

import pytest

from tests.support.installation import Installation
from tests.support.sipp import Carrier
from tests.support.sipp_scenarios import Refuse
from tests.support.witness import assert_accounted, numbers

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

CASES = 40
LINES = 10


def test_a_carrier_that_answers_everything_with_404_uses_no_case_up(dialer: Installation, carrier: Carrier) -> None:
    dialer.trunk()
    dialer.project("list", type="autoinforming", context="autoinforming", lines=LINES, dial_time=3000)
    dialer.cases("list", *numbers(n20=CASES))
    # Redials are kept as well as first calls: their list must not have moved on afterwards.
    dialer.sql("UPDATE dialer_clients SET call_back = true, call_back_period = '600' WHERE id %% 2 = 0")

    with carrier.behaving(Refuse(404)):
        dialer.start("run")
        dialer.wait_until_ready()
        dialer.start_project("list")
        dialer.wait_for_state("list", "failing")
        dialer.wait_until_quiet()

        ended = dialer.attempts("outcome IS NOT NULL")
        assert {row["outcome"] for row in ended} == {"INVALID"}
        # Twenty in a row, those that were up at that moment, and at most one try since.
        assert 20 <= len(ended) <= 20 + LINES + 1
        assert dialer.value("SELECT state FROM dialer_stat_trunk") == "failing"
        touched = "used OR redials_done > 0 OR deferred_time IS NOT NULL"
        assert dialer.sql(f"SELECT * FROM dialer_clients WHERE {touched}") == []

        status, project = dialer.get("/projects/list")
        assert (status, project["state"]) == (200, "failing")
        assert "attempts in a row ended without ringing" in project["reason"]
        assert "PJSIP/{number}@carrier" in project["reason"]
        told = dialer.sql("SELECT DISTINCT reason, detail FROM dialer_why WHERE reason <> 'in_call'")
        assert told == [{"reason": "project_failing", "detail": project["reason"]}]

        # It is tried again by itself, one call at a time, and that uses nothing up either.
        dialer.wait_for_attempts(len(ended) + 1, seconds=15)
        dialer.wait_until_quiet()
        assert len(dialer.attempts()) <= len(ended) + 2
        assert dialer.sql("SELECT * FROM dialer_clients WHERE used") == []

    dialer.wait_for_state("list", "finished", seconds=60)
    assert_accounted(dialer, carrier)
    assert dialer.value("SELECT state FROM dialer_stat_trunk") == "ok"
    assert dialer.value("SELECT count(*) FROM dialer_clients WHERE NOT used") == 0
    assert [row["outcome"] for row in dialer.attempts("outcome <> 'INVALID'")] == ["ANSWERED"] * CASES
