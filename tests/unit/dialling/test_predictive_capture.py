"""42 calls recorded from Asterisk 16.28 in the context `predictive`, replayed through framer and tracker: outcome,
verdict and steps are those that the call's ChannelId names, whatever portions the bytes come in.

Recorded with the shipped configuration, a patience of 2 s (humanleft: 9, rung: 1), SIPp as carrier and agents.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from tests.support.facts import BEGUN, Heard, Time, event
from worker.ami.message import Framer, Message
from worker.asterisk.session import WANTED
from worker.calls.call import Call
from worker.calls.tracker import Tracker
from worker.calls.verdict import LATE_SECONDS
from worker.model import AmdVerdict, Outcome, Step

CAPTURE = Path(__file__).parents[2] / "data" / "ami" / "predictive-42-calls.txt"
HUMAN, MACHINE = AmdVerdict.HUMAN, AmdVerdict.MACHINE


@dataclass(frozen=True)
class Kind:
    """What a call's name stands for; `amd`: what AMD() said, None where it was not asked."""

    outcome: Outcome
    amd: AmdVerdict | None = None
    played: bool = False
    queue: str = "sales"


KINDS = {
    "agent": Kind(Outcome.ANSWERED),
    "early": Kind(Outcome.EARLY_HANGUP, queue="empty"),  # 0.3 s after the answer
    "harbour": Kind(Outcome.ABANDONED, played=True, queue="empty"),
    "harbourleft": Kind(Outcome.ABANDONED, queue="empty"),  # in the middle of the message
    "rung": Kind(Outcome.ABANDONED, played=True, queue="lazy"),  # an agent's telephone rang and nobody came
    "human": Kind(Outcome.ANSWERED, HUMAN),
    "nobody": Kind(Outcome.ABANDONED, HUMAN, played=True, queue="empty"),
    # 2.0 s after the answer, which is 0.9 s after the verdict.
    "humanleft": Kind(Outcome.EARLY_HANGUP, HUMAN, queue="empty"),
    "machine": Kind(Outcome.MACHINE, MACHINE),
    "machinemsg": Kind(Outcome.MACHINE, MACHINE, played=True),
    "silentline": Kind(Outcome.MACHINE, MACHINE),
    "novoice": Kind(Outcome.ANSWERED, AmdVerdict.NOTSURE),
    "hungup": Kind(Outcome.EARLY_HANGUP, AmdVerdict.HANGUP),
    "busy": Kind(Outcome.BUSY),
}


@cache
def data() -> bytes:
    return CAPTURE.read_bytes()


def replay(size: int, forged: Message | None = None) -> dict[str, Call]:
    """The calls by ChannelId, from bytes in portions of `size`; `forged` is told again before each message."""
    time = Time(0.0)
    framer, tracker = Framer(wanted=WANTED), Tracker(time, Heard())
    calls: dict[str, Call] = {}
    for start in range(0, len(data()), size):
        for message in framer.feed(data()[start : start + size]):
            if stamp := message.get("Timestamp"):
                time.now = max(time.now, float(stamp))
                tracker.tick()
            if message.is_reply:
                begin(tracker, message, calls)
                continue
            if forged is not None:
                tracker.event(forged)
            tracker.event(message)
    time.now += LATE_SECONDS
    tracker.tick()
    assert len(tracker) == 0
    return calls


def begin(tracker: Tracker, reply: Message, calls: dict[str, Call]) -> None:
    action_id = reply.get("ActionID")
    if action_id.startswith("orig-cap-"):
        channel_id = action_id.removeprefix("orig-")
        kind = KINDS[channel_id.rpartition("-")[2]]
        amd = kind.amd is not None
        ids = {"channel_id": channel_id, "action_id": action_id, "attempt_id": len(calls) + 1}
        call = tracker.begin(replace(BEGUN, **ids, type="predictive", queue=kind.queue, amd=amd, patience=2))  # type: ignore[arg-type]
        tracker.sent(call)
        calls[channel_id] = call


@cache
def clean() -> dict[str, Call]:
    return replay(len(data()))


@pytest.mark.parametrize("size", [7, 1447, 1 << 20])
@pytest.mark.parametrize("name", KINDS)
def test_every_recorded_call_ends_as_its_name_says(size: int, name: str) -> None:
    kind = KINDS[name]
    calls = [call for channel_id, call in recorded(size).items() if channel_id.endswith(f"-{name}")]
    assert len(calls) == 3
    for call in calls:
        assert (call.outcome, call.amd_verdict) == (kind.outcome, kind.amd)
        assert (Step.AMD in call.steps, Step.PLAYED in call.steps) == (kind.amd is not None, kind.played)


@cache
def recorded(size: int) -> dict[str, Call]:
    return replay(size)


def test_who_has_a_verdict_got_it_within_amds_limit() -> None:
    """total_analysis_time of the shipped amd.conf is 4 s."""
    waits = [call.steps[Step.AMD] - call.steps[Step.ANSWERED] for call in clean().values() if Step.AMD in call.steps]
    assert len(waits) == 24
    assert all(0.2 < wait < 4.3 for wait in waits)


def test_a_call_without_an_agent_ends_with_its_hangup() -> None:
    """Nothing is waited for that cannot come: a machine's line is free at once."""
    time = Time(0.0)
    framer, tracker = Framer(wanted=WANTED), Tracker(time, Heard())
    calls: dict[str, Call] = {}
    for message in framer.feed(data()):
        if message.is_reply:
            begin(tracker, message, calls)
            continue
        tracker.event(message)
        call = calls.get(message.get("Uniqueid"))
        if call is not None and message.name == "Hangup" and call.outcome is None:
            assert call.channel_id.endswith("-busy"), "its OriginateResponse may come after it"


@pytest.mark.parametrize("status", ["MACHINE", "HANGUP", "HUMAN"])
def test_a_forged_verdict_changes_nothing(status: str) -> None:
    """Who does not know the random Uniqueid of a call cannot name it, whatever else he gets right."""
    forged = event(
        "UserEvent", Channel="PJSIP/carrier-00000001", Uniqueid="", UserEvent="DialerAmd", Attempt=1, Status=status
    )
    told = {name: (call.outcome, call.amd_verdict, call.steps) for name, call in replay(1 << 20, forged).items()}
    assert told == {name: (call.outcome, call.amd_verdict, call.steps) for name, call in clean().items()}
