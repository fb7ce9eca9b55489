"""Event for event: what the filtered AMI user sees of each way a call can go.

Each path names every event that must come (no more, no less) and chains of those that must come in that order.
What is in no common chain comes in any order: OriginateResponse is sent by a thread of its own.
"""

from __future__ import annotations

import secrets
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.contract.switches import Phone, Switch, cleared, in_order, owed
from tests.support.waiting import wait_for

Connect = Callable[..., Phone]

RANG = ("Newchannel", "DialState RINGING", "Newstate Ringing")
ANSWERED = ("Newstate Up", "DialEnd ANSWER", "OriginateResponse Success 4")
JOINED = "QueueCallerJoin"
CALLED = ("agent Newchannel", "AgentCalled")
AGENT_RANG = (*CALLED, "agent Newstate Ringing", "agent DialState RINGING")
CONNECTED = ("agent Newstate Up", "agent DialEnd ANSWER", "QueueCallerLeave", "AgentConnect")
GAVE_UP = ("QueueCallerAbandon", "QueueCallerLeave")

#: An answered call up to the queue, and an agent's leg up to the conversation, each in its order.
TO_QUEUE = ("Newchannel", "Newstate Up", "DialEnd ANSWER", JOINED)
TO_AGENT = (JOINED, *CALLED, "agent Newstate Ringing", *CONNECTED)
REPLIED = ("Newchannel", "OriginateResponse Success 4")
FAILED = ("Newchannel", "OriginateResponse Failure 0")


def ends_of_a_talk(*ends: str) -> tuple[tuple[str, ...], ...]:
    """The two channels and the queue end in threads of their own: AgentComplete comes before, between or after."""
    return tuple((*TO_AGENT, end) for end in ends)


@dataclass(frozen=True)
class Path:
    """One way to go. `events`: all of them; `chains`: orders that always hold."""

    number: str
    events: tuple[str, ...]
    chains: tuple[tuple[str, ...], ...]
    context: str = "progressive"
    queue: str = "empty"
    dial: str = "PJSIP/{}@carrier"


def refused(prefix: str, cause: int, status: str = "NOANSWER") -> Path:
    """The carrier says no: all the same but for the cause, which only Hangup tells."""
    end, gone = f"DialEnd {status}", f"Hangup {cause}"
    events = ("Newchannel", end, gone, "OriginateResponse Failure 0")
    return Path(prefix + "00000", events, (("Newchannel", end, gone), FAILED))


