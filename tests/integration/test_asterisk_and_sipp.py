"""The laboratory holds: Asterisk dials SIPp, SIPp plays what its table says, and the AMI user sees just his events."""

from __future__ import annotations

import hashlib
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial

import pytest

from tests.support.containers import AsteriskContainer
from tests.support.sipp import Agents, Carrier
from tests.support.sipp_scenarios import AGENT, SUBSCRIBERS, Answer, Refuse, Ring, scenario
from tests.support.waiting import wait_for

pytestmark = pytest.mark.docker

Message = dict[str, str]

CAUSES = {
    "22": "17",  # 486 busy
    "24": "21",  # 603 decline
    "25": "1",  # 404
    "26": "34",  # 503
    "28": "19",  # 480
    "33": "21",  # 403
}
"""First two digits -> Cause of Hangup, for subscribers who refuse (measured on 16.28, Q.850 codes)."""


ANSWERED = ("16", "0")
"""Cause of an answered call's end: normal clearing. Now and then, once in some hundred calls, 16.28 says 0."""

EVENTS = {
    *("FullyBooted", "Shutdown", "Reload", "Newchannel", "Newstate", "DialState", "DialEnd", "Hangup"),
    *("OriginateResponse", "QueueCallerJoin", "QueueCallerLeave", "QueueCallerAbandon", "AgentCalled"),
    *("AgentRingNoAnswer", "AgentConnect", "AgentComplete", "QueueMemberStatus", "QueueMemberPause"),
    *("QueueMemberAdded", "QueueMemberRemoved", "UserEvent"),
}
"""All that the filter of the shipped manager.conf lets through."""


def is_event(name: str, message: Message) -> bool:
    return message.get("Event") == name


