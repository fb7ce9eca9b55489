"""200 calls recorded from Asterisk 16.28, replayed through framer, tracker and agents: every outcome is the one
that the call's ChannelId names, and no forged byte spliced in between changes a thing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.support.facts import BEGUN, Heard, Time, event, heard
from worker.ami.message import Framer, Message
from worker.asterisk.agents import Agents
from worker.asterisk.session import WANTED
from worker.calls.call import Call
from worker.calls.tracker import Tracker
from worker.calls.verdict import SHUTDOWN_SECONDS
from worker.model import TRANSITIONS, Outcome, State, Step

DATA = Path(__file__).parents[2] / "data" / "ami"
BANNER = b"Asterisk Call Manager/5.0.4\r\n"
EXPECTED = {
    "agent": Outcome.ANSWERED,
    "inform": Outcome.ANSWERED,
    "early": Outcome.ANSWERED,
    "noanswer": Outcome.NOANSWER,
    "silent": Outcome.NOANSWER,
    "unavail": Outcome.NOANSWER,
    "busy": Outcome.BUSY,
    "unalloc": Outcome.INVALID,
    "reject": Outcome.REJECTED,
    "cong": Outcome.CONGESTION,
    "badep": Outcome.FAILED,
    "badtech": Outcome.FAILED,
}
# abandon: ABANDONED or EARLY_HANGUP; in the capture they give up 3 s after their answer.


@cache
def capture() -> bytes:
    return (DATA / "mixed-200-calls.txt").read_bytes()


@cache
def blocks() -> tuple[bytes, ...]:
    """The messages of the capture, without the greeting."""
    return tuple(block + b"\r\n\r\n" for block in capture().removeprefix(BANNER).split(b"\r\n\r\n")[:-1])


@cache
def instants() -> dict[bytes, float]:
    """When each event of the capture came; what is spliced in has no say in the time."""
    messages = (Message(block.removesuffix(b"\r\n\r\n")) for block in blocks())
    return {message.raw: float(message.get("Timestamp")) for message in messages if message.get("Timestamp")}


@cache
def kinds() -> dict[str, str]:
    """Mode of each call by ActionID: recorded in its OriginateResponse."""
    found = {}
    for block in blocks():
        message = Message(block.removesuffix(b"\r\n\r\n"))
        if message.name == "OriginateResponse":
            informing = message.get("Context") == "autoinform"
            found[message.get("ActionID")] = "autoinforming" if informing else "progressive"
    return found


class Replay:
    """What a session does with events, without a network: calls are begun where Asterisk queued their Originate."""

    def __init__(self, abandon_seconds: float) -> None:
        self.time = Time(1_795_409_231.0)
        self.framer = Framer(wanted=WANTED)
        self.tracker = Tracker(self.time, Heard())
        self.agents = Agents(self.time)
        self.calls: dict[str, Call] = {}
        self.ended: list[Call] = []
        self.checks: Counter[str] = Counter()
        """How often Asterisk would have been asked about something, by what."""
        self.freed: list[str] = []
        self._abandon_seconds = abandon_seconds
        self._truth: dict[tuple[str, str], Message] = {}
        self.agents.replace_all([event("QueueParams", Queue="sales"), event("QueueParams", Queue="empty")])

    def feed(self, data: bytes) -> None:
        for message in self.framer.feed(data):
            self._take(message)

    def finish(self) -> None:
        """Long after the last event."""
        self._advance(self.time.now + SHUTDOWN_SECONDS + 0.001)

    def _advance(self, now: float) -> None:
        while (wait := self.tracker.tick()) is not None and self.time.now + wait <= now:
            self.time.now += wait
        self.time.now = max(self.time.now, now)
        self.tracker.tick()

    def _take(self, message: Message) -> None:
        genuine = message.raw in instants()
        if genuine:
            self._advance(instants()[message.raw])
        if message.is_reply:
            self._begin(message)
        elif message.name.startswith("QueueMember"):
            self._member(message, genuine)
        elif message.name in ("Shutdown", "Reload", "FullyBooted"):
            self.checks[message.name] += 1
        else:
            call = self._owner(message)
            before = None if call is None else call.state
            self.tracker.event(message)
            if call is not None and before is not None:
                assert call.state == before or call.state is State.ENDED or moves(before, call.state), message.raw
        assert all(call.outcome is not None for call in heard(self.tracker).over)
        self.ended += heard(self.tracker).over
        heard(self.tracker).over.clear()
        real = {who.casefold() for (_, who), member in self._truth.items() if member.get("Status") == "1"}
        assert self.agents.free("sales") <= real, message.raw

    def _begin(self, reply: Message) -> None:
        action_id = reply.get("ActionID")
        if not action_id.startswith("orig-cap-"):
            return
        channel_id = action_id.removeprefix("orig-")
        call = self.tracker.begin(
            replace(
                BEGUN,
                attempt_id=len(self.calls) + 1,
                type=kinds()[action_id],
                channel_id=channel_id,
                action_id=action_id,
                queue="empty" if channel_id.endswith("abandon") else "sales",
                abandon_seconds=self._abandon_seconds,
            )
        )
        self.tracker.sent(call)
        self.tracker.replied(call, None if reply.get("Response") == "Success" else reply.get("Message"))
        self.calls[channel_id] = call

    def _owner(self, message: Message) -> Call | None:
        ids = (message.get("Uniqueid"), message.get("DestUniqueid"), message.get("ActionID").removeprefix("orig-"))
        return next((self.calls[one] for one in ids if one in self.calls), None)

    def _member(self, message: Message, genuine: bool) -> None:
        key = (message.get("Queue"), message.get("Interface"))
        if genuine:
            self._truth[key] = message
        free = self.agents.free("sales")
        self.agents.event(message)
        self.freed += self.agents.free("sales") - free  # by an event alone
        for queue, interface in list(self.agents.unsure):
            self.checks["QueueMember"] += 1
            told = self._truth.get((queue, interface))
            items = []
            if told is not None:
                raw = told.raw.replace(b"Event: QueueMemberStatus", b"Event: QueueMember")
                items = [Message(raw.replace(b"\r\nInterface:", b"\r\nLocation:"))]
            self.agents.replace_one(queue, interface, items)


def moves(source: State, target: State) -> bool:
    return any((one.source, one.target) == (source, target) for one in TRANSITIONS)


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def replay(data: bytes, size: int | None = None, abandon_seconds: float = 2.0) -> Replay:
    run = Replay(abandon_seconds)
    for chunk in chunks(data, size or len(data)):
        run.feed(chunk)
    run.finish()
    run.ended += heard(run.tracker).over
    return run


@cache
def clean() -> Replay:
    return replay(capture())


def facts(run: Replay) -> dict[str, tuple[Outcome | None, dict[Step, float], str | None, int | None, float | None]]:
    """All that the ledger would be told, by ChannelId."""
    return {
        call.channel_id: (call.outcome, dict(call.steps), call.agent, call.cause, call.ended)
        for call in run.calls.values()
    }


@pytest.mark.parametrize(
    ("size", "abandon_seconds", "given_up"),
    [
        (1, 2.0, Outcome.ABANDONED),
        (7, 2.0, Outcome.ABANDONED),
        (1447, 2.0, Outcome.ABANDONED),
        (None, 2.0, Outcome.ABANDONED),
        (1447, 5.0, Outcome.EARLY_HANGUP),
    ],
)
def test_every_call_gets_the_outcome_that_its_channel_id_names(
    size: int | None, abandon_seconds: float, given_up: Outcome
) -> None:
    run = replay(capture(), size, abandon_seconds)
    expected = {**EXPECTED, "abandon": given_up}
    assert len(run.calls) == 200
    assert {one: call.outcome for one, call in run.calls.items()} == {
        one: expected[one.split("-")[2]] for one in run.calls
    }
    assert run.framer.tampered == 0
    if abandon_seconds == 2.0:
        assert facts(run) == facts(clean())


def test_every_call_ends_once_and_leaves_nothing_behind() -> None:
    run = clean()
    assert len(run.ended) == len(set(run.ended)) == 200
    tracker = run.tracker
    assert len(tracker) == 0
    assert tracker.tick() is None
    assert not any((tracker._by_channel, tracker._by_action, tracker._by_leg, tracker._waiting, heard(tracker).changed))
    assert heard(tracker).wrong_queue == {}


def test_steps_tell_how_far_each_call_came() -> None:
    for channel_id, call in clean().calls.items():
        kind = channel_id.split("-")[2]
        assert (Step.ANSWERED in call.steps) == (kind in {"agent", "inform", "early", "abandon"}), channel_id
        assert (Step.WAITING in call.steps) == (kind in {"agent", "abandon"}), channel_id
        assert (Step.AGENT in call.steps) == (kind == "agent"), channel_id
        assert (call.agent is not None) == (kind == "agent"), channel_id
        assert (Step.RINGING in call.steps) == (kind in {"agent", "inform", "early", "abandon", "noanswer"}), channel_id
        in_order = [call.steps[step] for step in Step if step in call.steps]
        assert in_order == sorted(in_order)
        assert call.ended is not None
        assert in_order[-1] <= call.ended


def test_a_late_medium_rings_though_no_newstate_says_so() -> None:
    early = [call for one, call in clean().calls.items() if one.endswith("early")]
    assert early
    assert all(call.steps[Step.RINGING] < call.steps[Step.ANSWERED] for call in early)


def test_a_recorded_agent_becomes_free_by_a_check_only() -> None:
    run = clean()
    assert run.freed == []
    assert run.checks["QueueMember"] > 40
    assert run.agents.free("sales") >= {"pjsip/agent1", "pjsip/agent2", "pjsip/agent3"}


# --- forged ----------------------------------------------------------------------------------------------


def wire(message: Message) -> bytes:
    return message.raw + b"\r\n\r\n"


def repeated(name: str, ours: str, **fields: object) -> bytes:
    """An event into which a caller has written a second Uniqueid, before the genuine one."""
    middle = "".join(f"{key}: {value}\r\n" for key, value in fields.items())
    text = f"Event: {name}\r\nCallerIDNum: 123\r\nUniqueid: {ours}\r\n{middle}Uniqueid: 1795.7\r\nLinkedid: 1795.7"
    return f"{text}\r\n\r\n".encode()


GUESSED = "cap-0001-agenT"
FORGED = {
    "hangup of a guessed id": wire(event("Hangup", Uniqueid=GUESSED, Linkedid=GUESSED, Cause=16)),
    "hangup of a channel whose name is known": wire(
        event("Hangup", Channel="PJSIP/carrier-00000001", Uniqueid="1795.9", Linkedid=GUESSED, Cause=17)
    ),
    "hangup without an id": wire(event("Hangup", Channel="PJSIP/carrier-00000001", Cause=17)),
    "hangup with an empty id": wire(event("Hangup", Uniqueid="", Linkedid="", Cause=17)),
    "failure of a guessed action": wire(
        event("OriginateResponse", ActionID="orig-" + GUESSED, Response="Failure", Reason=5)
    ),
    "answer of a guessed id": wire(event("Newstate", Uniqueid=GUESSED, ChannelState=6)),
    "agent for a guessed id": wire(event("AgentConnect", Uniqueid=GUESSED, Interface="PJSIP/agent1", Queue="sales")),
    "queue of a guessed id": wire(event("QueueCallerJoin", Uniqueid=GUESSED, Queue="hell")),
    "shutdown": wire(event("Shutdown", Shutdown="Cleanly", Restart="False")),
    "reload": wire(event("Reload", Module="All", Status=0)),
    "fully booted": wire(event("FullyBooted", Uptime=0, Status="Fully Booted")),
    "pause": wire(event("QueueMemberPause", Queue="sales", Interface="PJSIP/agent1", Status=1, Paused=1)),
    "free": wire(event("QueueMemberStatus", Queue="sales", Interface="PJSIP/agent1", Status=1, Paused=0, InCall=0)),
    "free after a wrap-up": wire(
        event("QueueMemberStatus", Queue="sales", Interface="PJSIP/agent1", Status=1, LastCall=9, Wrapuptime=1)
    ),
    "removal": wire(event("QueueMemberRemoved", Queue="sales", Interface="PJSIP/agent2")),
    "a stranger": wire(event("QueueMemberAdded", Queue="sales", Interface="PJSIP/evil", Status=1)),
    "no number at all": wire(event("QueueMemberStatus", Queue="sales", Interface="PJSIP/agent3", Status="²")),
    "a number too long": wire(event("QueueMemberStatus", Queue="sales", Interface="PJSIP/agent3", LastCall="9" * 5000)),
    "hangup with a second Uniqueid": repeated("Hangup", "cap-0001-agent", Cause=17),
    "end of the dial with a second Uniqueid": repeated("DialEnd", "cap-0016-busy", DialStatus="ANSWER"),
    "caller gone with a second Uniqueid": repeated("QueueCallerAbandon", "cap-0001-agent", Queue="sales"),
    "a line without a colon": b"Event: Hangup\r\nUniqueid: cap-0001-agent\r\nCause\r\n\r\n",
}


def recorded(name: str) -> bytes:
    """The bytes that a hostile SIP caller once made Asterisk write."""
    return (DATA / name).read_bytes().removeprefix(BANNER)


HOSTILE = {**FORGED, **{name: recorded(name) for name in ("injected.txt", "injected-repeat.txt")}}


def spliced(hostile: bytes, places: set[int]) -> bytes:
    return BANNER + b"".join((hostile if place in places else b"") + block for place, block in enumerate(blocks()))


def test_the_recorded_attacks_do_hold_forged_messages() -> None:
    for name in ("injected.txt", "injected-repeat.txt"):
        framer = Framer(wanted=WANTED)
        framer.feed(recorded(name))
        assert framer.tampered >= 2, name


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_forged_byte_changes_a_call(kind: str) -> None:
    places = set(random.Random(kind).sample(range(len(blocks())), 120))
    run = replay(spliced(HOSTILE[kind], places), 1447)
    assert facts(run) == facts(clean())
    assert len(run.ended) == 200
    assert len(run.tracker) == 0
    assert heard(run.tracker).wrong_queue == {}
    assert run.freed == []
    assert run.agents.free("sales") == clean().agents.free("sales")


def test_forged_events_of_all_kinds_at_every_place_change_no_call() -> None:
    everything = b"".join(HOSTILE.values())
    run = replay(spliced(everything, set(range(0, len(blocks()), 10))), 65_536)
    assert facts(run) == facts(clean())
    assert run.freed == []
    assert run.framer.tampered > 0
    assert run.checks["Shutdown"] == len(range(0, len(blocks()), 10))
