"""Keys in messages: what the subscriber presses, who hears of it, and what Asterisk keeps of an opt-out."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from tests.contract.switches import Phone, Switch, cleared, in_order, owed
from tests.contract.test_fields import FIELDS
from tests.contract.test_paths import AGENT_RANG, ANSWERED, CONNECTED, GAVE_UP, JOINED, TO_AGENT
from tests.support.waiting import wait_for
from worker.ami.errors import AmiRefused
from worker.ami.message import Message

Connect = Callable[..., Phone]

UP = ("Newchannel", *ANSWERED)
OFFERED = {"KEY_OPT_OUT": "9", "KEY_AGENT": "2", "KEY_REPEAT": "1"}
BRIEFLY = {**OFFERED, "PATIENCE": "1"}


@dataclass(frozen=True)
class Path:
    """One way to go: all events after the answer, in their order, but for the last one, Hangup 16."""

    number: str
    events: tuple[str, ...]
    context: str = "autoinforming"
    variables: Mapping[str, str] = field(default_factory=lambda: OFFERED)


PATHS = {
    "presses nothing": Path("3000200", ("DialerPlayed",)),
    "opts out": Path("6000200", ("DialerOptOut 9",)),
    "opts out after the message": Path("6400200", ("DialerPlayed", "DialerOptOut 9")),
    "hears it again": Path("6100200", ("DialerKey 1", "DialerPlayed")),
    "presses what is not offered, and opts out": Path("6300200", ("DialerKey #", "DialerKey *", "DialerOptOut 9")),
    "an opt-out that is not offered": Path(
        "6000201", ("DialerKey 9", "DialerPlayed"), variables={"KEY_REPEAT": "1", "KEY_OPT_OUT": ""}
    ),
    "no key is offered": Path(
        "6000202", ("DialerPlayed",), variables={"KEY_REPEAT": "", "KEY_AGENT": "", "KEY_OPT_OUT": ""}
    ),
    "opts out of the safe-harbour message": Path(
        "6400201", (JOINED, *GAVE_UP, "DialerOptOut 9"), "predictive", BRIEFLY
    ),
    "keys before the safe-harbour message": Path("6000203", (JOINED, *GAVE_UP, "DialerPlayed"), "predictive", BRIEFLY),
    "the safe-harbour message offers the opt-out alone": Path(
        "6400202",
        (JOINED, *GAVE_UP, "DialerKey 9", "DialerPlayed"),
        "predictive",
        {"PATIENCE": "1", "KEY_AGENT": "9", "KEY_OPT_OUT": "1"},
    ),
}

_stories: dict[str, dict[str, list[str]]] = {}


def stories(switch: Switch, connect: Connect) -> dict[str, list[str]]:
    """What each path's call shows. They are made at once, for each lasts seconds, and once for each switch."""
    if switch.kind not in _stories:
        phone = connect(switch)
        calls = {
            name: phone.call(path.number, context=path.context, variables=path.variables)
            for name, path in PATHS.items()
        }
        _stories[switch.kind] = {name: cleared(phone.wait_until_over(call)) for name, call in calls.items()}
    return _stories[switch.kind]


@pytest.mark.parametrize("name", PATHS)
def test_a_message_shows_exactly_these_events(switch: Switch, connect: Connect, name: str) -> None:
    path = PATHS[name]
    story = stories(switch, connect)[name]
    assert Counter(story) == Counter((*UP, *path.events, "Hangup 16"))
    in_order(story, "DialEnd ANSWER", *path.events, "Hangup 16")


