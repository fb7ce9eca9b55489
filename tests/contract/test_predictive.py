"""The context `predictive` and where it leads: agent, safe-harbour message, answering machine.

Variables as the dialer's Originate carries them; those that a test does not name are empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from tests.contract.switches import Phone, Switch, cleared, in_order, owed
from tests.contract.test_fields import FIELDS
from tests.contract.test_paths import AGENT_RANG, ANSWERED, CONNECTED, GAVE_UP, JOINED, RANG, TO_AGENT, TO_QUEUE
from worker.ami.message import Message

Connect = Callable[..., Phone]

UP = ("Newchannel", *ANSWERED)
TALKED = (JOINED, *AGENT_RANG, *CONNECTED, "AgentComplete agent", "agent Hangup 16")
LET_GO = (JOINED, *GAVE_UP, "DialerPlayed")
MISSED = (*AGENT_RANG, "AgentRingNoAnswer", "agent DialEnd NOANSWER", "agent DialEnd CANCEL", "agent Hangup 0")

BRIEFLY = {"PATIENCE": "1"}
AMD = {"PATIENCE": "1", "AMD": "1", "MACHINE": "hangup"}
LEAVE_MESSAGE = {**AMD, "MACHINE": "message"}


@dataclass(frozen=True)
class Path:
    """One way to go. `events`: all of them, but for the last one, Hangup 16; `chain`: an order that always holds."""

    number: str
    events: tuple[str, ...]
    chain: tuple[str, ...]
    queue: str = "empty"
    variables: Mapping[str, str] = field(default_factory=lambda: BRIEFLY)


PATHS = {
    "an agent takes the call": Path("2000090", (*RANG, *ANSWERED, *TALKED), (*TO_QUEUE, *TO_AGENT[1:]), "sales"),
    "nobody comes": Path("3000090", (*UP, *LET_GO), ("DialEnd ANSWER", *LET_GO)),
    "the agent who is rung does not come": Path(
        "3000091",
        (*UP, JOINED, *MISSED, *GAVE_UP, "DialerPlayed"),
        (JOINED, "AgentCalled", "AgentRingNoAnswer", "agent DialEnd CANCEL", *GAVE_UP, "DialerPlayed"),
        "lazy",
    ),
    "leaves within the patience": Path(
        "3600090", (*UP, JOINED, *GAVE_UP), ("DialEnd ANSWER", JOINED, *GAVE_UP), variables={"PATIENCE": "2"}
    ),
    "leaves during the message": Path("2100090", (*RANG, *ANSWERED, JOINED, *GAVE_UP), (*TO_QUEUE, *GAVE_UP)),
    "the queue does not exist": Path("3000092", (*UP, "DialerPlayed"), ("DialEnd ANSWER", "DialerPlayed"), "nosuch"),
    "a person, and an agent": Path(
        "4000090", (*UP, "DialerAmd HUMAN", *TALKED), ("DialEnd ANSWER", "DialerAmd HUMAN", *TO_AGENT), "sales", AMD
    ),
    "a person, and nobody": Path(
        "4000091", (*UP, "DialerAmd HUMAN", *LET_GO), ("DialEnd ANSWER", "DialerAmd HUMAN", *LET_GO), variables=AMD
    ),
    "a person who leaves the queue": Path(
        "4300090",
        (*UP, "DialerAmd HUMAN", JOINED, *GAVE_UP),
        ("DialEnd ANSWER", "DialerAmd HUMAN", JOINED, *GAVE_UP),
        variables={**AMD, "PATIENCE": "9"},
    ),
    "a machine": Path("4100090", (*UP, "DialerAmd MACHINE"), ("DialEnd ANSWER", "DialerAmd MACHINE"), "sales", AMD),
    "a machine gets the message": Path(
        "4100091",
        (*UP, "DialerAmd MACHINE", "DialerPlayed"),
        ("DialEnd ANSWER", "DialerAmd MACHINE", "DialerPlayed"),
        "sales",
        LEAVE_MESSAGE,
    ),
    "a silent line": Path("4200090", (*UP, "DialerAmd MACHINE"), ("DialEnd ANSWER", "DialerAmd MACHINE"), "sales", AMD),
    "no voice at all": Path(
        "3000093", (*UP, "DialerAmd NOTSURE", *TALKED), ("DialEnd ANSWER", "DialerAmd NOTSURE", *TO_AGENT), "sales", AMD
    ),
    "hangs up while it is listened to": Path(
        "3600091", (*UP, "DialerAmd HANGUP"), ("DialEnd ANSWER", "DialerAmd HANGUP"), "sales", AMD
    ),
}


_stories: dict[str, dict[str, list[str]]] = {}


def stories(switch: Switch, connect: Connect) -> dict[str, list[str]]:
    """What each path's call shows. They are made at once, for each lasts seconds, and once for each switch."""
    if switch.kind not in _stories:
        phone = connect(switch)
        calls = {
            name: phone.call(path.number, context="predictive", queue=path.queue, variables=path.variables)
            for name, path in PATHS.items()
        }
        _stories[switch.kind] = {name: cleared(phone.wait_until_over(call)) for name, call in calls.items()}
    return _stories[switch.kind]


