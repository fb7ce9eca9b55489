"""One Asterisk in a worker's hands: what is asked, in which order, and what is believed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

import gevent
import pytest
from gevent.lock import Semaphore

from tests.support.ami_peer import BANNER, CHALLENGE, SECRET, USERNAME, Connection, Peer, until
from tests.support.facts import BEGUN
from tests.support.fake_database import FakeDatabase, open_attempt
from worker.ami.actions import UnsafeAction
from worker.ami.client import AmiClient
from worker.asterisk import session as module
from worker.asterisk.notices import Notice, Obstacle
from worker.asterisk.session import Session
from worker.clock import SystemClock
from worker.config import AsteriskSettings, Secret
from worker.errors import StatementTimedOut
from worker.model import Outcome, Ownership, Step


class Asterisk:
    """A scripted manager with channels, queue members and moods."""

    def __init__(self) -> None:
        self.channels: list[dict[str, str]] = []
        self.members: list[dict[str, str]] = [member("PJSIP/agent1")]
        self.uptime = 100
        self.stopping = False
        self.replies: dict[str, str] = {}
        """Errors by action."""
        self.before_list_ends: list[bytes] = []
        """Written once, after the items of the next CoreShowChannels."""
        self.silent: set[str] = set()
        """Actions that get no answer."""
        self.said: list[str] = []
        """The actions that came, in order."""
        self.originates: list[dict[str, str]] = []
        self.kept: dict[str, str] = {}
        """Opt-outs in its own database, by channel."""
        self.deleted: list[str] = []
        self.link: Connection | None = None
        self._writing = Semaphore()

    def __call__(self, connection: Connection) -> None:
        connection.login(self.uptime)
        self.link = connection
        while True:
            action = connection.read()
            self.said.append(action["Action"])
            with self._writing:
                self._answer(connection, action)

    def _answer(self, connection: Connection, action: dict[str, str]) -> None:
        name = action["Action"]
        if name in self.silent:
            return
        if self.stopping and name != "Logoff":
            connection.reply(action, "Error", Message="Asterisk is shutting down")
        elif name in self.replies:
            connection.reply(action, "Error", Message=self.replies[name])
        elif name == "DBGet":
            assert action["Family"] == "dialer-optout"
            if (key := action["Key"]) in self.kept:
                self._list(connection, action, [("DBGetResponse", {"Key": key, "Val": self.kept[key]})])
            else:
                connection.reply(action, "Error", Message="Database entry not found")
        elif name == "Setvar":
            self.deleted.append(action["Variable"])
            connection.reply(action, Message="Variable Set")
        elif name == "CoreShowChannels":
            self._list(connection, action, [("CoreShowChannel", item) for item in self.channels])
        elif name == "QueueStatus":
            items = [("QueueParams", {"Queue": queue}) for queue in sorted({one["Queue"] for one in self.members})]
            items += [("QueueMember", one) for one in self.members if action.get("Member") in (None, one["Location"])]
            self._list(connection, action, items)
        else:
            if name == "Originate":
                self.originates.append(action)
            connection.reply(action, Message="Originate successfully queued")

    def _list(self, connection: Connection, action: dict[str, str], items: list[tuple[str, dict[str, str]]]) -> None:
        connection.reply(action, EventList="start")
        for name, item in items:
            connection.event(name, ActionID=action["ActionID"], **item)
        if action["Action"] == "CoreShowChannels":
            for data in self.before_list_ends:
                connection.send(data)
            self.before_list_ends.clear()
        closing = {"EventList": "Complete", "ListItems": str(len(items))}
        connection.event(f"{action['Action']}Complete", ActionID=action["ActionID"], **closing)

    def event(self, name: str, **fields: object) -> None:
        assert self.link is not None
        self.link.event(name, **{key: str(value) for key, value in fields.items()})

    def cut(self) -> None:
        """The link breaks."""
        assert self.link is not None
        self.link.close()


def member(interface: str, **changes: str) -> dict[str, str]:
    facts = {"Status": "1", "Paused": "0", "InCall": "0", "LastCall": "0", "Wrapuptime": "0"}
    return {"Queue": "sales", "Name": "Agent", "Location": interface, **facts, **changes}


def channel(uniqueid: str, state: str = "Ringing", bridge: str = "") -> dict[str, str]:
    return {
        "Channel": "PJSIP/carrier-00000001",
        "Uniqueid": uniqueid,
        "Linkedid": uniqueid,
        "ChannelStateDesc": state,
        "BridgeId": bridge,
    }


class Lab:
    """A session between a scripted Asterisk and a database that only remembers."""

    def __init__(self, port: int, asterisk: Asterisk, database: FakeDatabase) -> None:
        self.asterisk = asterisk
        self.database = database
        settings = AsteriskSettings(
            name="default",
            host="127.0.0.1",
            port=port,
            timeout_seconds=5.0,
            username=USERNAME,
            password=Secret(SECRET),
        )
        owner = Ownership(4, "default", 9)
        # It comes back soon, and a Ping is a question of the session's.
        hurried = partial(AmiClient, reconnect_seconds=(0.01, 0.05), ping_seconds=3600.0)
        with patch.object(module, "AmiClient", hurried):
            self.session = Session(settings, database.as_database(), SystemClock(), owner, "d4")

    def start(self) -> Session:
        self.session.start()
        until(lambda: self.session.ready)
        return self.session

    def originate(self, number: int = 1, **changes: Any) -> None:
        """Dial attempt `number`; returns when Asterisk has got it."""
        ids = {"attempt_id": number, "channel_id": f"c{number}", "action_id": f"a{number}"}
        self.session.originate(replace(BEGUN, **{**ids, **changes}))

    def reconnect(self) -> None:
        """The link breaks and is up and looked at again."""
        connections = self.session.client.counters.reconnects
        self.asterisk.cut()
        until(lambda: self.session.client.counters.reconnects > connections)
        until(lambda: self.session.ready)

    def outcome(self, number: int = 1) -> str | None:
        return self.database.outcomes().get(number)


def obstacles(session: Session) -> list[Notice]:
    """What the dialling has been told that stands in the way of projects."""
    return [notice for notice in session.notices.take() if isinstance(notice, Obstacle)]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look comes soon; the regular one never comes by itself."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(module, "CHECK_SECONDS", 3600.0)
    monkeypatch.setattr(module, "STOPPING_SECONDS", 3600.0)


@pytest.fixture
def lab() -> Iterator[Lab]:
    asterisk = Asterisk()
    with Peer(asterisk) as peer:
        made = Lab(peer.port, asterisk, FakeDatabase())
        yield made
        made.session.stop()


# --- before anything is originated -----------------------------------------------------------------------


def test_nothing_is_originated_before_channels_and_members_were_listed(lab: Lab) -> None:
    lab.asterisk.silent = {"QueueStatus"}
    lab.session.start()
    until(lambda: "QueueStatus" in lab.asterisk.said)
    assert lab.database.calls == ["dialer_open_attempts"], "what is open is taken before Asterisk is asked"
    assert lab.session.client.connected
    assert not lab.session.ready
    lab.originate()
    until(lambda: lab.outcome() == Outcome.CANCELLED)
    assert lab.asterisk.originates == []
    assert lab.asterisk.said == ["CoreShowChannels", "QueueStatus"]


def test_session_is_up_after_its_first_look(lab: Lab) -> None:
    session = lab.start()
    assert lab.asterisk.said == ["CoreShowChannels", "QueueStatus"]
    assert session.agents.free("sales") == {"pjsip/agent1"}
    until(lambda: lab.database.told == [("up", None)])
    until(lambda: [row["interface"] for row in lab.database.agents] == ["PJSIP/agent1"])
    assert session.notices.arrived.is_set()


def test_originate_says_who_and_what_for(lab: Lab) -> None:
    lab.start()
    lab.originate(case_name='Пётр, the "great"' + "я" * 400)
    until(lambda: bool(lab.asterisk.originates))
    action = lab.asterisk.originates[0]
    assert action["ChannelId"] == "c1"
    assert action["ActionID"] == "a1"
    assert action["Timeout"] == "30000"
    assert action["Account"] == "dialer"
    assert (action["Context"], action["Exten"]) == ("progressive", "s")
    raw = lab.asterisk.link.raw.decode() if lab.asterisk.link else ""
    for variable in ("__DIALER_PROJECT=p", "__DIALER_CASE=7", "__DIALER_ATTEMPT=1", "__DIALER_QUEUE=sales"):
        assert f"Variable: {variable}\r\n" in raw
    assert 'Variable: __DIALER_NAME=Пётр\\, the \\"great\\"яяя' in raw
    for variable in ("__DIALER_PATIENCE=", "__DIALER_AMD=", "__DIALER_MACHINE=hangup"):
        assert f"Variable: {variable}\r\n" in raw
    until(lambda: any(Step.DIALING in report["steps"] for report in lab.database.advanced))


def test_originate_tells_the_dialplan_what_to_do_without_an_agent_and_with_a_machine(lab: Lab) -> None:
    lab.start()
    lab.originate(patience=2, amd=True, machine_action="message")
    until(lambda: bool(lab.asterisk.originates))
    raw = lab.asterisk.link.raw.decode() if lab.asterisk.link else ""
    for variable in ("__DIALER_PATIENCE=2", "__DIALER_AMD=1", "__DIALER_MACHINE=message"):
        assert f"Variable: {variable}\r\n" in raw


def test_originate_says_which_keys_are_offered_and_what_is_played(lab: Lab) -> None:
    lab.start()
    lab.originate()
    until(lambda: len(lab.asterisk.originates) == 1)
    lab.originate(2, key_repeat="1", key_agent="#", key_opt_out="9", message="custom/reminder")
    until(lambda: len(lab.asterisk.originates) == 2)
    raw = lab.asterisk.link.raw.decode() if lab.asterisk.link else ""
    for name, value in {"KEY_REPEAT": "1", "KEY_AGENT": "#", "KEY_OPT_OUT": "9", "MESSAGE": "custom/reminder"}.items():
        assert raw.count(f"Variable: __DIALER_{name}=\r\n") == 1
        assert raw.count(f"Variable: __DIALER_{name}={value}\r\n") == 1


def test_resync_that_fails_is_done_again_in_full(lab: Lab) -> None:
    """The database is away while the link comes up: what it has open must still be adopted before dialling."""
    lab.database.open = [open_attempt(answered_ago=5.0, dialing_ago=9.0)]
    lab.database.down = True
    lab.session.start()
    until(lambda: lab.database.calls.count("dialer_open_attempts") > 1)
    assert not lab.session.ready
    lab.database.down = False
    until(lambda: lab.session.ready)
    until(lambda: lab.outcome() == Outcome.ABANDONED)


def test_list_that_fails_is_asked_for_again(lab: Lab) -> None:
    lab.asterisk.replies = {"CoreShowChannels": "Permission denied"}
    lab.session.start()
    until(lambda: lab.asterisk.said.count("CoreShowChannels") > 1)
    assert not lab.session.ready
    lab.asterisk.replies = {}
    until(lambda: lab.session.ready)


def test_reminder_during_a_resync_does_not_replace_it(lab: Lab) -> None:
    """A look that was asked for meanwhile would settle the suspects of a restart as LOST."""
    lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    lab.asterisk.event("Newchannel", Uniqueid="c1", Linkedid="c1", Channel="PJSIP/x")
    until(lambda: any(call.channel_seen for call in lab.session.tracker.calls()))
    lab.asterisk.uptime = 0
    lab.asterisk.silent = {"QueueStatus"}
    asked = lab.asterisk.said.count("QueueStatus")
    lab.asterisk.cut()
    until(lambda: lab.asterisk.said.count("QueueStatus") > asked)
    lab.session._look()
    lab.asterisk.silent = set()
    lab.asterisk.cut()
    until(lambda: lab.outcome() is not None)
    assert lab.outcome() == Outcome.TECHNICAL


# --- calls that were begun before ------------------------------------------------------------------------


def test_open_attempts_are_adopted_and_settled_by_the_list(lab: Lab) -> None:
    lab.asterisk.uptime = 3600
    lab.database.open = [
        open_attempt(1, "c1", dialing_ago=9.0),
        open_attempt(2, "c2", dialing_ago=9.0),
        open_attempt(3, "c3", dialing_ago=9.0, ringing_ago=8.0),
        open_attempt(4, "c4", dialing_ago=9.0, answered_ago=7.0, agent_ago=3.0, agent="PJSIP/agent1"),
        open_attempt(5, "c5", dialing_ago=9.0, answered_ago=7.0),
        open_attempt(6, "c6", dialing_ago=9.0, begun_ago=60.0),
        open_attempt(7, "c7", dialing_ago=9.0),
    ]
    lab.asterisk.channels = [channel("c1"), channel("c7", "Up", "b1")]
    session = lab.start()
    until(lambda: len(lab.database.outcomes()) == 4)
    assert lab.database.outcomes() == {3: "LOST", 4: "ANSWERED", 5: "ABANDONED", 6: "LOST"}
    assert sorted(call.attempt_id for call in session.tracker.calls()) == [1, 2, 7]
    until(lambda: len(lab.database.advanced) >= 2)
    steps = {report["attempt_id"]: set(report["steps"]) for report in lab.database.advanced}
    assert steps == {1: {"dialing", "ringing"}, 7: {"dialing", "answered", "agent"}}
    lab.asterisk.event("Hangup", Uniqueid="c1", Cause=17)
    until(lambda: lab.outcome(1) == Outcome.BUSY, seconds=10)


def test_attempt_begun_before_asterisk_was_started_is_over(lab: Lab) -> None:
    """Even if nothing is known of a channel: one that lived before this Asterisk cannot be left."""
    lab.asterisk.uptime = 5
    lab.database.open = [open_attempt(1, "c1", begun_ago=60.0, dial_seconds=300, dialing_ago=59.0)]
    lab.start()
    until(lambda: lab.outcome() == Outcome.LOST)


def test_call_lives_through_a_lost_link(lab: Lab) -> None:
    lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    lab.asterisk.channels = [channel("c1", "Up")]
    lab.reconnect()
    assert [call.state for call in lab.session.tracker.calls()] == ["answered"]
    assert len(lab.asterisk.originates) == 1, "it is never sent again"
    assert lab.database.told[-1] == ("up", None)
    assert [state for state, _ in lab.database.told] == ["up", "down", "up"]


def test_call_that_was_seen_and_is_missing_after_a_lost_link_is_lost(lab: Lab) -> None:
    lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    lab.asterisk.event("Newchannel", Uniqueid="c1", Linkedid="c1", Channel="PJSIP/x")
    until(lambda: any(call.channel_seen for call in lab.session.tracker.calls()))
    lab.reconnect()
    until(lambda: lab.outcome() == Outcome.LOST)


def test_call_that_asterisk_may_never_have_got_is_not_given_up_at_once(lab: Lab) -> None:
    lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    lab.reconnect()
    assert lab.outcome() is None
    assert len(lab.session.tracker) == 1


def test_restart_ends_what_was_ringing_as_technical(lab: Lab) -> None:
    lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    lab.asterisk.uptime = 0
    lab.reconnect()
    until(lambda: lab.outcome() == Outcome.TECHNICAL)
    assert len(lab.session.tracker) == 0


def test_overdue_call_is_looked_for_without_being_asked(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOPPING_SECONDS", 0.02)
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.02)
    lab.start()
    lab.originate(dial_seconds=0.001)
    until(lambda: bool(lab.asterisk.originates))
    for call in lab.session.tracker.calls():
        call.begun -= 60
    until(lambda: lab.outcome() == Outcome.LOST)


# --- what may be forged ----------------------------------------------------------------------------------


def test_shutdown_is_believed_only_if_asterisk_confirms_it(lab: Lab) -> None:
    session = lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    lab.asterisk.event("Shutdown", Shutdown="Cleanly")
    until(lambda: "Ping" in lab.asterisk.said)
    lab.originate(2)
    until(lambda: len(lab.asterisk.originates) == 2)
    assert session.ready
    assert lab.database.told == [("up", None)]
    assert not any(call.shutdown for call in session.tracker.calls())


def test_confirmed_shutdown_stops_dialling_until_it_is_called_off(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOPPING_SECONDS", 0.02)
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.02)
    session = lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    lab.asterisk.stopping = True
    lab.asterisk.event("Shutdown", Shutdown="Cleanly")
    until(lambda: not session.ready)
    until(lambda: lab.database.told[-1] == ("down", "it is shutting down"))
    lab.originate(2)
    until(lambda: lab.outcome(2) == Outcome.CANCELLED)
    lab.asterisk.stopping = False
    until(lambda: session.ready)
    assert lab.database.told[-1] == ("up", None)
    assert [call.shutdown for call in session.tracker.calls()] == [False]
    lab.asterisk.stopping = True
    lab.asterisk.event("Shutdown", Shutdown="Cleanly")
    until(lambda: not session.ready)
    lab.asterisk.event("Newchannel", Uniqueid="c1", Linkedid="c1", Channel="PJSIP/x")
    lab.asterisk.event("OriginateResponse", ActionID="a1", Response="Failure", Reason=0)
    lab.asterisk.event("Hangup", Uniqueid="c1", Cause=0)
    until(lambda: lab.outcome(1) == Outcome.TECHNICAL)


def test_shutdown_during_the_first_look_does_not_end_in_ready(lab: Lab) -> None:
    lab.asterisk.replies = {"Ping": "Asterisk is shutting down"}
    lab.asterisk.before_list_ends = [b"Event: Shutdown\r\nShutdown: Cleanly\r\n\r\n"]
    lab.session.start()
    until(lambda: lab.database.told == [("down", "it is shutting down")])
    until(lambda: bool(lab.session.agents.free("sales")))
    assert not lab.session.ready
    lab.asterisk.replies = {}
    lab.session._look()
    until(lambda: lab.session.ready)


def test_member_becomes_free_by_a_list_only(lab: Lab) -> None:
    lab.asterisk.members = [member("PJSIP/agent1", Status="2"), member("PJSIP/agent2")]
    session = lab.start()
    assert session.agents.free("sales") == {"pjsip/agent2"}
    asked = len(lab.asterisk.said)
    lab.asterisk.event("QueueMemberStatus", Queue="sales", Interface="PJSIP/agent1", Status=1)
    until(lambda: len(lab.asterisk.said) > asked)
    until(lambda: not session.agents.unsure)
    assert session.agents.free("sales") == {"pjsip/agent2"}, "the list says that he talks"
    lab.asterisk.members = [member("PJSIP/agent1"), member("PJSIP/agent2")]
    session.notices.take()
    lab.asterisk.event("QueueMemberStatus", Queue="sales", Interface="PJSIP/agent1", Status=1)
    until(lambda: session.agents.free("sales") == {"pjsip/agent1", "pjsip/agent2"})
    assert session.notices.arrived.wait(5), "there is somebody to dial for"


def test_many_members_to_confirm_take_one_list(lab: Lab) -> None:
    lab.asterisk.members = [member(f"PJSIP/{number}", Status="2") for number in range(100)]
    session = lab.start()
    lab.asterisk.members = [member(f"PJSIP/{number}") for number in range(100)]
    asked = lab.asterisk.said.count("QueueStatus")
    assert lab.asterisk.link is not None
    event = "Event: QueueMemberStatus\r\nQueue: sales\r\nInterface: PJSIP/{}\r\nStatus: 1\r\n\r\n"
    lab.asterisk.link.send("".join(event.format(number) for number in range(100)).encode())
    until(lambda: len(session.agents.free("sales")) == 100)
    assert lab.asterisk.said.count("QueueStatus") - asked < 20


def test_name_that_cannot_be_asked_for_holds_up_no_other_member(lab: Lab) -> None:
    lab.asterisk.members = [member("PJSIP/agent1", Status="2")]
    session = lab.start()
    session.agents.unsure.add(("sales", "PJSIP/a\nb"))
    lab.asterisk.members = [member("PJSIP/agent1")]
    lab.asterisk.event("QueueMemberStatus", Queue="sales", Interface="PJSIP/agent1", Status=1)
    until(lambda: session.agents.free("sales") == {"pjsip/agent1"})
    assert session.agents.unsure == set()


def test_event_that_cannot_be_taken_in_stops_no_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    session = lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    take = session.tracker.event

    def choke(event: Any) -> None:
        if event.name == "Newstate":
            raise ValueError("what is this")
        take(event)

    monkeypatch.setattr(session.tracker, "event", choke)
    lab.asterisk.event("Newstate", Uniqueid="c1", ChannelState=5)
    lab.asterisk.event("DialState", DestUniqueid="c1", DialStatus="RINGING")
    until(lambda: any(Step.RINGING in call.steps for call in session.tracker.calls()))
    assert session.ready


TAMPERED = b"Event: Hangup\r\nUniqueid: c1\r\nUniqueid: 1795.1\r\nCause: 16\r\n\r\n"


def test_call_missing_in_a_tampered_list_is_looked_for_again(lab: Lab) -> None:
    session = lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    lab.asterisk.event("Newchannel", Uniqueid="c1", Linkedid="c1", Channel="PJSIP/x")
    until(lambda: any(call.channel_seen for call in session.tracker.calls()))
    lab.asterisk.channels = []
    lab.asterisk.before_list_ends = [TAMPERED]

    def reappear(_: object) -> None:
        lab.asterisk.channels = [channel("c1")]

    reconcile = session.tracker.reconcile
    looks: list[int] = []

    def watched(suspects: Any, channels: Any, *, gone: Outcome) -> None:
        looks.append(len(suspects))
        reconcile(suspects, channels, gone=gone)
        reappear(None)

    session.tracker.reconcile = watched  # type: ignore[method-assign]
    session._look()
    until(lambda: len(looks) >= 2)
    assert looks[:2] == [0, 1]
    assert len(session.tracker) == 1
    lab.asterisk.channels = []
    session.tracker.reconcile = reconcile  # type: ignore[method-assign]
    session._look()
    until(lambda: lab.outcome() == Outcome.LOST)


def test_what_a_restart_means_survives_a_tampered_list(lab: Lab) -> None:
    lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    lab.asterisk.uptime = 0
    lab.asterisk.before_list_ends = [TAMPERED]
    lab.asterisk.cut()
    until(lambda: lab.outcome() is not None)
    assert lab.outcome() == Outcome.TECHNICAL


# --- refusals, writing -----------------------------------------------------------------------------------


def test_refused_originate_is_told_in_asterisks_words(lab: Lab) -> None:
    session = lab.start()
    lab.asterisk.replies = {"Originate": "Extension does not exist."}
    lab.originate()
    until(lambda: lab.outcome() == Outcome.FAILED)
    assert obstacles(session) == [Obstacle("p", "Asterisk refused its call: Extension does not exist.")]
    assert lab.database.ended[0]["detail"] == "Extension does not exist."
    assert session.ready


def test_originate_during_a_shutdown_is_not_the_projects_fault(lab: Lab) -> None:
    session = lab.start()
    lab.asterisk.stopping = True
    lab.originate()
    until(lambda: lab.outcome() == Outcome.TECHNICAL)
    assert obstacles(session) == []
    assert not session.ready


def test_originate_that_cannot_be_sent_safely_fails(lab: Lab) -> None:
    lab.start()
    with pytest.raises(UnsafeAction):
        lab.originate(queue="a\r\nAction: Command")
    until(lambda: lab.outcome() == Outcome.FAILED)
    assert lab.asterisk.originates == []
    assert lab.database.ended[0]["unsent"] is True, "it says nothing of the trunk"


def test_missing_event_is_not_waited_for_longer_than_it_takes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer sleeps without a limit; the first half of an ending must wake it."""
    monkeypatch.setattr("worker.calls.verdict.LATE_SECONDS", 0.05)
    session = lab.start()
    lab.originate()
    until(lambda: bool(lab.database.advanced))
    lab.asterisk.event("Newchannel", Uniqueid="c1", Linkedid="c1", Channel="PJSIP/x")
    until(lambda: any(call.channel_seen for call in session.tracker.calls()))
    for _ in range(100):
        gevent.sleep(0)  # the writer has gone to sleep
    lab.asterisk.event("Hangup", Uniqueid="c1", Cause=17)
    until(lambda: lab.outcome() == Outcome.BUSY, seconds=2)


