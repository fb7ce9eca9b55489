"""AMD() on the real Asterisk, from the case to its next attempt: people get an agent, machines never do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.containers import AsteriskContainer
from tests.support.installation import Installation
from tests.support.sipp import Carrier
from tests.support.sipp_scenarios import SPEAKERS, SUBSCRIBERS
from tests.support.witness import assert_accounted

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

PERSON, MACHINE, SILENCE = "400001", "410001", "420001"
MINUTES = 90


@pytest.mark.usefixtures("agents")
def test_machines_are_kept_from_agents_and_called_again_by_their_own_rule(
    migrated_database: str, asterisk: AsteriskContainer, tmp_path: Path
) -> None:
    with (
        Installation(migrated_database, asterisk, tmp_path) as dialer,
        Carrier(asterisk.carrier_port, tmp_path, {**SUBSCRIBERS, **SPEAKERS}) as carrier,
    ):
        dialer.trunk()
        dialer.project(
            "amd",
            type="predictive",
            queue="sales",
            context="predictive",
            dial_time=5000,
            amd=True,
            machine_period=MINUTES,
            abandon_seconds=1,
        )
        dialer.cases("amd", PERSON, MACHINE, SILENCE, call_back=True, call_back_period="5,5")
        dialer.start("run")
        dialer.wait_until_ready()
        dialer.start_project("amd")
        dialer.wait_for_attempts(3, "ended_at IS NOT NULL", seconds=40)
        assert_accounted(dialer, carrier)

        attempts = {row["phone_number"]: row for row in dialer.attempts()}
        told = {number: (row["outcome"], row["amd_verdict"], row["counts_as"]) for number, row in attempts.items()}
        assert told[PERSON] == ("ANSWERED", "HUMAN", "connected")
        assert told[MACHINE] == ("MACHINE", "MACHINE", None)
        assert told[SILENCE] == ("MACHINE", "MACHINE", None)

        person = attempts[PERSON]
        assert person["answered_at"] < person["amd_at"] < person["agent_at"]
        for number in (MACHINE, SILENCE):
            assert attempts[number]["agent_at"] is None
            [case] = dialer.sql("SELECT * FROM dialer_clients WHERE phone_number = %s", number)
            assert (case["used"], case["deferred_kind"]) == (False, "redial")
            wait = case["deferred_time"] - attempts[number]["ended_at"]
            assert abs(wait - timedelta(minutes=MINUTES)) < timedelta(seconds=1)
