"""Trunks that are more than one SIP peer: a dial template names any channel, also a Local one into a dialplan."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.containers import AsteriskContainer
from tests.support.installation import Installation
from tests.support.sipp import Carrier
from tests.support.waiting import wait_for
from tests.support.witness import assert_accounted

pytestmark = [pytest.mark.docker, pytest.mark.timeout(90)]


@pytest.fixture
def outgoing(asterisk: AsteriskContainer) -> Iterator[str]:
    """A context that routes a number to the carrier, as sites with several carriers have it."""
    asterisk.command("dialplan add extension _X.,1,Dial,PJSIP/${EXTEN}@carrier into outgoing")
    asterisk.command("dialplan add extension _X.,2,Hangup into outgoing")
    yield "outgoing"
    asterisk.command("dialplan remove context outgoing")


@pytest.mark.usefixtures("agents")
@pytest.mark.parametrize("option", ["", "/n"], ids=["optimised away", "kept"])
def test_calls_through_a_local_channel(
    dialer: Installation, asterisk: AsteriskContainer, carrier: Carrier, outgoing: str, option: str
) -> None:
    expected = {"200000": "ANSWERED", "210001": "ANSWERED", "220000": "BUSY", "230000": "NOANSWER"}
    dialer.trunk(dial_template=f"Local/{{number}}@{outgoing}{option}")
    dialer.project("local", queue="sales", dial_time=3000)
    dialer.cases("local", *expected)
    dialer.start("run")
    dialer.wait_until_ready()
    dialer.start_project("local")
    dialer.wait_for_state("local", "finished")
    dialer.wait_until_quiet()

    assert_accounted(dialer, carrier)
    attempts = {row["phone_number"]: row for row in dialer.attempts()}
    assert {number: row["outcome"] for number, row in attempts.items()} == expected
    # The end in the ledger is the subscriber's, not that of the Local channel that was optimised away.
    for call in carrier.calls():
        if call.answered_at and call.ended_at:
            row = attempts[call.number]
            assert row["ended_at"].timestamp() == pytest.approx(call.ended_at, abs=0.5)
            assert row["answered_at"].timestamp() == pytest.approx(call.answered_at, abs=0.5)
    wait_for(lambda: asterisk.channels() == 0, 5, "the last channel to go")