def test_outage_of_the_database_loses_no_end(lab: Lab) -> None:
    lab.start()
    lab.originate()
    until(lambda: bool(lab.database.advanced))
    lab.database.down = True
    lab.asterisk.event("Newchannel", Uniqueid="c1", Linkedid="c1", Channel="PJSIP/x")
    lab.asterisk.event("Hangup", Uniqueid="c1", Cause=17)
    lab.asterisk.event("OriginateResponse", ActionID="a1", Response="Failure", Reason=0)
    until(lambda: lab.session.ledger.pending() == 1)
    told = len(lab.database.calls)
    until(lambda: len(lab.database.calls) > told + 1)
    lab.database.down = False
    until(lambda: lab.outcome() == Outcome.BUSY)


def test_rows_that_the_database_cannot_take_silence_nothing(lab: Lab) -> None:
    def choke(_: object) -> None:
        raise ValueError("no such text")

    lab.database.before["dialer_agents_write"] = choke
    lab.start()
    until(lambda: "dialer_agents_write" in lab.database.calls)
    lab.originate()
    lab.asterisk.replies = {"Originate": "Extension does not exist."}
    lab.originate(2)
    until(lambda: lab.outcome(2) == Outcome.FAILED)


def test_calls_go_by_the_name_that_asterisk_gives_their_queue(lab: Lab) -> None:
    session = lab.start()
    lab.originate(queue="SALES")
    until(lambda: bool(lab.asterisk.originates))
    raw = lab.asterisk.link.raw.decode() if lab.asterisk.link else ""
    assert "Variable: __DIALER_QUEUE=sales\r\n" in raw
    lab.asterisk.event("Newchannel", Uniqueid="c1", Linkedid="c1", Channel="PJSIP/x")
    lab.asterisk.event("QueueCallerJoin", Uniqueid="c1", Queue="sales")
    until(lambda: any(Step.WAITING in call.steps for call in session.tracker.calls()))
    assert obstacles(session) == []