def test_the_key_for_an_agent_leads_to_the_projects_queue(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("6200200", context="autoinforming", queue="sales", variables=OFFERED)
    story = cleared(phone.wait_until_over(call))
    talk = (*AGENT_RANG, *CONNECTED, "AgentComplete agent", "agent Hangup 16", "Hangup 16")
    assert Counter(story) == Counter(owed(switch, story, *UP, "DialerKey 2", JOINED, *talk))
    in_order(story, "DialerKey 2", *TO_AGENT)


def named(phone: Phone, call: str, kind: str) -> Message:
    return next(event for event in phone.of(call) if event.get("UserEvent") == kind)


def where(event: Message) -> tuple[str, str, str]:
    return event.get("Context"), event.get("Exten"), event.get("Priority")


def test_keys_and_opt_outs_name_call_attempt_and_key(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("6300210", context="autoinforming", exten="84951234567", variables=OFFERED)
    phone.wait_until_over(call)
    for kind, key, priority in (("DialerKey", "#", "2"), ("DialerOptOut", "9", "7")):
        event = named(phone, call, kind)
        assert [name for name, _ in event.fields()][3:] == [*FIELDS["UserEvent"], "Key"]
        assert [event.get(name) for name in ("Uniqueid", "Attempt", "Key")] == [call, "77", key]
        assert (where(event), event.get("Privilege")) == (("message-keys", key, priority), "user,all")
    ended = next(event for event in phone.of(call) if event.name == "Hangup")
    assert where(ended) == ("message-keys", "9", "8")


def kept(phone: Phone, call: str) -> list[tuple[str, str]] | str:
    """What Asterisk's own database has under this key, or its refusal."""
    try:
        (item,) = phone.client.ask_list([("Action", "DBGet"), ("Family", "dialer-optout"), ("Key", call)])
    except AmiRefused as refusal:
        return refusal.text
    return [(name, value) for name, value in item.fields() if name != "ActionID"]


def test_an_opt_out_is_kept_until_the_dialer_deletes_it(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("6000211", context="autoinforming", variables=OFFERED)
    phone.wait_until_over(call)
    assert kept(phone, call) == [
        ("Event", "DBGetResponse"), ("Family", "dialer-optout"), ("Key", call), ("Val", "9"),
    ]  # fmt: skip
    delete = [("Action", "Setvar"), ("Variable", f"DB_DELETE(dialer-optout/{call})"), ("Value", "taken")]
    for _ in range(2):
        assert phone.client.ask(delete).get("Message") == "Variable Set"
        assert kept(phone, call) == "Database entry not found"


def test_who_presses_another_key_leaves_nothing_there(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    call = phone.call("6100211", context="autoinforming", variables=OFFERED)
    phone.wait_for(call, "DialerKey 1")
    phone.client.ask([("Action", "Hangup"), ("Channel", call)])
    phone.wait_until_over(call)
    assert kept(phone, call) == "Database entry not found"


def test_it_is_written_before_the_event_is_sent(switch: Switch, connect: Connect) -> None:
    """So whoever loses the event finds it there."""
    phone = connect(switch)
    steps = phone.client.ask_list([("Action", "ShowDialPlan"), ("Context", "message-keys"), ("Extension", "9")])
    said = [(step.get("Application"), step.get("AppData")) for step in steps]
    writes = said.index(("Set", "DB(dialer-optout/${UNIQUEID})=${EXTEN}"))
    assert said[writes + 1] == ("UserEvent", "DialerOptOut,Attempt: ${DIALER_ATTEMPT},Key: ${EXTEN}")


def test_it_survives_a_restart(own_switch: Switch, connect: Connect) -> None:
    phone = connect(own_switch)
    call = phone.call("6000212", context="autoinforming", variables=OFFERED)
    phone.wait_until_over(call)
    links = len(phone.links)
    own_switch.restart("now")
    wait_for(lambda: len(phone.links) >= links + 2 and phone.client.connected, 30, "a new link")
    assert ("Val", "9") in kept(phone, call)


@pytest.mark.parametrize(
    ("action", "fields", "refusal"),
    [
        ("DBGet", {"Family": "dialer-optout", "Key": "nosuch"}, "Database entry not found"),
        ("DBGet", {"Key": "x"}, "No family specified."),
        ("DBGet", {"Family": "x"}, "No key specified."),
        ("DBDel", {"Family": "dialer-optout", "Key": "x"}, "Permission denied"),
        ("Setvar", {"Value": "x"}, "No variable specified"),
        ("Setvar", {"Variable": "X", "Value": "x", "Channel": "nosuch"}, "No such channel"),
        ("Setvar", {"Variable": "NOSUCH(x)", "Value": "x"}, "Variable not set"),
        ("Setvar", {"Variable": "DB(dialer-optout/forged)", "Value": "9"}, "Variable not set"),
    ],
)
def test_what_the_dialers_user_may_not_do_with_it(
    switch: Switch, connect: Connect, action: str, fields: dict[str, str], refusal: str
) -> None:
    """Above all, it cannot write an opt-out that nobody has pressed."""
    phone = connect(switch)
    with pytest.raises(AmiRefused) as refused:
        phone.client.ask([("Action", action), *fields.items(), ("ActionID", secrets.token_hex(8))])
    assert refused.value.text == refusal


def test_show_dialplan_lists_the_keys(switch: Switch, connect: Connect) -> None:
    phone = connect(switch)
    keys = ("Extension", "Priority", "Application", "AppData")
    found = [
        tuple(item.get(key) for key in keys)
        for item in phone.client.ask_list([("Action", "ShowDialPlan"), ("Context", "message-keys")])
    ]
    assert found == [
        ("i", "1", "Goto", "s,again"),
        ("s", "1", "Set", "DIALER_ROUND=0"),
        ("s", "2", "Set", "DIALER_ROUND=$[${DIALER_ROUND} + 1]"),
        ("s", "3", "GotoIf", "$[${DIALER_ROUND} > 5]?over"),
        ("s", "4", "Background", "${DIALER_PLAYS}"),
        ("s", "5", "GotoIf", '$["${BACKGROUNDSTATUS}" != "SUCCESS"]?over'),
        ("s", "6", "UserEvent", "DialerPlayed,Attempt: ${DIALER_ATTEMPT}"),
        ("s", "7", "WaitExten", "4"),
        ("s", "8", "Hangup", ""),
        ("t", "1", "Hangup", ""),
        ("_[0-9*#]", "1", "GotoIf", '$["${EXTEN}" = "${DIALER_KEY_OPT_OUT}"]?opt-out'),
        ("_[0-9*#]", "2", "UserEvent", "DialerKey,Attempt: ${DIALER_ATTEMPT},Key: ${EXTEN}"),
        ("_[0-9*#]", "3", "GotoIf", '$["${EXTEN}" != "${DIALER_KEY_AGENT}"]?s,again'),
        ("_[0-9*#]", "4", "Queue", "${DIALER_QUEUE},r,,,60"),
        ("_[0-9*#]", "5", "Hangup", ""),
        ("_[0-9*#]", "6", "Set", "DB(dialer-optout/${UNIQUEID})=${EXTEN}"),
        ("_[0-9*#]", "7", "UserEvent", "DialerOptOut,Attempt: ${DIALER_ATTEMPT},Key: ${EXTEN}"),
        ("_[0-9*#]", "8", "Hangup", ""),
    ]


def test_after_five_rounds_there_is_no_more(switch: Switch, connect: Connect) -> None:
    """A telephone whose key is stuck must not hold a line for ever."""
    phone = connect(switch)
    call = phone.call("6500200", context="autoinforming", variables=OFFERED)
    story = cleared(phone.wait_until_over(call))
    assert Counter(story) == Counter((*UP, *["DialerKey 5"] * 5, "Hangup 16"))