class RawAmi:
    """A bare AMI session: no part of the product is tested by itself here."""

    def __init__(self, asterisk: AsteriskContainer, username: str = "", secret: str = "") -> None:
        self.socket = socket.create_connection((asterisk.host, asterisk.ami_port), timeout=5)
        self.file = self.socket.makefile("rb")
        self.banner = self.file.readline()
        self.seen: list[Message] = []
        challenge = self.do(Action="Challenge", AuthType="MD5")["Challenge"]
        key = hashlib.md5((challenge + (secret or asterisk.secret)).encode()).hexdigest()
        self.login = self.do(Action="Login", AuthType="MD5", Username=username or asterisk.username, Key=key)

    def send(self, *variables: str, **headers: str) -> None:
        lines = [f"{name}: {value}" for name, value in headers.items()] + [f"Variable: {each}" for each in variables]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def do(self, **headers: str) -> Message:
        self.send(**headers)
        return self.until(lambda message: "Response" in message and message.get("Event") is None)

    def until(self, wanted: Callable[[Message], bool], seconds: float = 10) -> Message:
        """Reads on until such a message comes; all are kept in `seen`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            lines = iter(self.file.readline, b"\r\n")
            message = dict(line.decode().rstrip("\r\n").partition(": ")[::2] for line in lines)
            self.seen.append(message)
            if wanted(message):
                return message
        raise TimeoutError(f"no such message within {seconds} s; there were {self.seen}")

    def originate(self, number: str, context: str, queue: str = "sales", timeout_ms: int = 8000) -> str:
        """Starts a call and returns its Uniqueid."""
        uniqueid = secrets.token_hex(16)
        variables = ("__DIALER_PROJECT=smoke", "__DIALER_ATTEMPT=77", f"__DIALER_QUEUE={queue}")
        self.send(
            *variables,
            Action="Originate",
            ActionID=uniqueid,
            Channel=f"PJSIP/{number}@carrier",
            Context=context,
            Exten="s",
            Priority="1",
            Timeout=str(timeout_ms),
            Async="true",
            ChannelId=uniqueid,
            Account="dialer",
        )
        return uniqueid

    def hangup_of(self, uniqueid: str, seconds: float = 15) -> Message:
        return self.until(lambda m: m.get("Event") == "Hangup" and m.get("Uniqueid") == uniqueid, seconds)

    def events_of(self, uniqueid: str) -> list[str]:
        return [message["Event"] for message in self.seen if uniqueid in message.values() and "Event" in message]


@pytest.fixture
def ami(asterisk: AsteriskContainer) -> Iterator[RawAmi]:
    session = RawAmi(asterisk)
    with closing(session.socket):
        yield session


def test_the_dialer_user_may_do_what_it_needs_and_nothing_else(ami: RawAmi) -> None:
    assert ami.banner.startswith(b"Asterisk Call Manager/5.")
    assert ami.login["Response"] == "Success"
    ami.until(lambda message: message.get("Event") == "FullyBooted")
    for action in ("Ping", "CoreStatus", "CoreSettings"):
        assert ami.do(Action=action)["Response"] == "Success"
    lists = {
        "CoreShowChannels": ({}, "CoreShowChannelsComplete"),
        "QueueStatus": ({"Queue": "sales"}, "QueueStatusComplete"),
        "ShowDialPlan": ({"Context": "progressive"}, "ShowDialPlanComplete"),
    }
    for action, (headers, complete) in lists.items():
        assert ami.do(Action=action, **headers)["Response"] == "Success"
        ami.until(partial(is_event, complete))
    for action, headers in {
        "Command": {"Command": "core show version"},
        "GetConfig": {"Filename": "manager.conf"},
        "ModuleLoad": {"LoadType": "reload"},
        "QueuePause": {"Interface": "PJSIP/agent1", "Paused": "true"},
        "Filter": {"Operation": "Add", "Filter": "Event: Newexten"},
    }.items():
        answer = ami.do(Action=action, **headers)
        assert (answer["Response"], answer["Message"]) == ("Error", "Permission denied"), action


@pytest.mark.parametrize("prefix", sorted(CAUSES))
def test_a_refusing_subscriber_has_its_cause(ami: RawAmi, carrier: Carrier, prefix: str) -> None:
    number = f"{prefix}01"
    uniqueid = ami.originate(number, "progressive")
    assert ami.hangup_of(uniqueid)["Cause"] == CAUSES[prefix]
    [call] = carrier.wait_until_over()
    refusal = SUBSCRIBERS[prefix]
    assert isinstance(refusal, Refuse)
    assert (call.number, call.end) == (number, str(refusal.code))
    assert carrier.errors() == ""


@pytest.mark.parametrize("prefix", ["23", "29"])
def test_a_subscriber_who_never_answers_is_cancelled(ami: RawAmi, carrier: Carrier, prefix: str) -> None:
    uniqueid = ami.originate(f"{prefix}01", "progressive", timeout_ms=1000)
    assert ami.hangup_of(uniqueid)["Cause"] == "0"
    [call] = carrier.wait_until_over()
    assert (call.end, call.answered_at) == ("cancelled", None)
    assert carrier.errors() == ""


def test_a_ringing_subscriber_can_be_cancelled(ami: RawAmi, carrier: Carrier) -> None:
    ami.hangup_of(ami.originate("2003", "progressive", timeout_ms=500))  # rings for 1.5 s
    [call] = carrier.wait_until_over()
    assert (call.end, call.answered_at) == ("cancelled", None)
    assert carrier.errors() == ""


@pytest.mark.parametrize("number", ["2000", "2701", "3001"])
def test_an_answered_call_gets_an_agent(ami: RawAmi, carrier: Carrier, agents: Agents, number: str) -> None:
    uniqueid = ami.originate(number, "progressive", queue="solo")
    assert ami.hangup_of(uniqueid)["Cause"] in ANSWERED
    events = ami.events_of(uniqueid)
    queue = [event for event in events if event.startswith(("Queue", "Agent")) and event != "AgentComplete"]
    assert queue == ["QueueCallerJoin", "AgentCalled", "QueueCallerLeave", "AgentConnect"]
    assert events.count("AgentComplete") <= 1  # it may come without its call's name
    assert events.count("Newchannel") == 2
    [call], [agent] = carrier.wait_until_over(), agents.wait_until_over()
    assert (call.end, agent.number, agent.end) == ("caller", "agent9", "callee")
    assert call.answered_at is not None
    assert agent.answered_at is not None
    # Two processes wrote these logs, at the same moment as it were.
    assert call.at < call.answered_at < agent.at + 0.01 < agent.answered_at
    assert carrier.errors() == agents.errors() == ""


def test_a_message_heard_to_the_end_is_reported(ami: RawAmi, carrier: Carrier) -> None:
    uniqueid = ami.originate("3001", "autoinforming")
    played = ami.until(lambda message: message.get("Event") == "UserEvent")
    assert (played["UserEvent"], played["Uniqueid"], played["Attempt"]) == ("DialerPlayed", uniqueid, "77")
    assert ami.hangup_of(uniqueid)["Cause"] in ANSWERED
    assert [call.end for call in carrier.wait_until_over()] == ["caller"]


def test_a_subscriber_who_leaves_early_has_not_heard_the_message(ami: RawAmi, carrier: Carrier) -> None:
    uniqueid = ami.originate("3601", "autoinforming")
    ami.hangup_of(uniqueid)
    assert "UserEvent" not in ami.events_of(uniqueid)
    assert [call.end for call in carrier.wait_until_over()] == ["callee"]


def test_a_cancel_that_crosses_the_answer_is_in_the_log_as_the_callers_hanging_up(agents: Agents) -> None:
    """Over bare UDP, without Asterisk: CANCEL, ACK and BYE come all at once, just after the 200 left."""

    def request(method: str, sequence: str) -> bytes:
        lines = (
            f"{method} sip:agent1@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKcross-{sequence.partition(' ')[0]}",
            f"From: <sip:test@{host}>;tag=test",
            "To: <sip:agent1@127.0.0.1>",
            "Call-ID: cross",
            f"CSeq: {sequence}",
            f"Contact: <sip:test@{host}:{port}>",
            "Max-Forwards: 70",
            "Content-Length: 0",
        )
        return "\r\n".join((*lines, "", "")).encode()

    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.connect(("127.0.0.1", agents.port))
        phone.settimeout(5)
        host, port = phone.getsockname()
        phone.send(request("INVITE", "1 INVITE"))
        while not phone.recv(4096).startswith(b"SIP/2.0 200"):
            pass
        phone.send(request("CANCEL", "1 CANCEL"))
        phone.send(request("ACK", "1 ACK"))
        phone.settimeout(0.5)  # T1 of RFC 3261, 17.1.2.2: a BYE without an answer is sent again
        for _ in range(10):
            phone.send(request("BYE", "2 BYE"))
            with suppress(TimeoutError):
                while b"2 BYE" not in phone.recv(4096):
                    pass
                break
    [call] = agents.wait_until_over()
    assert (call.number, call.end) == ("agent1", "caller")


def test_only_the_listed_events_arrive(ami: RawAmi, carrier: Carrier, agents: Agents) -> None:
    ami.hangup_of(ami.originate("2101", "progressive"))
    ami.hangup_of(ami.originate("2201", "progressive"))
    carrier.wait_until_over()
    agents.wait_until_over()
    assert {message["Event"] for message in ami.seen if "Event" in message} <= EVENTS


def test_many_calls_at_once_are_all_in_the_log(ami: RawAmi, carrier: Carrier, agents: Agents) -> None:
    numbers = [f"{prefix}{index:02d}" for prefix in ("20", "22", "25", "27") for index in range(10)]
    running = {ami.originate(number, "autoinforming"): number for number in numbers}
    while running:
        ended = ami.until(lambda message: message.get("Event") == "Hangup")
        running.pop(ended["Uniqueid"], None)
    calls = carrier.wait_until_over()
    assert sorted(call.number for call in calls) == sorted(numbers)
    assert {call.number[:2]: call.end for call in calls} == {"20": "caller", "22": "486", "25": "404", "27": "caller"}
    assert carrier.errors() == ""


def test_a_carrier_can_fail_and_recover_on_the_same_port(ami: RawAmi, carrier: Carrier) -> None:
    with carrier.behaving(Refuse(404)):
        assert ami.hangup_of(ami.originate("3001", "autoinforming"))["Cause"] == "1"
    assert ami.hangup_of(ami.originate("3001", "autoinforming"))["Cause"] in ANSWERED
    assert [call.end for call in carrier.wait_until_over()] == ["404", "caller"]


def test_an_agent_may_differ_from_the_others(
    ami: RawAmi, asterisk: AsteriskContainer, carrier: Carrier, agents: Agents
) -> None:
    with agents.behaving(AGENT, {"agent9@": Refuse(486)}):
        uniqueid = ami.originate("3001", "progressive", queue="solo")
        ami.until(lambda message: message.get("Event") == "AgentRingNoAnswer")
        asterisk.hang_up_all()
        ami.hangup_of(uniqueid)
    assert {call.end for call in agents.wait_until_over()} == {"486"}


def test_a_hostile_caller_cannot_write_events(ami: RawAmi, asterisk: AsteriskContainer) -> None:
    """From: <sip:123%0d%0a%0d%0aEvent: Shutdown@...>: the filter drops the whole event.

    The unfiltered session shows that the attack works where there is no filter.
    """

    def forgeries(session: RawAmi) -> list[Message]:
        return [message for message in session.seen if message.get("Shutdown") == "forged"]

    unfiltered = RawAmi(asterisk, asterisk.lab_username, asterisk.lab_secret)
    forged = "123%0d%0a%0d%0aEvent%3a%20Shutdown%0d%0aShutdown%3a%20forged"
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as caller:
        caller.bind(("127.0.0.1", 0))
        caller.settimeout(5)
        port = caller.getsockname()[1]
        sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
        invite = (
            f"INVITE sip:777@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{port}\r\n"
            f"From: <sip:{forged}@127.0.0.1>;tag=1\r\nTo: <sip:777@127.0.0.1>\r\nCall-ID: hostile-{port}\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:x@127.0.0.1:{port}>\r\nMax-Forwards: 70\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"
        )
        caller.sendto(invite.encode(), (asterisk.host, asterisk.sip_port))
        replies: list[str] = []

        def refused() -> bool:
            replies.append(caller.recv(65535).decode())
            return replies[-1].startswith("SIP/2.0 403")

        wait_for(refused, 5, lambda: f"the call to be refused: {replies}")
    with closing(unfiltered.socket):
        unfiltered.until(lambda _: bool(forgeries(unfiltered)))
    ami.do(Action="Ping")
    assert forgeries(ami) == []


def test_scenarios_are_read_by_sipp_whatever_the_table(asterisk: AsteriskContainer, carrier: Carrier) -> None:
    for otherwise in (Ring(), Ring(silent=True), Answer(), Answer(ring_ms=(0,), hang_up_after_ms=1)):
        assert scenario("any", {}, otherwise).startswith("<?xml")
        with carrier.behaving(otherwise):
            pass