def test_what_asterisk_says_in_no_encoding_of_ours_ends_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The login is refused with a Latin-1 byte: readers see it, and looks go on."""
    monkeypatch.setattr(module, "STOPPING_SECONDS", 0.02)

    def refuse(connection: Connection) -> None:
        connection.send(BANNER)
        connection.reply(connection.read("Challenge"), Challenge=CHALLENGE)
        action = connection.read("Login")
        text = f"Response: Error\r\nActionID: {action['ActionID']}\r\nMessage: Zugriff f\xfcr dich verweigert\r\n\r\n"
        connection.send(text.encode("latin-1"))
        connection.close()

    database = FakeDatabase()
    with Peer(refuse) as peer:
        lab = Lab(peer.port, Asterisk(), database)
        lab.session.client._refused_seconds = 0.01
        lab.session.start()
        until(lambda: bool(database.told))
        state, reason = database.told[-1]
        assert state == "down"
        reason.encode()  # type: ignore[union-attr]
        told = len(database.calls)
        database.told.clear()
        lab.session._told = None
        until(lambda: bool(database.told) and len(database.calls) > told)
        lab.session.stop()


def test_an_orderly_stop_is_no_outage(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    session = lab.start()
    caplog.set_level("INFO")
    session.stop()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    lab.session._down("the link broke")
    assert "Asterisk is down" not in caplog.text


def test_what_readers_cannot_be_told_holds_up_no_end(lab: Lab) -> None:
    def held(_: object) -> None:
        raise StatementTimedOut("of this test", 1, "somebody holds the row")

    lab.database.before["dialer_agents_write"] = lab.database.before["dialer_asterisk_report"] = held
    session = lab.start()
    lab.asterisk.replies = {"Originate": "Extension does not exist."}
    lab.originate()
    until(lambda: lab.outcome() == Outcome.FAILED)
    until(lambda: any(trouble[2] == "agents" for trouble in lab.database.troubles))
    assert lab.database.calls.count("dialer_agents_write") < 3, "at growing intervals"
    lab.database.before.clear()
    session._agents_table._held.over()
    session._unwritten.set()
    until(lambda: bool(lab.database.agents))


def test_stop_leaves_calls_alone_and_is_harmless_twice(lab: Lab) -> None:
    session = lab.start()
    lab.originate()
    until(lambda: bool(lab.asterisk.originates))
    session.stop()
    session.stop()
    assert "Hangup" not in lab.asterisk.said
    assert lab.asterisk.said[-1] == "Logoff"
    assert lab.outcome() is None
    assert not session.ready


def test_what_was_refused_while_the_lease_was_over_is_told_when_it_is_confirmed(lab: Lab) -> None:
    session = lab.start()
    lab.originate()
    lab.database.ours = False
    lab.asterisk.event("OriginateResponse", ActionID="a1", Uniqueid="<null>", Response="Failure", Reason="0")
    until(lambda: session.ledger.disowned)
    assert lab.outcome() is None
    lab.database.ours = True
    session.confirmed()
    until(lambda: lab.outcome() == Outcome.FAILED)


# --- opt-outs ------------------------------------------------------------------------------------------------------


def answered(lab: Lab, number: int = 1) -> None:
    """A message that is being heard."""
    lab.originate(number, type="autoinforming")
    until(lambda: len(lab.asterisk.originates) >= number)
    lab.asterisk.event("Newstate", Uniqueid=f"c{number}", Channel="PJSIP/x", ChannelState=6)
    until(lambda: any(call.attempt_id == number and call.answered for call in lab.session.tracker.calls()))


def test_an_opt_out_is_written_at_once_and_then_deleted_in_asterisk(lab: Lab) -> None:
    lab.start()
    answered(lab)
    lab.asterisk.event("UserEvent", Uniqueid="c1", UserEvent="DialerOptOut", Attempt=1, Key="9")
    until(lambda: bool(lab.database.opt_outs))
    assert [(told["attempt_id"], told["key"]) for told in lab.database.opt_outs] == [(1, "9")]
    until(lambda: lab.asterisk.deleted == ["DB_DELETE(dialer-optout/c1)"])
    assert lab.outcome() is None
    assert "DBGet" not in lab.asterisk.said, "nothing was missed"


def test_an_opt_out_without_a_link_is_found_when_the_link_is_back(lab: Lab) -> None:
    lab.start()
    answered(lab, 1)
    answered(lab, 2)
    lab.asterisk.kept = {"c1": "9"}
    lab.asterisk.channels = [channel("c2", "Up")]
    lab.reconnect()
    until(lambda: lab.outcome(1) is not None)
    assert lab.database.outcomes() == {1: Outcome.ANSWERED}
    assert [(told["attempt_id"], told["key"]) for told in lab.database.opt_outs] == [(1, "9")]
    assert lab.database.calls.index("dialer_opt_out") < lab.database.calls.index("dialer_attempt_finish")
    until(lambda: lab.asterisk.deleted == ["DB_DELETE(dialer-optout/c1)"])


def test_the_next_owner_finds_the_opt_outs_of_open_attempts(lab: Lab) -> None:
    """Those too of which the ledger does not even know that they were answered."""
    lab.database.open = [
        open_attempt(1, "c1", type="autoinforming", dialing_ago=9.0),
        open_attempt(2, "c2", type="autoinforming", dialing_ago=9.0, ringing_ago=8.0),
    ]
    lab.asterisk.uptime = 3600
    lab.asterisk.kept = {"c2": "9", "c3": "9"}
    lab.start()
    until(lambda: lab.outcome(2) is not None)
    assert lab.outcome(2) == Outcome.ANSWERED
    assert [told["attempt_id"] for told in lab.database.opt_outs] == [2]


def test_an_opt_out_that_was_heard_but_not_told_yet_is_not_asked_for(lab: Lab) -> None:
    lab.start()
    answered(lab)
    lab.database.down = True
    lab.asterisk.event("UserEvent", Uniqueid="c1", UserEvent="DialerOptOut", Attempt=1, Key="9")
    until(lambda: any(call.opted_out is not None for call in lab.session.tracker.calls()))
    lab.database.down = False
    lab.reconnect()
    until(lambda: [told["attempt_id"] for told in lab.database.opt_outs] == [1])
    assert "DBGet" not in lab.asterisk.said


def test_what_could_not_be_deleted_is_deleted_when_the_link_is_back(lab: Lab) -> None:
    lab.start()
    answered(lab)
    lab.asterisk.silent = {"CoreShowChannels"}
    lab.asterisk.channels = [channel("c1", "Up")]
    (call,) = lab.session.tracker.calls()
    lab.asterisk.cut()
    until(lambda: not lab.session.client.connected)
    lab.session.tracker.opt_out(call, "9")
    lab.session.ledger.flush()
    assert [told["attempt_id"] for told in lab.database.opt_outs] == [1]
    assert lab.asterisk.deleted == []
    lab.asterisk.silent = set()
    until(lambda: lab.asterisk.deleted == ["DB_DELETE(dialer-optout/c1)"])


def test_without_an_answer_about_opt_outs_nothing_is_settled(lab: Lab) -> None:
    """Ending the attempt would forget that there was something to ask."""
    lab.start()
    answered(lab)
    lab.asterisk.kept = {"c1": "9"}
    lab.asterisk.replies = {"DBGet": "Asterisk is shutting down"}
    lab.asterisk.cut()
    until(lambda: lab.asterisk.said.count("DBGet") > 1)
    assert not lab.session.ready
    assert lab.database.outcomes() == {}
    lab.asterisk.replies = {}
    until(lambda: lab.outcome() == Outcome.ANSWERED)
    assert [told["attempt_id"] for told in lab.database.opt_outs] == [1]


@pytest.mark.parametrize("refusal", ["Permission denied", "Invalid/unknown command: DBGet."])
def test_an_asterisk_that_lets_nobody_look_is_dialled_all_the_same(
    lab: Lab, refusal: str, caplog: pytest.LogCaptureFixture
) -> None:
    lab.start()
    answered(lab)
    lab.asterisk.replies = {"DBGet": refusal}
    lab.asterisk.channels = [channel("c1", "Up")]
    lab.reconnect()
    assert [record.__dict__["why"] for record in caplog.records if "DBGet" in record.message] == [refusal]


def test_a_call_that_vanished_is_asked_about_too(lab: Lab) -> None:
    """Its last events may have been dropped, as somebody had tampered with them."""
    lab.start()
    answered(lab)
    lab.asterisk.kept = {"c1": "9"}
    lab.session._look()
    until(lambda: lab.outcome() == Outcome.ANSWERED)
    assert [told["attempt_id"] for told in lab.database.opt_outs] == [1]


def test_what_was_not_deleted_for_sure_is_deleted_again(lab: Lab) -> None:
    lab.start()
    answered(lab)
    lab.asterisk.silent = {"Setvar"}
    lab.asterisk.event("UserEvent", Uniqueid="c1", UserEvent="DialerOptOut", Attempt=1, Key="9")
    until(lambda: "Setvar" in lab.asterisk.said)
    lab.asterisk.silent = set()
    lab.asterisk.channels = [channel("c1", "Up")]
    lab.reconnect()
    until(lambda: lab.asterisk.deleted == ["DB_DELETE(dialer-optout/c1)"])
    lab.reconnect()
    assert lab.asterisk.said.count("Setvar") == 2
