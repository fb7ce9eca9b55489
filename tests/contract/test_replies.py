"""What is answered to each action: texts of refusals, shapes of lists."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.contract.switches import QUEUES, Phone, Switch
from tests.support.waiting import wait_for
from worker.ami.errors import AmiRefused
from worker.ami.message import Message

Connect = Callable[..., Phone]

ORIGINATE = {
    "Channel": "PJSIP/2200000@carrier",
    "Context": "progressive",
    "Exten": "s",
    "Priority": "1",
    "Timeout": "2000",
    "Async": "true",
}


def ask(phone: Phone, action: str, **fields: str) -> Message:
    return phone.client.ask([("Action", action), *fields.items()])


def refusal(phone: Phone, action: str, **fields: str) -> str:
    with pytest.raises(AmiRefused) as refused:
        ask(phone, action, **fields)
    return refused.value.text


def items(phone: Phone, action: str, **fields: str) -> list[Message]:
    return phone.client.ask_list([("Action", action), *fields.items()])


def keys(message: Message) -> list[str]:
    return [key for key, _ in message.fields()]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"Context": "nosuch"}, "Extension does not exist."),
        ({"Exten": "nosuch"}, "Extension does not exist."),
        ({"Channel": ""}, "Channel not specified"),
        ({"Channel": "nochannel"}, "Invalid channel"),
        ({"Priority": "first"}, "Invalid priority"),
        ({"Timeout": "soon"}, "Invalid timeout"),
        ({"ChannelId": "x" * 150}, "Uniqueid length exceeds maximum of 149\n"),
    ],
)
def test_a_wrong_originate_is_refused_at_once(
    switch: Switch, connect: Connect, wrong: dict[str, str], text: str
) -> None:
    phone = connect(switch)
    assert refusal(phone, "Originate", **{**ORIGINATE, **wrong}) == text


def test_an_extension_may_be_a_number_that_a_pattern_matches(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("2200001", exten="84951234567")
    phone.wait_until_over(call)
    response = next(event for event in phone.of(call) if event.name == "OriginateResponse")
    assert response.get("Exten") == "84951234567"


def test_the_dialers_user_may_not_do_what_it_does_not_need(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    for action, fields in (
        ("QueueAdd", {"Queue": "empty", "Interface": "PJSIP/agent8"}),
        ("QueueRemove", {"Queue": "sales", "Interface": "PJSIP/agent1"}),
        ("QueuePause", {"Interface": "PJSIP/agent1", "Paused": "true"}),
    ):
        assert refusal(phone, action, **fields) == "Permission denied"


def test_unknown_and_missing_actions_and_channels(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    unknown = "Invalid/unknown command: Foo. Use Action: ListCommands to show available commands."
    assert refusal(phone, "Foo") == unknown
    assert refusal(phone, "") == "Missing action in request"
    assert refusal(phone, "Hangup") == "No channel specified"
    assert refusal(phone, "Hangup", Channel="PJSIP/carrier-ffffffff") == "No such channel"
    assert refusal(phone, "Events") == "Invalid event mask"
    assert refusal(phone, "Challenge") == "Must specify AuthType"


def test_small_replies(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    pong = ask(phone, "Ping")
    assert keys(pong) == ["Response", "ActionID", "Ping", "Timestamp"]
    assert pong.get("Ping") == "Pong"
    assert ask(phone, "Events", EventMask="off").get("Events") == "Off"
    assert ask(phone, "Events", EventMask="call,agent").get("Events") == "On"
    assert ask(phone, "Events", EventMask="nosuch").get("Events") == "Off"
    assert ask(phone, "Events", EventMask="on").get("Events") == "On"
    assert ask(phone, "Login", Username="dialer").get("Message") == "Already authenticated"
    settings = ask(phone, "CoreSettings")
    assert settings.get("AsteriskVersion").startswith("16.28.")
    assert keys(settings)[2:5] == ["AMIversion", "AsteriskVersion", "SystemName"]
    status = ask(phone, "CoreStatus")
    assert keys(status)[2:] == [
        *("CoreStartupDate", "CoreStartupTime", "CoreReloadDate", "CoreReloadTime", "CoreCurrentCalls")
    ]


def test_masked_events_are_not_sent(switch: Switch, connect: Connect) -> None:
    deaf, phone = connect(switch), connect(switch)
    ask(deaf, "Events", EventMask="agent")
    call = phone.call("2200002")
    phone.wait_until_over(call)
    ask(deaf, "Ping")
    assert deaf.of(call) == []


def test_another_session_hears_the_call_too(switch: Switch, connect: Connect) -> None:
    phone, other = connect(switch), connect(switch)
    call = phone.call("2200003")
    assert sorted(other.wait_until_over(call)) == sorted(phone.wait_until_over(call))


MEMBER = [
    *("Event", "Queue", "Name", "Location", "StateInterface", "Membership", "Penalty", "CallsTaken", "LastCall"),
    *("LastPause", "LoginTime", "InCall", "Status", "Paused", "PausedReason", "Wrapuptime", "ActionID"),
]


def test_queue_status_lists_queues_and_members(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    listed = items(phone, "QueueStatus")
    assert {item.get("Queue") for item in listed if item.name == "QueueParams"} == set(QUEUES)
    members = [item for item in listed if item.name == "QueueMember"]
    for queue, span in QUEUES.items():
        wanted = [f"PJSIP/agent{n}" for n in range(span[0], span[1] + 1)] if span else []
        assert [item.get("Location") for item in members if item.get("Queue") == queue] == wanted
    assert all(keys(item) == MEMBER for item in members)
    first = members[0]
    assert (first.get("Membership"), first.get("Paused"), first.get("InCall")) == ("static", "0", "0")
    params = next(item for item in listed if item.name == "QueueParams")
    assert keys(params) == [
        *("Event", "Queue", "Max", "Strategy", "Calls", "Holdtime", "TalkTime", "Completed", "Abandoned"),
        *("ServiceLevel", "ServicelevelPerf", "ServicelevelPerf2", "Weight", "ActionID"),
    ]
    assert params.get("Strategy") == "rrmemory"


def test_an_unknown_queue_is_an_empty_list_not_an_error(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    assert items(phone, "QueueStatus", Queue="nosuch") == []
    assert items(phone, "QueueSummary", Queue="nosuch") == []
    assert {item.get("Queue") for item in items(phone, "QueueStatus", Queue="solo")} == {"solo"}


def test_queue_status_and_summary_show_a_waiting_caller(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3000040")
    phone.wait_for(call, "QueueCallerJoin")
    entry = next(item for item in items(phone, "QueueStatus", Queue="empty") if item.name == "QueueEntry")
    assert keys(entry) == [
        *("Event", "Queue", "Position", "Channel", "Uniqueid", "CallerIDNum", "CallerIDName", "ConnectedLineNum"),
        *("ConnectedLineName", "Wait", "Priority", "ActionID"),
    ]
    assert (entry.get("Uniqueid"), entry.get("Position"), entry.get("Priority")) == (call, "1", "0")
    (summary,) = items(phone, "QueueSummary", Queue="empty")
    assert keys(summary) == [
        *("Event", "Queue", "LoggedIn", "Available", "Callers", "HoldTime", "TalkTime", "LongestHoldTime", "ActionID")
    ]
    assert (summary.get("LoggedIn"), summary.get("Available"), summary.get("Callers")) == ("0", "0", "1")
    ask(phone, "Hangup", Channel=call)
    phone.wait_until_over(call)


CHANNEL = [
    *("Event", "ActionID", "Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName"),
    *("ConnectedLineNum", "ConnectedLineName", "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid"),
    *("Linkedid", "Application", "ApplicationData", "Duration", "BridgeId"),
]


def test_core_show_channels_shows_each_leg_with_its_application(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)

    def listed() -> dict[str, Message]:
        return {item.get("Uniqueid"): item for item in items(phone, "CoreShowChannels")}

    assert listed() == {}
    ringing = phone.call("2300041", timeout_ms=20_000)
    talking = phone.call("3000042", queue="solo")
    waiting = phone.call("3000043", queue="empty")
    phone.wait_for(ringing, "DialState RINGING")
    phone.wait_for(talking, "AgentConnect")
    phone.wait_for(waiting, "QueueCallerJoin")
    # AgentConnect is said before the caller, too, is in the bridge.
    wait_for(lambda: listed()[talking].get("BridgeId"), 5, "the caller in the bridge")
    by_id = listed()
    assert all(keys(item) == CHANNEL for item in by_id.values())
    assert by_id[ringing].get("ChannelStateDesc") == "Ringing"
    shown = [by_id[ringing].get(key) for key in ("Application", "ApplicationData", "Context", "BridgeId")]
    assert shown == ["AppDial2", "(Outgoing Line)", "from-carrier", ""]
    for call, queue in ((talking, "solo"), (waiting, "empty")):
        item = by_id[call]
        assert (item.get("Application"), item.get("ApplicationData")) == ("Queue", f"{queue},r,,,60")
        assert (item.get("Context"), item.get("Exten"), item.get("Priority")) == ("progressive", "s", "2")
    (leg,) = [item for item in by_id.values() if item.get("Linkedid") == talking and item.get("Uniqueid") != talking]
    assert (leg.get("Application"), leg.get("ApplicationData")) == ("AppQueue", "(Outgoing Line)")
    assert leg.get("BridgeId") == by_id[talking].get("BridgeId") != ""
    assert by_id[waiting].get("BridgeId") == ""
    for call in (ringing, talking, waiting):
        ask(phone, "Hangup", Channel=call)
        phone.wait_until_over(call)
    assert listed() == {}


def test_show_dialplan_finds_contexts_and_extensions(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)

    def steps(**fields: str) -> list[tuple[str, str, str]]:
        found = items(phone, "ShowDialPlan", **fields)
        return [(item.get("Extension"), item.get("Priority"), item.get("Application")) for item in found]

    queue = [("s", "1", "NoOp"), ("s", "2", "Queue"), ("s", "3", "Hangup")]
    assert steps(Context="progressive", Extension="s") == queue
    assert steps(Context="progressive", Extension="84951234567") == [("_X.", "1", "Goto")]
    assert steps(Context="autoinforming") == [
        *(("s", "1", "NoOp"), ("s", "2", "Set"), ("s", "3", "GotoIf"), ("s", "4", "Playback"), ("s", "5", "GotoIf")),
        *(("s", "6", "UserEvent"), ("s", "7", "Hangup"), ("_X.", "1", "Goto")),
    ]
    assert refusal(phone, "ShowDialPlan", Context="nosuch") == "Did not find context nosuch"
    nowhere = "Did not find extension nosuch@progressive"
    assert refusal(phone, "ShowDialPlan", Context="progressive", Extension="nosuch") == nowhere


STATUS = [
    *("Event", "Privilege", "Timestamp", "Queue", "MemberName", "Interface", "StateInterface", "Membership"),
    *("Penalty", "CallsTaken", "LastCall", "LastPause", "LoginTime", "InCall", "Status", "Paused", "PausedReason"),
    *("Ringinuse", "Wrapuptime"),
]


def test_members_come_pause_and_go(switch: Switch, connect: Connect) -> None:
    phone, lab = connect(switch), connect(switch, lab=True)
    agent = {"Interface": "PJSIP/agent8"}
    added = ask(lab, "QueueAdd", Queue="empty", MemberName="Eight", Penalty="2", Paused="true", **agent)
    assert added.get("Message") == "Added interface to queue"
    assert refusal(lab, "QueueAdd", Queue="empty", **agent) == "Unable to add interface: Already there"
    assert refusal(lab, "QueueAdd", Queue="no", **agent) == "Unable to add interface to queue: No such queue"
    assert refusal(lab, "QueueAdd", **agent) == "'Queue' not specified."
    assert refusal(lab, "QueueAdd", Queue="empty") == "'Interface' not specified."
    assert ask(lab, "QueuePause", Paused="false", **agent).get("Message") == "Interface unpaused successfully"
    paused = ask(lab, "QueuePause", Paused="true", Reason="lunch", Queue="empty", **agent)
    assert paused.get("Message") == "Interface paused successfully"
    assert refusal(lab, "QueuePause", Paused="true", Interface="PJSIP/nosuch") == "Interface not found"
    assert refusal(lab, "QueuePause", **agent) == "Need 'Interface' and 'Paused' parameters."
    removed = ask(lab, "QueueRemove", Queue="empty", **agent)
    assert removed.get("Message") == "Removed interface from queue"
    assert refusal(lab, "QueueRemove", Queue="empty", **agent) == "Unable to remove interface: Not there"
    assert refusal(lab, "QueueRemove", Queue="no", **agent) == "Unable to remove interface from queue: No such queue"
    assert refusal(lab, "QueueRemove", Queue="sales", Interface="PJSIP/agent1") == "Member not dynamic"
    assert refusal(lab, "QueueRemove", **agent) == "Need 'Queue' and 'Interface' parameters."
    wait_for(lambda: len(phone.member_events("PJSIP/agent8")) >= 4, 10, "four events of agent 8")
    events = phone.member_events("PJSIP/agent8")
    assert [event.name.removeprefix("QueueMember") for event in events] == ["Added", "Pause", "Pause", "Removed"]
    assert [event.get("Paused") for event in events] == ["1", "0", "1", "1"]
    assert [keys(event) for event in events] == [STATUS, STATUS, [*STATUS, "Reason"], STATUS]
    assert events[2].get("PausedReason") == events[2].get("Reason") == "lunch"
    assert {event.get("MemberName") for event in events} == {"Eight"}
    assert (events[0].get("Membership"), events[0].get("Penalty")) == ("dynamic", "2")


def exchange(switch: Switch, data: bytes, seconds: float = 5.0) -> bytes:
    """Write bytes to a fresh connection and read until it closes."""
    with socket.create_connection(("127.0.0.1", switch.port), seconds) as link:
        link.sendall(data)
        received = b""
        while part := link.recv(65_536):
            received += part
    return received


@pytest.mark.parametrize("user", ["dialer", "nobody"])
def test_a_bad_login_is_answered_late_and_closed(switch: Switch, user: str) -> None:
    login = f"Action: Login\r\nActionID: 1\r\nUsername: {user}\r\nSecret: wrong\r\n\r\n".encode()
    assert exchange(switch, login + b"Action: Ping\r\n\r\n") == (
        b"Asterisk Call Manager/5.0.4\r\nResponse: Error\r\nActionID: 1\r\nMessage: Authentication failed\r\n\r\n"
    )


def test_before_login_nothing_is_allowed_but_to_leave(switch: Switch) -> None:
    told = exchange(
        switch, b"Action: Ping\r\nActionID: 1\r\n\r\naction: foo\nActionID: 2\n\nAction:Logoff\r\nActionID: 3\r\n\r\n"
    )
    assert told == (
        b"Asterisk Call Manager/5.0.4\r\nResponse: Error\r\nActionID: 1\r\nMessage: Permission denied\r\n\r\n"
        b"Response: Error\r\nActionID: 2\r\nMessage: Permission denied\r\n\r\n"
        b"Response: Goodbye\r\nActionID: 3\r\nMessage: Thanks for all the fish.\r\n\r\n"
    )


def test_lines_too_long_and_too_many_are_refused_for_that_action_alone(switch: Switch) -> None:
    login = f"Action: Login\r\nActionID: 0\r\nUsername: dialer\r\nSecret: {switch.secret}\r\nEvents: off\r\n\r\n"
    long = b"Action: Ping\r\nActionID: 1\r\nVariable: " + b"x" * 1_013 + b"\r\n\r\n"
    many = b"Action: Ping\r\nActionID: 2\r\n" + b"Variable: x\r\n" * 130 + b"\r\n"
    told = exchange(switch, login.encode() + long + many + b"Action: Logoff\r\nActionID: 3\r\n\r\n")
    assert b"ActionID: 1\r\nMessage: Failed to parse message: line too long\r\n\r\n" in told
    assert b"ActionID: 2\r\nMessage: Too many lines in message or allocation failure\r\n\r\n" in told
    assert b"ActionID: 3\r\nMessage: Thanks for all the fish.\r\n\r\n" in told