@pytest.mark.parametrize("name", PATHS)
def test_an_answered_call_shows_exactly_these_events(switch: Switch, connect: Connect, name: str) -> None:
    path = PATHS[name]
    story = stories(switch, connect)[name]
    assert Counter(story) == Counter(owed(switch, story, *path.events, "Hangup 16"))
    in_order(story, *owed(switch, story, *path.chain, "Hangup 16"))
    in_order(story, "Newchannel", "OriginateResponse Success 4")


def named(phone: Phone, call: str, name: str) -> Message:
    """The call's own event of that name."""
    return next(event for event in phone.of(call) if event.name == name and event.get("Uniqueid") == call)


def where(event: Message) -> tuple[str, str, str]:
    return event.get("Context"), event.get("Exten"), event.get("Priority")


def seconds(earlier: Message, later: Message) -> float:
    return float(later.get("Timestamp")) - float(earlier.get("Timestamp"))


def test_the_patience_is_that_of_the_call_and_then_the_message_is_played(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3000094", context="predictive", exten="84951234567", variables={"PATIENCE": "2"})
    phone.wait_until_over(call)
    joined, left, played, ended = (
        named(phone, call, name) for name in ("QueueCallerJoin", "QueueCallerAbandon", "UserEvent", "Hangup")
    )
    assert [where(event) for event in (joined, left, played, ended)] == [
        ("predictive", "s", "6"), ("predictive", "s", "6"), ("safe-harbour", "s", "6"), ("safe-harbour", "s", "7"),
    ]  # fmt: skip
    assert 2.0 <= seconds(joined, left) < 3.0
    assert left.get("HoldTime") == "2"
    assert (played.get("UserEvent"), played.get("Attempt")) == ("DialerPlayed", "77")


def test_without_a_patience_the_caller_stays_in_the_queue(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3000095", context="predictive", variables={"PATIENCE": ""})
    phone.wait_for(call, JOINED)
    (channel,) = [
        item for item in phone.client.ask_list([("Action", "CoreShowChannels")]) if item.get("Uniqueid") == call
    ]
    assert (channel.get("Application"), channel.get("ApplicationData")) == ("Queue", "empty,r,,,60")
    phone.client.ask([("Action", "Hangup"), ("Channel", call)])
    story = phone.wait_until_over(call)
    assert "DialerPlayed" not in story
    assert where(named(phone, call, "Hangup")) == ("predictive", "h", "4")


def test_the_verdict_carries_the_attempt_and_the_cause(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    verdicts = {
        "4000096": ("HUMAN", "HUMAN-600-600", "s", "4"),
        "4100096": ("MACHINE", "LONGGREETING-1500-1500", "s", "4"),
        "4200096": ("MACHINE", "INITIALSILENCE-2500-2500", "s", "4"),
        "3600096": ("HANGUP", "", "h", "2"),
    }
    calls = {number: phone.call(number, context="predictive", variables=AMD) for number in verdicts}
    for number, (status, cause, exten, priority) in verdicts.items():
        call = calls[number]
        phone.wait_until_over(call)
        told = named(phone, call, "UserEvent")
        assert [key for key, _ in told.fields()][3:] == [*FIELDS["UserEvent"], "Status", "Cause"]
        assert (told.get("UserEvent"), told.get("Attempt"), told.get("Uniqueid")) == ("DialerAmd", "77", call)
        assert (told.get("Status"), told.get("Cause")) == (status, cause)
        assert where(told) == ("predictive", exten, priority)
        assert told.get("Privilege") == "user,all"


def test_a_verdict_takes_its_time(switch: Switch, connect: Connect) -> None:
    """Seconds from the answer, as amd.conf has them: the greeting and 0.6 s, 1.5 s of voice, and 4 s at most.

    A busy machine adds some tenths, for the voice comes from SIPp.
    """
    phone = connect(switch)
    bounds = {"4000097": (1.1, 2.0), "4100097": (1.6, 2.6), "4200097": (2.4, 3.4), "3000097": (3.9, 4.9)}
    calls = {number: phone.call(number, context="predictive", variables=AMD) for number in bounds}
    for number, (least, most) in bounds.items():
        call = calls[number]
        phone.wait_until_over(call)
        up = next(e for e in phone.of(call) if e.name == "Newstate" and e.get("ChannelStateDesc") == "Up")
        assert least <= seconds(up, named(phone, call, "UserEvent")) <= most, number


def test_a_machine_that_is_hung_up_on_never_saw_the_queue(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("4100098", context="predictive", queue="sales", variables=AMD)
    phone.wait_until_over(call)
    assert where(named(phone, call, "Hangup")) == ("machine", "s", "6")
    left = phone.call("4100099", context="predictive", queue="sales", variables=LEAVE_MESSAGE)
    phone.wait_until_over(left)
    played = [event for event in phone.of(left) if event.get("UserEvent") == "DialerPlayed"]
    assert [where(event) for event in (*played, named(phone, left, "Hangup"))] == [
        ("machine", "s", "5"), ("machine", "s", "6"),
    ]  # fmt: skip


def test_the_dialer_hanging_up_on_amd_is_a_hangup_too(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("3000098", context="predictive", variables=AMD)
    phone.wait_for(call, *ANSWERED)
    phone.client.ask([("Action", "Hangup"), ("Channel", call)])
    in_order(phone.wait_until_over(call), "DialerAmd HANGUP", "Hangup 0")


def test_show_dialplan_lists_the_predictive_contexts(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)

    def steps(context: str) -> list[tuple[str, str, str, str]]:
        found = phone.client.ask_list([("Action", "ShowDialPlan"), ("Context", context)])
        keys = ("Extension", "Priority", "Application", "AppData")
        return [tuple(item.get(key) for key in keys) for item in found]  # type: ignore[misc]

    verdict = "DialerAmd,Attempt: ${DIALER_ATTEMPT},Status: ${AMDSTATUS},Cause: ${AMDCAUSE}"
    longest = '${IF($["${DIALER_PATIENCE}" = ""]?60:${DIALER_PATIENCE})}'
    played = "DialerPlayed,Attempt: ${DIALER_ATTEMPT}"
    found = steps("predictive")
    assert ("s", "3", "AMD", "") in found
    assert ("s", "4", "UserEvent", verdict) in found
    assert ("s", "6", "Queue", "${DIALER_QUEUE},r,,," + longest) in found
    assert ("s", "7", "Goto", "safe-harbour,s,1") in found
    assert ("h", "2", "UserEvent", verdict) in found
    assert [(extension, priority) for extension, priority, *_ in found] == [
        *((extension, str(n)) for extension, count in (("h", 3), ("s", 7), ("_X.", 1)) for n in range(1, count + 1)),
    ]
    assert steps("safe-harbour")[5] == ("s", "6", "UserEvent", played)
    assert steps("safe-harbour")[-1] == ("s", "10", "Goto", "message-keys,s,1")
    assert [step[2] for step in steps("machine")] == [
        "GotoIf", "WaitForSilence", "Playback", "GotoIf", "UserEvent", "Hangup",
    ]  # fmt: skip
