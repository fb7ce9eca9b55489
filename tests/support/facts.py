"""What tests of the worker's pure parts share: a time that a test moves, and events as Asterisk writes them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from worker.ami.message import Message
from worker.calls.call import Call
from worker.calls.tracker import Tracker
from worker.model import Begun


@dataclass
class Time:
    """A monotonic() that a test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def event(name: str, **fields: object) -> Message:
    """An event, read from bytes as it would be from the wire."""
    lines = [f"Event: {name}", *(f"{key}: {value}" for key, value in fields.items())]
    return Message("\r\n".join(lines).encode("utf-8", "surrogateescape"))


BEGUN = Begun(
    attempt_id=1,
    case_id=7,
    case_name="Ivanov",
    project_id="p",
    type="progressive",
    phone_number="79990000001",
    channel="PJSIP/79990000001@carrier",
    channel_id="c1",
    action_id="a1",
    exten=None,
    context="progressive",
    queue="sales",
    caller_id=None,
    dial_seconds=30.0,
    abandon_seconds=2.0,
)


@dataclass
class Heard:
    """A Listener that remembers what its tracker has found out."""

    changed: set[Call] = field(default_factory=set)
    over: list[Call] = field(default_factory=list)
    opt_outs: list[Call] = field(default_factory=list)
    wrong_queue: dict[str, str] = field(default_factory=dict)
    ticks_wanted: int = 0

    def stepped(self, call: Call) -> None:
        self.changed.add(call)

    def ended(self, call: Call) -> None:
        self.changed.discard(call)
        self.over.append(call)

    def opted_out(self, call: Call) -> None:
        self.opt_outs.append(call)

    def astray(self, project_id: str, why: str) -> None:
        self.wrong_queue[project_id] = why

    def waits(self) -> None:
        self.ticks_wanted += 1


def heard(tracker: Tracker) -> Heard:
    """What a tracker, made with a Heard, has found out."""
    listener = tracker._listener
    assert isinstance(listener, Heard)
    return listener


def begin(tracker: Tracker, **changes: Any) -> Call:
    """A call whose Originate has been sent."""
    call = tracker.begin(replace(BEGUN, **changes))
    tracker.sent(call)
    return call


# Events of the call that `begin` makes, as ami.md describes them; `channel_id` and `action_id` as in BEGUN.


def newchannel(uniqueid: str = "c1", linkedid: str = "c1", channel: str = "PJSIP/carrier-00000001") -> Message:
    return event("Newchannel", Channel=channel, ChannelState=0, Uniqueid=uniqueid, Linkedid=linkedid)


def ringing(uniqueid: str = "c1") -> Message:
    return event("Newstate", Channel="PJSIP/carrier-00000001", ChannelState=5, Uniqueid=uniqueid)


def dial_state(status: str, uniqueid: str = "c1") -> Message:
    return event("DialState", DestChannel="PJSIP/carrier-00000001", DestUniqueid=uniqueid, DialStatus=status)


def up(uniqueid: str = "c1") -> Message:
    return event("Newstate", Channel="PJSIP/carrier-00000001", ChannelState=6, Uniqueid=uniqueid)


def dial_end(status: str, uniqueid: str = "c1") -> Message:
    return event("DialEnd", DestChannel="PJSIP/carrier-00000001", DestUniqueid=uniqueid, DialStatus=status)


def success(action_id: str = "a1") -> Message:
    return event("OriginateResponse", ActionID=action_id, Response="Success", Reason=4, Uniqueid="c1")


def failure(reason: int = 0, action_id: str = "a1") -> Message:
    return event("OriginateResponse", ActionID=action_id, Response="Failure", Reason=reason, Uniqueid="<null>")


def hangup(
    cause: object = 16, uniqueid: str = "c1", channel: str = "PJSIP/carrier-00000001", *, state: int = 0
) -> Message:
    """state: the last one of the channel, 6 when it was up."""
    return event("Hangup", Channel=channel, ChannelState=state, Uniqueid=uniqueid, Linkedid="c1", Cause=cause)


def queue_join(queue: str = "sales") -> Message:
    return event("QueueCallerJoin", Channel="PJSIP/carrier-00000001", Uniqueid="c1", Queue=queue, Position=1)


def queue_abandon() -> Message:
    return event("QueueCallerAbandon", Channel="PJSIP/carrier-00000001", Uniqueid="c1", Queue="sales", HoldTime=3)


def agent_called(interface: str = "PJSIP/agent1") -> Message:
    return event("AgentCalled", Uniqueid="c1", Linkedid="c1", Queue="sales", Interface=interface)


def agent_ring_no_answer(interface: str = "PJSIP/agent1") -> Message:
    return event("AgentRingNoAnswer", Uniqueid="c1", Linkedid="c1", Queue="sales", Interface=interface)


def agent_connect(interface: str = "PJSIP/agent1") -> Message:
    return event("AgentConnect", Uniqueid="c1", Linkedid="c1", Queue="sales", Interface=interface, HoldTime=1)


def agent_complete(interface: str = "PJSIP/agent1", *, talk: int = 4, hold: int = 1) -> Message:
    return event(
        "AgentComplete",
        Uniqueid="c1",
        Linkedid="c1",
        Queue="sales",
        Interface=interface,
        HoldTime=hold,
        TalkTime=talk,
        Reason="caller",
    )


def played() -> Message:
    return event("UserEvent", Channel="PJSIP/carrier-00000001", Uniqueid="c1", UserEvent="DialerPlayed")


def amd(status: str, uniqueid: str = "c1") -> Message:
    return event(
        "UserEvent",
        Channel="PJSIP/carrier-00000001",
        Uniqueid=uniqueid,
        UserEvent="DialerAmd",
        Attempt=1,
        Status=status,
    )


def key(pressed: str, uniqueid: str = "c1") -> Message:
    return event("UserEvent", Uniqueid=uniqueid, UserEvent="DialerKey", Attempt=1, Key=pressed)


def opt_out(pressed: str = "9", uniqueid: str = "c1") -> Message:
    return event("UserEvent", Uniqueid=uniqueid, UserEvent="DialerOptOut", Attempt=1, Key=pressed)


def member(
    name: str, interface: str = "PJSIP/agent1", *, queue: str = "sales", status: object = 1, **fields: object
) -> Message:
    """An event (QueueMemberStatus, …) or, with the name QueueMember, a list item about a queue member."""
    who = {"Location" if name == "QueueMember" else "Interface": interface}
    title = {"Name" if name == "QueueMember" else "MemberName": "Agent One"}
    facts: dict[str, object] = {"InCall": 0, "LastCall": 0, "Paused": 0, "Wrapuptime": 0, **fields}
    return event(name, Queue=queue, **title, **who, Status=status, **facts)


def queue_params(queue: str = "sales") -> Message:
    return event("QueueParams", Queue=queue, Max=0, Calls=0)
