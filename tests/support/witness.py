"""What must be true after any test: the ledger and SIPp, two witnesses of the same calls, say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from operator import itemgetter

from tests.support.installation import Installation
from tests.support.sipp import Carrier, SippCall
from tests.support.waiting import wait_for


def numbers(**counts: int) -> list[str]:
    """Numbers by their subscribers' behaviour, mixed: n20=2, n22=1 is 200000, 220000, 200001."""
    kinds = [[f"{kind[1:]}{index:04d}" for index in range(count)] for kind, count in counts.items()]
    placed = [(index / len(kind), number) for kind in kinds for index, number in enumerate(kind)]
    return [number for _, number in sorted(placed, key=itemgetter(0))]


def assert_accounted(dialer: Installation, carrier: Carrier, *, died: float = 0.0) -> None:
    """Every call has its attempt and every attempt its call, no number was in two, nothing is left in hand.

    died: when Asterisk was killed; SIPp cannot know that the calls that were up then are over.
    """
    wait_for(
        lambda: all(call.end for call in carrier.calls() if call.at > died),
        30,
        lambda: f"the carrier's calls to end: {[call for call in carrier.calls() if not call.end]}",
    )
    calls = carrier.calls()
    for call in calls:
        if not call.end:
            call.end, call.ended_at = "died", died
    assert_one_call_a_number(calls)
    attempts = dialer.attempts()
    assert [row for row in attempts if row["outcome"] is None] == []
    sent = Counter(call.number for call in calls)
    # Those never made: FAILED, and CANCELLED before they were sent.
    made = Counter(
        row["phone_number"]
        for row in attempts
        if row["outcome"] != "FAILED" and not (row["outcome"] == "CANCELLED" and row["dialing_at"] is None)
    )
    # Of these nobody can know whether an INVITE left before Asterisk or the worker died.
    lost = Counter(row["phone_number"] for row in attempts if row["outcome"] in ("LOST", "TECHNICAL"))
    for number in sent | made:
        assert made[number] - lost[number] <= sent[number] <= made[number], (
            f"{number}: {sent[number]} calls at the carrier,"
            f" in the ledger {dialer.attempts('phone_number = %s', number)}"
        )
    assert dialer.sql("SELECT * FROM dialer_invariants") == []
    assert dialer.sql("SELECT * FROM dialer_claims") == []
    assert dialer.sql("SELECT * FROM dialer_live") == []


def assert_one_call_a_number(calls: Iterable[SippCall]) -> None:
    """No number was called while another call to it was up."""
    by_number: dict[str, list[SippCall]] = {}
    for call in sorted(calls, key=lambda call: call.at):
        by_number.setdefault(call.number, []).append(call)
    for same in by_number.values():
        for first, second in pairwise(same):
            assert first.ended_at is not None, f"{first} had not ended when {second} came"
            assert first.ended_at <= second.at, f"{first} had not ended when {second} came"
