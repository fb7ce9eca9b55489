"""The main job on real parts: cases by plain SQL, started by GET, dialled by Asterisk 16, answered by SIPp."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.support.containers import AsteriskContainer
from tests.support.dialects import servers
from tests.support.installation import Installation
from tests.support.sipp import Agents, Carrier
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

OUTCOME = {
    "20": "ANSWERED",
    "21": "ANSWERED",
    "22": "BUSY",
    "23": "NOANSWER",
    "24": "REJECTED",
    "25": "INVALID",
    "26": "CONGESTION",
    "27": "ANSWERED",
    "28": "NOANSWER",
    "29": "NOANSWER",
    "33": "REJECTED",
    "36": "EARLY_HANGUP",
}
"""First two digits of the number: what SIPp plays there, in the ledger's words."""
REDIALLED = {"BUSY", "NOANSWER", "REJECTED", "CONGESTION", "EARLY_HANGUP", "ABANDONED"}

MIX = {"21": 30, "22": 30, "23": 10, "24": 20, "25": 20, "26": 20, "27": 20, "28": 20, "29": 5, "33": 25}


def numbers(seed: int, mix: dict[str, int]) -> list[str]:
    """200 numbers, shuffled so that no trunk looks dead."""
    drawn = [f"{prefix}{index:04d}" for prefix, count in mix.items() for index in range(count)]
    random.Random(seed).shuffle(drawn)
    return drawn


@pytest.mark.parametrize("migrated_database", servers(), indirect=True)
@pytest.mark.parametrize("mode", ["progressive", "autoinforming"])
def test_two_hundred_cases_end_as_the_carrier_played_them(
    dialer: Installation, asterisk: AsteriskContainer, carrier: Carrier, agents: Agents, mode: str
) -> None:
    dialed = numbers(1, MIX)
    dialer.project(
        "mixed",
        type=mode,
        context=mode,
        queue="sales",
        lines=40,
        dial_time=3000,
        sort="2:2",
    )
    dialer.sql(
        "INSERT INTO dialer_trunks (trunk, dial_template, max_lines, calls_per_second)"
        " VALUES ('default', 'PJSIP/{number}@carrier', 40, 30)"
    )
    dialer.cases("mixed", *dialed, call_back=True, call_back_period="600")
    dialer.start("run")
    dialer.wait_until_ready()

    status, answer = dialer.get("/?action=start&projectid=mixed")
    assert (status, answer["state"], answer["changed"]) == (200, "running", True)
    dialer.wait_for_state("mixed", "idle", seconds=200)

    wait_for(lambda: asterisk.channels() == 0, 10, "the last channel to go")
    played = Counter(call.number for call in carrier.wait_until_over())
    assert len({call.call_id for call in carrier.calls()}) == sum(played.values())
    with_channel = Counter(
        row["phone_number"]
        for row in dialer.sql("SELECT phone_number FROM dialer_stat_attempt WHERE outcome <> 'FAILED'")
    )
    assert played == with_channel == Counter(dialed)

    ledger = {row["phone_number"]: row for row in dialer.attempts()}
    assert {number: row["outcome"] for number, row in ledger.items()} == {
        number: OUTCOME[number[:2]] for number in dialed
    }
    for row in ledger.values():
        if row["outcome"] == "ANSWERED":
            assert (row["agent_at"] is not None) == (mode == "progressive")
            assert row["begun_at"] <= row["dialing_at"] <= row["answered_at"] <= row["ended_at"]
    for case in dialer.sql("SELECT phone_number, used, checked, deferred_kind FROM dialer_clients"):
        outcome = ledger[case["phone_number"]]["outcome"]
        assert case["used"] == (outcome not in REDIALLED)
        assert not case["checked"]
        assert (case["deferred_kind"] == "redial") == (outcome in REDIALLED)
    assert dialer.sql("SELECT * FROM dialer_invariants") == []
    assert dialer.sql("SELECT * FROM dialer_claims") == []
    assert carrier.errors() == ""