PATHS = {
    "busy": refused("22", 17, "BUSY"),
    "rejected, 603": refused("24", 21),
    "rejected, 403": refused("33", 21),
    "no such number, 404": refused("25", 1),
    "number incomplete, 484": refused("32", 28),
    "number changed, 410": refused("35", 22),
    "congestion, 503": refused("26", 34, "CONGESTION"),
    "temporarily unavailable, 480": refused("28", 19),
    "server error, 500": refused("31", 38),
    "not acceptable, 488": refused("34", 58),
    "rings for ever": Path(
        "2300000",
        (*RANG, "OriginateResponse Failure 3", "Hangup 0"),
        ((*RANG[:2], "Hangup 0"), ("Newchannel", RANG[2], "OriginateResponse Failure 3")),
    ),
    "silence": Path(
        "2900000",
        ("Newchannel", "OriginateResponse Failure 3", "Hangup 0"),
        (("Newchannel", "Hangup 0"), ("Newchannel", "OriginateResponse Failure 3")),
    ),
    "no such endpoint": Path("2000001", ("OriginateResponse Failure 0",), (), dial="PJSIP/{}@nosuch"),
    "no such technology": Path("2000002", ("OriginateResponse Failure 0",), (), dial="NOSUCH/{}"),
    "local channel without extension": Path(
        "2000003",
        ("Newchannel", "other Newchannel", "other Hangup 0", "Hangup 0", "OriginateResponse Failure 0"),
        # It is over at once, so that even OriginateResponse, which another thread sends, may come first.
        (("Newchannel", "other Newchannel", "other Hangup 0"), ("Newchannel", "Hangup 0")),
        dial="Local/{}@nosuch/n",
    ),
    "waits in an empty queue and leaves": Path(
        "2100000",
        (*RANG, *ANSWERED, JOINED, *GAVE_UP, "Hangup 16"),
        (
            (*TO_QUEUE, *GAVE_UP, "Hangup 16"),
            REPLIED,
            ("DialState RINGING", "Newstate Up"),
            ("Newstate Ringing", "Newstate Up"),
        ),
    ),
    "talks until the agent hangs up": Path(
        "2000000",
        (*RANG, *ANSWERED, JOINED, *AGENT_RANG, *CONNECTED, "AgentComplete agent", "agent Hangup 16", "Hangup 16"),
        (
            (*TO_QUEUE, *CALLED),
            *ends_of_a_talk("AgentComplete agent", "agent Hangup 16", "Hangup 16"),
            ("AgentCalled", "agent DialState RINGING", "agent DialEnd ANSWER"),
            REPLIED,
        ),
        queue="sales",
    ),
    "talks until the caller hangs up": Path(
        "2100001",
        (*RANG, *ANSWERED, JOINED, *AGENT_RANG, *CONNECTED, "AgentComplete caller", "agent Hangup 16", "Hangup 16"),
        (
            *ends_of_a_talk("AgentComplete caller", "agent Hangup 16", "Hangup 16"),
            REPLIED,
        ),
        queue="solo",
    ),
    "hears the message": Path(
        "3000000",
        ("Newchannel", *ANSWERED, "DialerPlayed", "Hangup 16"),
        (("Newchannel", "Newstate Up", "DialEnd ANSWER", "DialerPlayed", "Hangup 16"), REPLIED),
        context="autoinforming",
    ),
    "leaves before the end of the message": Path(
        "3600000",
        ("Newchannel", *ANSWERED, "Hangup 16"),
        (("Newchannel", "Newstate Up", "DialEnd ANSWER", "Hangup 16"), REPLIED),
        context="autoinforming",
    ),
    "early media, then the answer": Path(
        "2700000",
        ("Newchannel", "DialState PROGRESS", *ANSWERED, "DialerPlayed", "Hangup 16"),
        (("Newchannel", "DialState PROGRESS", "Newstate Up", "DialEnd ANSWER", "DialerPlayed", "Hangup 16"), REPLIED),
        context="autoinforming",
    ),
    "no such queue": Path(
        "3000001",
        ("Newchannel", *ANSWERED, "Hangup 16"),
        (("Newchannel", "Newstate Up", "DialEnd ANSWER", "Hangup 16"), REPLIED),
        queue="nosuch",
    ),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_call_that_ends_by_itself_shows_exactly_these_events(switch: Switch, connect: Connect, name: str) -> None:
    path = PATHS[name]
    phone = connect(switch)
    call = phone.call(path.number, context=path.context, queue=path.queue, dial=path.dial)
    story = phone.wait_until_over(call)
    if path.number.startswith(("21", "36")):
        story = cleared(story)
    assert Counter(story) == Counter(owed(switch, story, *path.events))
    for chain in path.chains:
        in_order(story, *owed(switch, story, *chain))


def test_an_agent_who_does_not_answer_gives_two_dial_ends_and_the_caller_is_offered_again(
    switch: Switch, connect: Connect
) -> None:
    phone = connect(switch)
    call = phone.call("3000010", queue="lazy")
    wait_for(lambda: phone.story(call).count("AgentCalled") == 2, 20, "a second AgentCalled")
    phone.client.ask([("Action", "Hangup"), ("Channel", call)])
    story = phone.wait_until_over(call)
    in_order(
        story, *TO_QUEUE, *AGENT_RANG[:3], "AgentRingNoAnswer", "agent DialEnd NOANSWER", "agent DialEnd CANCEL",
        *CALLED, "agent DialEnd CANCEL", "agent DialEnd CANCEL", *GAVE_UP, "Hangup 0",
    )  # fmt: skip
    assert story.count("AgentRingNoAnswer") == 1
    missed = next(event for event in phone.of(call) if event.name == "AgentRingNoAnswer")
    assert missed.get("RingTime") == "2000"  # milliseconds here, seconds in AgentConnect


def test_a_busy_agent_is_passed_over_for_the_next_one(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3000011", queue="mixed")
    story = phone.wait_until_over(call)
    busy = next(
        e.get("DestUniqueid") for e in phone.of(call) if e.name == "AgentCalled" and "agent6" in e.get("Interface")
    )
    legs = [e for e in phone.of(call) if busy in (e.get("Uniqueid"), e.get("DestUniqueid"))]
    assert [e.name for e in legs] == ["Newchannel", "AgentCalled", "DialEnd", "AgentRingNoAnswer", "Hangup"]
    assert (legs[2].get("DialStatus"), legs[4].get("Cause")) == ("NOANSWER", "17")
    assert legs[3].get("RingTime") in ("0", "1000")  # whole seconds: one may begin while it is refused
    in_order(story, *owed(switch, story, "AgentRingNoAnswer", *CALLED, "AgentConnect", "AgentComplete agent"))


def test_a_caller_who_leaves_while_an_agent_rings_has_abandoned(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3600012", queue="lazy")
    story = cleared(phone.wait_until_over(call))
    assert Counter(story) == Counter(
        [
            *("Newchannel", *ANSWERED, JOINED, *AGENT_RANG, "agent DialEnd CANCEL", "agent DialEnd CANCEL"),
            *(*GAVE_UP, "agent Hangup 0", "Hangup 16"),
        ]
    )
    in_order(story, *AGENT_RANG[:3], "agent DialEnd CANCEL", *GAVE_UP, "Hangup 16")
    in_order(story, "agent DialEnd CANCEL", "agent Hangup 0")


@pytest.mark.parametrize(("cause", "shown"), [("", 0), ("31", 31)])
def test_hanging_up_a_ringing_call_ends_it_with_the_cause_given(
    switch: Switch, connect: Connect, cause: str, shown: int
) -> None:
    phone = connect(switch)
    call = phone.call("2300020", timeout_ms=20_000)
    phone.wait_for(call, *RANG)
    action = [("Action", "Hangup"), ("Channel", call)] + ([("Cause", cause)] if cause else [])
    assert phone.client.ask(action).get("Message") == "Channel Hungup"
    story = phone.wait_until_over(call)
    assert Counter(story) == Counter([*RANG, "DialEnd NOANSWER", f"Hangup {shown}", "OriginateResponse Failure 0"])
    in_order(story, *RANG[:2], "DialEnd NOANSWER", f"Hangup {shown}")


def test_hanging_up_a_waiting_caller_is_an_abandoned_call(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3000021")
    phone.wait_for(call, JOINED)
    phone.client.ask([("Action", "Hangup"), ("Channel", call), ("Cause", "21")])
    in_order(phone.wait_until_over(call), JOINED, *GAVE_UP, "Hangup 21")


@pytest.mark.parametrize("cause", ["", "21"])
def test_hanging_up_a_conversation_is_the_caller_leaving(switch: Switch, connect: Connect, cause: str) -> None:
    phone = connect(switch)
    call = phone.call("3000022", queue="solo")
    phone.wait_for(call, "AgentConnect")
    phone.client.ask([("Action", "Hangup"), ("Channel", call)] + ([("Cause", cause)] if cause else []))
    shown = cause or "16"
    story = phone.wait_until_over(call)
    for chain in ends_of_a_talk("AgentComplete caller", f"agent Hangup {shown}", f"Hangup {shown}"):
        in_order(story, *owed(switch, story, *chain))


def test_hanging_up_the_agents_leg_looks_as_if_the_caller_had_left(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3000023", queue="solo")
    phone.wait_for(call, "AgentConnect")
    connected = next(event for event in phone.of(call) if event.name == "AgentConnect")
    phone.client.ask([("Action", "Hangup"), ("Channel", connected.get("DestChannel"))])
    story = phone.wait_until_over(call)
    for chain in ends_of_a_talk("AgentComplete caller", "agent Hangup 16", "Hangup 16"):
        in_order(story, *owed(switch, story, *chain))
    # If the leg is gone by then, the event lacks the leg's fields: never rely on them.
    for complete in (event for event in phone.of(call) if event.name == "AgentComplete"):
        assert complete.get("DestUniqueid", connected.get("DestUniqueid")) == connected.get("DestUniqueid")
        assert (complete.get("Queue"), complete.get("Interface")) == ("solo", "PJSIP/agent4")


def test_hanging_up_during_the_message_leaves_no_played_event(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3000024", context="autoinforming")
    phone.wait_for(call, *ANSWERED)
    phone.client.ask([("Action", "Hangup"), ("Channel", call)])
    assert "DialerPlayed" not in phone.wait_until_over(call)
    in_order(phone.story(call), "Newstate Up", "Hangup 0")


def test_a_channel_id_in_use_fails_the_second_call_with_the_same_uniqueid(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("2300030", timeout_ms=20_000)
    phone.wait_for(call, *RANG)
    phone.call("2300030", timeout_ms=20_000, channel_id=call)
    assert phone.wait_for(call, "OriginateResponse Failure 0").count("Newchannel") == 1
    phone.client.ask([("Action", "Hangup"), ("Channel", call)])
    wait_for(lambda: phone.story(call).count("OriginateResponse Failure 0") == 2, 10, "the end of the first")


def test_an_agent_of_two_queues_is_told_of_in_both(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3000031", queue="solo")  # agent 4 is in `shared` as well
    phone.wait_for(call, "AgentConnect")
    phone.client.ask([("Action", "Hangup"), ("Channel", call)])
    phone.wait_until_over(call)
    wait_for(lambda: len(phone.member_events("PJSIP/agent4")) >= 6, 10, "three states in two queues")
    told = [(e.get("Queue"), e.get("Status")) for e in phone.member_events("PJSIP/agent4")]
    assert Counter(told) == Counter((queue, status) for queue in ("solo", "shared") for status in "621")
    last = {e.get("Queue"): e for e in phone.member_events("PJSIP/agent4")}
    assert last["solo"].get("LastCall") == last["shared"].get("LastCall") != "0"


def test_a_session_gets_the_reply_before_the_calls_events(switch: Switch, connect: Connect) -> None:
    """Read from the bytes: forty Originates in one write, each reply before the first event of its call."""
    connect(switch)
    login = f"Action: Login\r\nUsername: dialer\r\nSecret: {switch.secret}\r\n\r\n"
    ids = [f"pipe-{n:02}-{secrets.token_hex(8)}" for n in range(40)]
    originates = "".join(
        f"Action: Originate\r\nActionID: o-{channel}\r\nChannel: PJSIP/22000{n:02}@carrier\r\nContext: progressive\r\n"
        f"Exten: s\r\nPriority: 1\r\nTimeout: 2000\r\nAsync: true\r\nChannelId: {channel}\r\n\r\n"
        for n, channel in enumerate(ids)
    )
    with socket.create_connection(("127.0.0.1", switch.port), 10) as link:
        link.sendall((login + originates).encode())
        told = ""
        while told.count("Event: Hangup\r\n") < len(ids) or told.count("Event: OriginateResponse\r\n") < len(ids):
            part = link.recv(65_536)
            assert part, "the link was closed"
            told += part.decode()
    for channel in ids:
        reply = told.index(f"Response: Success\r\nActionID: o-{channel}\r\nMessage: Originate successfully queued\r\n")
        assert reply < told.index(f"Uniqueid: {channel}\r\n")
