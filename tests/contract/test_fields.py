"""Field for field: which keys each event has, in which order, and what stands in those that the dialer reads."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.contract.switches import Phone, Switch
from worker.ami.message import Message

Connect = Callable[..., Phone]

_HEAD = ["Event", "Privilege", "Timestamp"]
_CHANNEL = [
    *("Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum"),
    *("ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid"),
]
_DEST = [f"Dest{key}" for key in _CHANNEL]
_MEMBER = ["Queue", "Interface", "MemberName"]

FIELDS = {
    "Newchannel": _CHANNEL,
    "Newstate": _CHANNEL,
    "Hangup": [*_CHANNEL, "Cause", "Cause-txt"],
    "OriginateResponse": [
        *("ActionID", "Response", "Channel", "Context", "Exten", "Reason", "Uniqueid", "CallerIDNum", "CallerIDName")
    ],
    "QueueCallerJoin": [*_CHANNEL, "Queue", "Position", "Count"],
    "QueueCallerLeave": [*_CHANNEL, "Queue", "Position", "Count"],
    "QueueCallerAbandon": [*_CHANNEL, "Queue", "Position", "OriginalPosition", "HoldTime"],
    "AgentCalled": [*_CHANNEL, *_DEST, *_MEMBER],
    "AgentRingNoAnswer": [*_CHANNEL, *_DEST, *_MEMBER, "RingTime"],
    "AgentConnect": [*_CHANNEL, *_DEST, *_MEMBER, "HoldTime", "RingTime"],
    "AgentComplete": [*_CHANNEL, *_DEST, *_MEMBER, "HoldTime", "TalkTime", "Reason"],
    "UserEvent": [*_CHANNEL, "UserEvent", "Attempt"],
}
CLASS = {"Queue": "agent", "Agent": "agent", "UserEvent": "user"}


def fields_of(event: Message, channel_id: str) -> list[str]:
    if event.name in ("DialState", "DialEnd"):  # a queue's leg has a caller, an originated call has none
        legs = _DEST if event.get("DestUniqueid") == channel_id else [*_CHANNEL, *_DEST]
        return [*legs, "DialStatus"]
    return FIELDS[event.name]


def test_every_event_has_asterisks_fields_in_asterisks_order(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    calls = [
        phone.call("2000050", queue="sales"),
        phone.call("3000051", queue="mixed"),
        phone.call("2100052", queue="empty"),
        phone.call("3000053", context="autoinforming"),
        phone.call("2200054"),
    ]
    seen = set()
    for call in calls:
        phone.wait_until_over(call)
        for event in phone.of(call):
            seen.add(event.name)
            keys = [key for key, _ in event.fields()]
            expected = [*_HEAD, *fields_of(event, call)]
            if event.name == "AgentComplete":
                # Asterisk leaves a leg out whose channel has gone before the event is made.
                gone = {*(() if "Channel" in keys else _CHANNEL), *(() if "DestChannel" in keys else _DEST)}
                expected = [key for key in expected if key not in gone]
            assert keys == expected
            kind = next((kind for start, kind in CLASS.items() if event.name.startswith(start)), "call")
            assert event.get("Privilege") == f"{kind},all"
            assert re.fullmatch(r"\d{10}\.\d{6}", event.get("Timestamp"))
    assert seen == {*FIELDS, "DialState", "DialEnd"}


def test_what_an_answered_call_says_of_itself(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("2000060", queue="sales", exten="84951234567")
    phone.wait_until_over(call)
    events: dict[str, Message] = {}
    for event in phone.of(call):
        events.setdefault(f"{event.name} {event.get('ChannelStateDesc')}".strip(), event)

    def shows(event: str, **fields: str) -> None:
        assert {key: events[event].get(key) for key in fields} == fields

    ours = {"Uniqueid": call, "Linkedid": call, "AccountCode": "dialer", "CallerIDNum": "74950000"}
    unknown = {"AccountCode": "", "CallerIDNum": "<unknown>", "ConnectedLineName": "<unknown>"}
    shows("Newchannel Down", **{**ours, **unknown}, Context="from-carrier", Exten="s", Priority="1", ChannelState="0")
    assert re.fullmatch(r"PJSIP/carrier-[0-9a-f]{8}", events["Newchannel Down"].get("Channel"))
    shows("Newstate Ringing", **ours, CallerIDName="Dialer", Context="from-carrier", ChannelState="5")
    shows("Newstate Up", **ours, Context="from-carrier", Exten="s", Priority="1", ChannelState="6")
    response = {"Context": "progressive", "Exten": "84951234567", "Uniqueid": call, "CallerIDName": "Dialer"}
    shows("OriginateResponse", **response, Channel=events["Newchannel Down"].get("Channel"))
    assert events["OriginateResponse"].get("ActionID").startswith(f"o-{call}-")
    # Whatever extension was asked for, the queue is called in `s`.
    shows("QueueCallerJoin Up", **ours, Context="progressive", Exten="s", Priority="2", Queue="sales", Count="1")
    connected = events["AgentConnect Up"]
    interface = connected.get("Interface")
    assert re.fullmatch(rf"{interface}-[0-9a-f]{{8}}", connected.get("DestChannel"))
    assert re.fullmatch(r"\d{10}\.\d+", connected.get("DestUniqueid"))
    leg = {
        "DestLinkedid": call,
        "DestAccountCode": "dialer",
        "DestContext": "from-agent",
        "DestCallerIDNum": "74950000",
    }
    shows("AgentConnect Up", **ours, **leg, MemberName=f"Agent {interface[-1]}", Queue="sales")
    if completed := next((event for name, event in events.items() if name.startswith("AgentComplete")), None):
        whole = {**ours, **leg, "Reason": "agent"}
        told = {key: completed.get(key, whole[key]) for key in whole}  # a leg that has gone by then is left out
        assert told == whole
        assert int(completed.get("TalkTime")) in (1, 2, 3)  # of 1.5 s, in whole seconds, on a busy machine
    else:
        assert switch.kind == "real"
    assert phone.of(call)[-1].name in ("Hangup", "QueueMemberStatus", "AgentComplete")
    ended = next(e for e in phone.of(call) if e.name == "Hangup" and e.get("Uniqueid") == call)
    assert {key: ended.get(key) for key in ("Context", "Exten", "Priority", "Cause", "Cause-txt")} == {
        "Context": "progressive", "Exten": "s", "Priority": "2", "Cause": "16", "Cause-txt": "Normal Clearing",
    }  # fmt: skip


def test_a_failed_calls_response_names_the_dial_string_and_its_uniqueid(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    for number, dial in (("2200061", "PJSIP/{}@carrier"), ("2200062", "PJSIP/{}@nosuch")):
        call = phone.call(number, dial=dial)
        phone.wait_until_over(call)
        response = next(event for event in phone.of(call) if event.name == "OriginateResponse")
        assert (response.get("Channel"), response.get("Uniqueid")) == (dial.format(number), call)


def test_the_message_heard_to_its_end_carries_the_attempt(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3000063", context="autoinforming")
    phone.wait_until_over(call)
    played = next(event for event in phone.of(call) if event.name == "UserEvent")
    assert (played.get("UserEvent"), played.get("Attempt"), played.get("Uniqueid")) == ("DialerPlayed", "77", call)
    ended = phone.of(call)[-1]
    where = [(event.get("Context"), event.get("Exten"), event.get("Priority")) for event in (played, ended)]
    assert where == [("autoinforming", "s", "6"), ("autoinforming", "s", "7")]


def test_callers_in_a_queue_are_counted_from_the_head(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    calls = []
    for n in range(3):
        calls.append(phone.call(f"300007{n}"))
        phone.wait_for(calls[-1], "QueueCallerJoin")
    phone.client.ask([("Action", "Hangup"), ("Channel", calls[1])])
    phone.wait_until_over(calls[1])
    phone.client.ask([("Action", "Hangup"), ("Channel", calls[2])])
    phone.wait_until_over(calls[2])
    phone.client.ask([("Action", "Hangup"), ("Channel", calls[0])])
    phone.wait_until_over(calls[0])

    def told(call: str, name: str) -> tuple[str, str, str]:
        event = next(event for event in phone.of(call) if event.name == name)
        return event.get("Position"), event.get("OriginalPosition"), event.get("Count")

    assert [told(call, "QueueCallerJoin") for call in calls] == [("1", "", "1"), ("2", "", "2"), ("3", "", "3")]
    assert [told(call, "QueueCallerAbandon") for call in calls] == [("1", "1", ""), ("2", "2", ""), ("2", "3", "")]
    assert [told(call, "QueueCallerLeave") for call in calls] == [("1", "", "0"), ("2", "", "2"), ("2", "", "1")]
