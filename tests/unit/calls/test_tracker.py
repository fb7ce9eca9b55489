"""The facts of a call, in whatever order they come, and the one outcome that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.facts import (
    BEGUN,
    Heard,
    Time,
    agent_called,
    agent_complete,
    agent_connect,
    agent_ring_no_answer,
    amd,
    begin,
    dial_end,
    dial_state,
    event,
    failure,
    hangup,
    heard,
    key,
    newchannel,
    opt_out,
    played,
    queue_abandon,
    queue_join,
    ringing,
    success,
    up,
)
from worker.ami.message import Message
from worker.calls.call import Call
from worker.calls.tracker import OVERDUE_SECONDS, UNSEEN_SECONDS, Tracker
from worker.calls.verdict import LATE_SECONDS, SHUTDOWN_SECONDS, classify
from worker.model import ENDINGS, AmdVerdict, OpenAttempt, Outcome, State, Step

LOCAL = "Local/79990000001@carrier-00000001;1"
OTHER_HALF = "c1;2"


@pytest.fixture
def time() -> Time:
    return Time(1000.0)


@pytest.fixture
def tracker(time: Time) -> Tracker:
    return Tracker(time, Heard())


@pytest.fixture
def call(tracker: Tracker) -> Call:
    return begin(tracker)


def tell(tracker: Tracker, *events: Message) -> None:
    for one in events:
        tracker.event(one)


def assert_clean(tracker: Tracker) -> None:
    """No call is left, in no corner."""
    assert len(tracker) == 0
    assert not any((tracker._by_channel, tracker._by_action, tracker._by_leg, tracker._waiting, heard(tracker).changed))
    assert tracker.tick() is None


# --- outcomes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "reason", "outcome"),
    [
        (17, 0, Outcome.BUSY),
        (18, 0, Outcome.NOANSWER),
        (19, 0, Outcome.NOANSWER),
        (0, 3, Outcome.NOANSWER),
        (16, 3, Outcome.NOANSWER),
        (None, 3, Outcome.NOANSWER),
        (21, 0, Outcome.REJECTED),
        (1, 0, Outcome.INVALID),
        (22, 0, Outcome.INVALID),
        (28, 0, Outcome.INVALID),
        (34, 0, Outcome.CONGESTION),
        (38, 0, Outcome.CONGESTION),
        (41, 0, Outcome.CONGESTION),
        (42, 0, Outcome.CONGESTION),
        (20, 0, Outcome.UNAVAILABLE),
        (27, 0, Outcome.UNAVAILABLE),
        (58, 0, Outcome.UNAVAILABLE),
        (127, None, Outcome.UNAVAILABLE),
        (None, None, Outcome.UNAVAILABLE),
        # Reasons 5 and 8 are true of Local channels, whose own cause is 0; of PJSIP the cause is.
        (0, 5, Outcome.BUSY),
        (0, 8, Outcome.CONGESTION),
        (21, 5, Outcome.REJECTED),
        (58, 5, Outcome.UNAVAILABLE),
    ],
)
def test_cause_and_reason_make_the_outcome(cause: int | None, reason: int | None, outcome: Outcome) -> None:
    assert classify(cause, reason) is outcome


@pytest.mark.parametrize("cause", [17, 1, 21, 34, 38, 28, 58, 19, 22])
def test_refused_call_ends_when_hangup_and_response_are_in(tracker: Tracker, call: Call, cause: int) -> None:
    tell(tracker, newchannel(), dial_state("RINGING"), failure(0), dial_end("NOANSWER"))
    assert call.outcome is None
    tell(tracker, hangup(cause))
    assert call.outcome is classify(cause, 0)
    assert call.cause == cause
    assert heard(tracker).over == [call]
    assert_clean(tracker)


def test_ring_time_out_is_noanswer_with_and_without_ringing(tracker: Tracker) -> None:
    rung = begin(tracker)
    tell(tracker, newchannel(), ringing(), failure(3), hangup(0))
    silent = begin(tracker)
    tell(tracker, newchannel(), failure(3), hangup(0))
    assert rung.outcome is silent.outcome is Outcome.NOANSWER
    assert Step.RINGING in rung.steps
    assert Step.RINGING not in silent.steps


def test_call_that_an_agent_took_is_answered(time: Time, tracker: Tracker, call: Call) -> None:
    for later in (newchannel(), ringing(), up(), queue_join(), agent_called(), agent_connect()):
        time.now += 1
        tell(tracker, later)
    assert [call.state, call.agent] == [State.CONNECTED, "PJSIP/agent1"]
    time.now += 60
    tell(tracker, hangup(16))
    assert call.outcome is Outcome.ANSWERED
    assert call.ended == time.now
    assert list(call.steps) == [Step.DIALING, Step.RINGING, Step.ANSWERED, Step.WAITING, Step.AGENT]


@pytest.mark.parametrize(
    ("waits", "outcome"),
    [(1.9, Outcome.EARLY_HANGUP), (2.0, Outcome.ABANDONED), (9.0, Outcome.ABANDONED)],
)
def test_caller_who_gives_up_is_an_early_hangup_only_within_the_limit(
    time: Time, tracker: Tracker, call: Call, waits: float, outcome: Outcome
) -> None:
    tell(tracker, newchannel(), up(), success(), queue_join())
    time.now += waits
    tell(tracker, queue_abandon(), hangup(16))
    assert call.outcome is outcome


def test_who_was_let_go_by_the_queue_is_abandoned_even_if_he_leaves_the_message(
    time: Time, tracker: Tracker, call: Call
) -> None:
    tell(tracker, newchannel(), up(), success(), queue_join())
    time.now += 2
    tell(tracker, queue_abandon())
    assert not call.wants_agent, "he hears the safe-harbour message"
    time.now += 1
    tell(tracker, hangup(16))
    assert (call.outcome, call.steps[Step.ANSWERED]) == (Outcome.ABANDONED, time.now - 3)


def test_who_heard_the_message_did_not_hang_up_early_however_short_his_patience(tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), up(), success(), queue_join(), queue_abandon(), played(), hangup(16))
    assert call.outcome is Outcome.ABANDONED


@pytest.mark.parametrize("verdict", ["HUMAN", "NOTSURE"])
@pytest.mark.parametrize(("waits", "outcome"), [(1.9, Outcome.EARLY_HANGUP), (2.0, Outcome.ABANDONED)])
def test_the_limit_runs_from_the_verdict_on_a_person(
    time: Time, tracker: Tracker, verdict: str, waits: float, outcome: Outcome
) -> None:
    call = begin(tracker, amd=True)
    tell(tracker, newchannel(), up(), success())
    time.now += 3
    tell(tracker, amd(verdict), queue_join())
    time.now += waits
    tell(tracker, queue_abandon(), hangup(16))
    assert (call.outcome, call.amd_verdict) == (outcome, verdict)


@pytest.mark.parametrize(("waits", "outcome"), [(1.9, Outcome.EARLY_HANGUP), (2.0, Outcome.ABANDONED)])
def test_who_hangs_up_on_amd_has_waited_since_his_answer(
    time: Time, tracker: Tracker, waits: float, outcome: Outcome
) -> None:
    call = begin(tracker, amd=True)
    tell(tracker, newchannel(), up(), success())
    time.now += waits
    tell(tracker, amd("HANGUP"), hangup(16))
    assert call.outcome is outcome
    assert_clean(tracker)


@pytest.mark.parametrize("mode", ["predictive", "progressive", "autoinforming"])
def test_machine_has_an_outcome_of_its_own(tracker: Tracker, mode: str) -> None:
    call = begin(tracker, type=mode, amd=True)
    tell(tracker, newchannel(), up(), success())
    assert call.wants_agent == (mode != "autoinforming"), "a person may have answered"
    assert call.under_amd
    tell(tracker, amd("MACHINE"))
    assert not call.wants_agent
    assert not call.under_amd
    tell(tracker, hangup(16))
    assert (call.outcome, call.state) == (Outcome.MACHINE, State.ENDED)
    assert_clean(tracker)


def test_call_stays_under_amd_until_its_verdict_or_its_queue(tracker: Tracker) -> None:
    call = begin(tracker, amd=True)
    assert not call.under_amd, "it is not answered"
    tell(tracker, newchannel(), up())
    assert call.under_amd
    tell(tracker, queue_join())
    assert not call.under_amd, "its context does not ask AMD()"
    asked = begin(tracker, amd=True)
    tell(tracker, up(), amd("HUMAN"))
    assert not asked.under_amd
    assert asked.wants_agent


def test_first_verdict_counts_and_others_are_none(tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), up(), amd(""), amd("PERHAPS"), amd("machine"))
    assert (call.amd_verdict, Step.AMD in call.steps) == (None, False)
    tell(tracker, amd("HUMAN"), amd("MACHINE"))
    assert call.amd_verdict is AmdVerdict.HUMAN


def test_verdict_says_that_the_call_was_answered(tracker: Tracker, call: Call) -> None:
    tell(tracker, amd("NOTSURE"))
    assert call.steps.keys() == {Step.DIALING, Step.ANSWERED, Step.AMD}
    assert call.state is State.ANSWERED


def test_agent_who_talks_to_a_machine_has_answered(tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), up(), amd("MACHINE"), queue_join(), agent_connect(), hangup(16))
    assert call.outcome is Outcome.ANSWERED


def test_verdict_of_an_adopted_call_is_the_ledgers(tracker: Tracker) -> None:
    machine = adopt(tracker, answered=5, amd=3, amd_verdict=AmdVerdict.MACHINE)
    assert not machine.wants_agent
    tracker.reconcile({machine}, {}, gone=Outcome.LOST)
    assert machine.outcome is Outcome.MACHINE


def test_answered_call_that_no_queue_took_is_abandoned_however_short(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), up(), success())
    time.now += 0.1
    tell(tracker, hangup(16))
    assert call.outcome is None, "AgentConnect or QueueCallerAbandon may still come"
    assert tracker.tick() == pytest.approx(LATE_SECONDS)
    ended = time.now
    time.now += LATE_SECONDS
    tracker.tick()
    assert [call.outcome, call.ended] == [Outcome.ABANDONED, ended]
    assert_clean(tracker)


def test_message_that_took_the_call_is_answered_heard_or_not(tracker: Tracker) -> None:
    heard = begin(tracker, type="autoinforming")
    tell(tracker, newchannel(), up(), played(), hangup(16))
    left = begin(tracker, type="autoinforming")
    tell(tracker, newchannel(), success(), hangup(16))
    assert heard.outcome is left.outcome is Outcome.ANSWERED
    assert Step.PLAYED in heard.steps
    assert Step.PLAYED not in left.steps


def test_other_user_events_are_no_news(tracker: Tracker) -> None:
    informed = begin(tracker, type="autoinforming")
    tell(tracker, up(), event("UserEvent", Uniqueid="c1", UserEvent="Something"))
    assert Step.PLAYED not in informed.steps


def test_failure_without_a_channel_is_ours(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, failure(0))
    assert call.outcome is None, "OriginateResponse may have overtaken Newchannel"
    failed = time.now
    time.now += LATE_SECONDS
    tracker.tick()
    assert [call.outcome, call.ended] == [Outcome.FAILED, failed]
    assert_clean(tracker)


def test_response_that_overtook_all_else_does_not_make_a_busy_call_ours(tracker: Tracker, call: Call) -> None:
    tell(tracker, failure(0), newchannel(), dial_end("BUSY"), hangup(17))
    assert call.outcome is Outcome.BUSY


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("Extension does not exist.", Outcome.FAILED),
        ("Permission denied", Outcome.FAILED),
        ("Asterisk is shutting down", Outcome.TECHNICAL),
    ],
)
def test_refused_originate(tracker: Tracker, call: Call, error: str, outcome: Outcome) -> None:
    tracker.replied(call, error)
    tracker.replied(call, "twice")
    assert (call.outcome, call.detail) == (outcome, error)
    assert heard(tracker).over == [call]
    assert_clean(tracker)


def test_queued_originate_decides_nothing(tracker: Tracker, call: Call) -> None:
    tracker.replied(call, None)
    assert call.outcome is None


def test_what_was_never_sent_is_cancelled(tracker: Tracker) -> None:
    unsent = tracker.begin(BEGUN)
    assert unsent.state is State.BEGUN
    tracker.unsent(unsent, "no link")
    assert (unsent.outcome, unsent.detail, unsent.steps) == (Outcome.CANCELLED, "no link", {})
    assert_clean(tracker)


# --- facts that do not come ------------------------------------------------------------------------------


def test_hangup_alone_is_enough_after_a_while(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), ringing(), hangup(17))
    hung_up = time.now
    assert heard(tracker).ticks_wanted == 1
    assert tracker.tick() == pytest.approx(LATE_SECONDS)
    assert heard(tracker).ticks_wanted == 1, "who asks need not be told"
    time.now += LATE_SECONDS - 0.001
    tracker.tick()
    assert call.outcome is None
    time.now += 0.001
    assert tracker.tick() is None
    assert [call.outcome, call.ended] == [Outcome.BUSY, hung_up]
    assert_clean(tracker)


def test_response_alone_is_enough_after_a_while(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), failure(3))
    refused = time.now
    time.now += LATE_SECONDS
    tracker.tick()
    assert [call.outcome, call.ended] == [Outcome.NOANSWER, refused]
    assert_clean(tracker)


def test_call_of_which_nothing_is_heard_waits_for_a_look(time: Time, tracker: Tracker, call: Call) -> None:
    time.now += call.dial_seconds + OVERDUE_SECONDS
    assert tracker.suspects() == set()
    assert not tracker.overdue_calls()
    assert tracker.tick() is None
    time.now += 0.001
    assert tracker.overdue_calls()
    assert tracker.suspects() == {call}
    tracker.reconcile({call}, {}, gone=Outcome.LOST)
    assert call.outcome is Outcome.LOST
    assert call.detail is not None
    assert_clean(tracker)


@pytest.mark.parametrize("seen", [True, False])
def test_what_was_sent_into_a_silent_link_is_waited_for_longer_than_a_short_ring(
    time: Time, tracker: Tracker, seen: bool
) -> None:
    call = begin(tracker, dial_seconds=3.0)
    tracker.sent(call)
    if seen:
        tell(tracker, newchannel())
    time.now += (3.0 + OVERDUE_SECONDS if seen else UNSEEN_SECONDS) - 0.001
    assert not tracker.overdue(call)
    time.now += 0.002
    assert tracker.overdue(call)


def test_answered_call_is_never_overdue(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), up())
    time.now += 3600
    assert not tracker.overdue_calls()


def test_failure_said_of_an_answered_call_waits_for_its_hangup(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), up(), queue_join(), failure(0))
    time.now += 60
    tracker.tick()
    assert call.outcome is None
    tell(tracker, agent_connect(), hangup(16))
    assert call.outcome is Outcome.ANSWERED


@pytest.mark.parametrize("text", ["", "²", "9" * 5000, "-1", "x"])
def test_a_cause_that_is_no_number_is_none(tracker: Tracker, call: Call, text: str) -> None:
    tell(tracker, newchannel(), failure(3), hangup(text))
    assert (call.outcome, call.cause) == (Outcome.NOANSWER, None)


# --- Local channels --------------------------------------------------------------------------------------


def local_call(tracker: Tracker) -> Call:
    call = begin(tracker, channel="Local/79990000001@carrier")
    tell(
        tracker,
        newchannel(channel=LOCAL),
        newchannel(OTHER_HALF, channel=LOCAL.replace(";1", ";2")),
        newchannel("1795.1", channel="PJSIP/carrier-00000001"),
    )
    return call


def test_local_channel_optimised_away_is_not_the_end_of_its_call(time: Time, tracker: Tracker) -> None:
    call = local_call(tracker)
    tell(tracker, up(), success(), queue_join(), newchannel("1795.2", channel="PJSIP/agent1-00000002"))
    tell(tracker, agent_connect())
    time.now += 0.5
    tell(tracker, hangup(16, channel=LOCAL), hangup(16, OTHER_HALF, LOCAL.replace(";1", ";2")))
    assert call.outcome is None
    time.now += 60
    tracker.tick()
    assert call.outcome is None
    tell(tracker, hangup(16, "1795.1"))
    assert call.outcome is None
    time.now += 0.1
    tell(tracker, hangup(16, "1795.2"))
    assert [call.outcome, call.ended] == [Outcome.ANSWERED, time.now]
    assert_clean(tracker)


def test_legs_of_other_technologies_do_not_hold_a_call(tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), up(), newchannel("1795.2", channel="PJSIP/agent1-00000002"), agent_connect())
    tell(tracker, hangup(16))
    assert call.outcome is Outcome.ANSWERED
    assert_clean(tracker)


@pytest.mark.parametrize(
    ("reason", "cause", "outcome"),
    [(5, 17, Outcome.BUSY), (8, 34, Outcome.CONGESTION)],
)
def test_local_busy_and_congestion_are_told_by_the_reason(
    tracker: Tracker, reason: int, cause: int, outcome: Outcome
) -> None:
    call = begin(tracker, channel="Local/79990000001@carrier")
    tell(tracker, newchannel(channel=LOCAL), newchannel(OTHER_HALF), failure(reason), hangup(0, channel=LOCAL))
    assert call.outcome is None
    tell(tracker, hangup(cause, OTHER_HALF))
    assert call.outcome is outcome
    assert_clean(tracker)


@pytest.mark.parametrize(("cause", "outcome"), [(1, Outcome.INVALID), (21, Outcome.REJECTED)])
def test_local_refusal_is_told_by_the_cause(tracker: Tracker, cause: int, outcome: Outcome) -> None:
    call = begin(tracker, channel="Local/79990000001@carrier")
    tell(tracker, newchannel(channel=LOCAL), newchannel(OTHER_HALF), hangup(cause, OTHER_HALF))
    tell(tracker, hangup(cause, channel=LOCAL), failure(0))
    assert call.outcome is outcome


def test_local_call_found_by_its_legs_lives_until_the_last_of_them_ends(time: Time, tracker: Tracker) -> None:
    call = adopt(tracker, answered=20.0)
    assert not call.local
    tracker.reconcile({call}, {"1795.1": channel("1795.1", "Up"), "x": channel("x", "Up", "x")}, gone=Outcome.LOST)
    assert call.outcome is None
    time.now += 30
    tell(tracker, hangup(16, "1795.1"))
    time.now += LATE_SECONDS
    tracker.tick()
    assert [call.outcome, call.ended] == [Outcome.ABANDONED, 1030.0]
    assert_clean(tracker)


def test_legs_whose_end_was_missed_are_dropped_with_the_call(tracker: Tracker) -> None:
    call = local_call(tracker)
    tell(tracker, up(), agent_connect(), hangup(16, channel=LOCAL))
    tracker.reconcile({call}, {"1795.1": channel("1795.1", "Up")}, gone=Outcome.LOST)
    assert call.outcome is None
    tracker.reconcile({call}, {}, gone=Outcome.LOST)
    assert call.outcome is Outcome.ANSWERED
    assert_clean(tracker)


# --- Asterisk goes down ----------------------------------------------------------------------------------


def test_confirmed_shutdown_makes_endings_technical_that_look_like_it(tracker: Tracker) -> None:
    ringing_call = begin(tracker)
    busy = begin(tracker, channel_id="c2", action_id="a2")
    tell(tracker, newchannel(), ringing(), newchannel("c2"))
    tracker.shutdown(confirmed=True)
    tell(tracker, failure(0), hangup(0), failure(0, "a2"), hangup(17, "c2"))
    assert ringing_call.outcome is Outcome.TECHNICAL
    assert busy.outcome is Outcome.BUSY
    assert_clean(tracker)


def test_ending_like_a_shutdown_waits_for_it_to_show(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), failure(0), hangup(0))
    assert call.outcome is None
    assert tracker.tick() == pytest.approx(SHUTDOWN_SECONDS)
    hung_up = time.now
    time.now += 1
    tracker.shutdown(confirmed=True)
    assert [call.outcome, call.ended] == [Outcome.TECHNICAL, hung_up]
    assert_clean(tracker)


def test_ending_like_a_shutdown_without_one_is_an_ordinary_ending(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), failure(0), hangup(0))
    time.now += SHUTDOWN_SECONDS
    tracker.tick()
    assert call.outcome is Outcome.UNAVAILABLE


def test_lost_link_explains_what_has_just_ended_and_nothing_else(tracker: Tracker) -> None:
    ended = begin(tracker)
    living = begin(tracker, channel_id="c2", action_id="a2")
    tell(tracker, newchannel(), failure(0), hangup(0), newchannel("c2"))
    tracker.shutdown(confirmed=False)
    assert ended.outcome is Outcome.TECHNICAL
    tell(tracker, hangup(0, "c2"), failure(0, "a2"))
    assert living.outcome is None, "that needs a shutdown of its own"


def test_half_an_ending_before_the_link_broke_is_explained_too(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), failure(0))
    tracker.shutdown(confirmed=False)
    time.now += LATE_SECONDS
    tracker.tick()
    assert call.outcome is Outcome.TECHNICAL


def test_shutdown_called_off_leaves_ordinary_endings(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel())
    tracker.shutdown(confirmed=True)
    tracker.carry_on()
    tell(tracker, failure(0), hangup(0))
    time.now += SHUTDOWN_SECONDS
    tracker.tick()
    assert call.outcome is Outcome.UNAVAILABLE


def test_person_who_was_waiting_when_asterisk_died_was_abandoned(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), up(), queue_join())
    tracker.shutdown(confirmed=True)
    tell(tracker, hangup(0))
    time.now += LATE_SECONDS
    tracker.tick()
    assert call.outcome is Outcome.ABANDONED


# --- what was missed -------------------------------------------------------------------------------------


def channel(uniqueid: str, state: str, linkedid: str = "c1", bridge: str = "", name: str = "PJSIP/x") -> Message:
    return event(
        "CoreShowChannel", Channel=name, Uniqueid=uniqueid, Linkedid=linkedid, ChannelStateDesc=state, BridgeId=bridge
    )


def adopt(
    tracker: Tracker,
    *,
    begun_ago: float = 25.0,
    agent: str | None = None,
    amd_verdict: AmdVerdict | None = None,
    kind: str = "progressive",
    signed_off: bool = False,
    **ago: float,
) -> Call:
    """A call out of the ledger; `ago`: seconds since each step (agent_ for the step "agent")."""
    return tracker.adopt(
        OpenAttempt(
            attempt_id=1,
            case_id=7,
            project_id="p",
            phone_number="79990000001",
            type=kind,
            queue="sales",
            channel_id="c1",
            action_id="a1",
            epoch=3,
            dial_seconds=30.0,
            abandon_seconds=2.0,
            agent=agent,
            begun_ago=begun_ago,
            signed_off=signed_off,
            steps_ago={Step(step.rstrip("_")): seconds for step, seconds in ago.items()},
            amd_verdict=amd_verdict,
        )
    )


@pytest.mark.parametrize(
    ("state", "bridge", "steps"),
    [
        ("Down", "", set()),
        ("Ringing", "", {Step.RINGING}),
        ("Up", "", {Step.ANSWERED}),
        ("Up", "b1", {Step.ANSWERED, Step.AGENT}),
    ],
)
def test_listed_call_catches_up(tracker: Tracker, call: Call, state: str, bridge: str, steps: set[Step]) -> None:
    tracker.reconcile(set(), {"c1": channel("c1", state, bridge=bridge)}, gone=Outcome.LOST)
    assert call.outcome is None
    assert call.channel_seen
    assert set(call.steps) == steps | {Step.DIALING}


def test_name_of_an_agent_who_was_found_talking_is_taken_when_it_is_told(tracker: Tracker, call: Call) -> None:
    tracker.reconcile(set(), {"c1": channel("c1", "Up", bridge="b1")}, gone=Outcome.LOST)
    heard(tracker).changed.clear()
    tell(tracker, agent_connect())
    assert call.agent == "PJSIP/agent1"
    assert heard(tracker).changed == {call}
    tell(tracker, agent_connect("PJSIP/agent2"))
    assert call.agent == "PJSIP/agent1"


def test_informed_person_in_a_bridge_has_no_agent(tracker: Tracker) -> None:
    informed = begin(tracker, type="autoinforming")
    tracker.reconcile(set(), {"c1": channel("c1", "Up", bridge="b1")}, gone=Outcome.LOST)
    assert Step.AGENT not in informed.steps


@pytest.mark.parametrize("gone", [Outcome.LOST, Outcome.TECHNICAL])
@pytest.mark.parametrize(
    ("told", "mode", "outcome"),
    [
        ([newchannel()], "progressive", None),
        ([newchannel(), ringing()], "progressive", None),
        ([newchannel(), up()], "progressive", Outcome.ABANDONED),
        ([newchannel(), up(), queue_join()], "progressive", Outcome.ABANDONED),
        ([newchannel(), up(), agent_connect()], "progressive", Outcome.ANSWERED),
        ([newchannel(), up()], "autoinforming", Outcome.ANSWERED),
    ],
)
def test_missing_suspect_is_settled_by_what_is_known_of_it(
    tracker: Tracker, told: list[Message], mode: str, outcome: Outcome | None, gone: Outcome
) -> None:
    call = begin(tracker, type=mode)
    tell(tracker, *told)
    tracker.reconcile(tracker.suspects(), {}, gone=gone)
    assert call.outcome is (outcome or gone)
    assert_clean(tracker)


@pytest.mark.parametrize(("shown", "outcome"), [(True, Outcome.TECHNICAL), (False, Outcome.LOST)])
def test_call_of_a_dead_worker_may_have_ended_before_asterisk_went_down(
    tracker: Tracker, shown: bool, outcome: Outcome
) -> None:
    call = adopt(tracker, begun_ago=5, dialing=5)
    if shown:
        tracker.reconcile(tracker.suspects(), {"c1": channel("c1", "Ringing")}, gone=Outcome.LOST)
    tracker.reconcile({call}, {}, gone=Outcome.TECHNICAL)
    assert call.outcome is outcome
    assert_clean(tracker)


def test_missing_call_that_is_no_suspect_may_be_on_its_way(tracker: Tracker, call: Call) -> None:
    tracker.reconcile(tracker.suspects(), {}, gone=Outcome.LOST)
    assert call.outcome is None


def test_missing_call_whose_end_is_half_known_keeps_what_is_known(time: Time, tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel(), hangup(17))
    tracker.reconcile(tracker.suspects(), {}, gone=Outcome.LOST)
    assert call.outcome is None, "OriginateResponse is on its way"
    time.now += LATE_SECONDS
    tracker.tick()
    assert call.outcome is Outcome.BUSY


def test_adopted_call_knows_its_past(tracker: Tracker, time: Time) -> None:
    call = adopt(tracker, agent="PJSIP/agent1", begun_ago=25, dialing=24, answered=10, waiting=9, agent_=5)
    assert call.begun == time.now - 25
    assert call.steps == {
        Step.DIALING: time.now - 24,
        Step.ANSWERED: time.now - 10,
        Step.WAITING: time.now - 9,
        Step.AGENT: time.now - 5,
    }
    assert tracker.knows("c1")
    assert tracker.suspects() == {call}
    assert heard(tracker).changed == set()
    assert not call.wants_agent
    tell(tracker, hangup(16))
    assert call.outcome is Outcome.ANSWERED


def test_adopted_call_whose_agent_has_no_name_was_answered(tracker: Tracker) -> None:
    call = adopt(tracker, answered=10, agent_=5)
    tracker.reconcile({call}, {}, gone=Outcome.LOST)
    assert call.outcome is Outcome.ANSWERED


def test_call_of_a_worker_that_left_in_order_is_over_if_asterisk_does_not_list_it(tracker: Tracker) -> None:
    left = adopt(tracker, begun_ago=1, dialing=1, signed_off=True)
    tracker.reconcile(tracker.suspects(), {}, gone=Outcome.LOST)
    assert left.outcome is Outcome.LOST
    died = adopt(tracker, begun_ago=1, dialing=1)
    tracker.reconcile(tracker.suspects(), {}, gone=Outcome.LOST)
    assert died.outcome is None, "what a dead worker had sent may still be on its way"


def test_adopted_call_that_may_never_have_been_sent_waits_until_it_is_overdue(tracker: Tracker, time: Time) -> None:
    call = adopt(tracker, begun_ago=30.0)
    assert tracker.suspects() == set()
    time.now += OVERDUE_SECONDS + 0.001
    tracker.reconcile(tracker.suspects(), {}, gone=Outcome.LOST)
    assert call.outcome is Outcome.LOST


def test_hangup_of_a_channel_that_was_up_tells_of_an_answer_that_nobody_saw(tracker: Tracker, time: Time) -> None:
    call = adopt(tracker, begun_ago=9, dialing=9)
    tell(tracker, hangup(16, state=6))
    time.now += LATE_SECONDS
    tracker.tick()
    assert call.outcome is Outcome.ABANDONED, "an agent nobody saw either"
    inform = adopt(tracker, kind="autoinforming", begun_ago=9, dialing=9)
    tell(tracker, hangup(16, state=6))
    assert inform.outcome is Outcome.ANSWERED
    refused = adopt(tracker, begun_ago=9, dialing=9)
    tell(tracker, hangup(17, state=0), failure(5))
    assert refused.outcome is Outcome.BUSY
    assert_clean(tracker)


def test_the_end_of_a_talk_tells_of_an_agent_whose_coming_nobody_saw(tracker: Tracker, time: Time) -> None:
    call = adopt(tracker, begun_ago=9, dialing=9, ringing=8)
    tell(tracker, agent_complete(), hangup(16, state=6))
    assert (call.outcome, call.agent) == (Outcome.ANSWERED, "PJSIP/agent1")
    assert call.steps[Step.AGENT] == time.now - 4
    assert call.steps[Step.ANSWERED] == time.now - 5
    overtaken = adopt(tracker, begun_ago=9, dialing=9, ringing=8)
    tell(tracker, hangup(16, state=6), agent_complete())
    assert (overtaken.outcome, overtaken.agent) == (Outcome.ANSWERED, "PJSIP/agent1")
    assert_clean(tracker)


def test_a_talk_longer_than_the_call_is_cut_to_what_is_known(tracker: Tracker, time: Time) -> None:
    call = adopt(tracker, begun_ago=9, dialing=9, ringing=3)
    tell(tracker, agent_complete(talk=900, hold=900))
    assert call.steps[Step.RINGING] <= call.steps[Step.ANSWERED] <= call.steps[Step.AGENT] <= time.now


def test_an_agent_who_was_seen_stays_the_agent(tracker: Tracker, call: Call) -> None:
    tell(tracker, up(), agent_connect("PJSIP/agent2"), agent_complete("PJSIP/agent1", talk=900))
    assert call.agent == "PJSIP/agent2"


def test_failure_of_a_call_that_was_out_of_sight_proves_no_fault_of_ours(tracker: Tracker, time: Time) -> None:
    adopted = adopt(tracker, dialing=24)
    tell(tracker, failure(0))
    time.now += LATE_SECONDS
    tracker.tick()
    assert adopted.outcome is Outcome.LOST
    unwatched = begin(tracker)
    tracker.shutdown(confirmed=False)
    tell(tracker, failure(3))
    time.now += LATE_SECONDS
    tracker.tick()
    assert unwatched.outcome is Outcome.NOANSWER
    assert_clean(tracker)


# --- queues and agents -----------------------------------------------------------------------------------


def test_first_queue_must_be_the_projects(tracker: Tracker, call: Call) -> None:
    tell(tracker, up(), queue_join("support"))
    assert set(heard(tracker).wrong_queue) == {"p"}
    assert "'support'" in heard(tracker).wrong_queue["p"]
    assert "'sales'" in heard(tracker).wrong_queue["p"]


def test_later_queue_is_a_transfer(tracker: Tracker, call: Call) -> None:
    tell(tracker, up(), queue_join(), agent_connect(), queue_join("support"))
    assert heard(tracker).wrong_queue == {}


def test_queue_of_a_call_that_was_out_of_sight_need_not_be_its_first(tracker: Tracker) -> None:
    adopt(tracker, answered=10)
    tell(tracker, queue_join("support"))
    assert heard(tracker).wrong_queue == {}


def test_message_may_lead_into_any_queue(tracker: Tracker) -> None:
    begin(tracker, type="autoinforming")
    tell(tracker, up(), queue_join("support"))
    assert heard(tracker).wrong_queue == {}


def test_call_wants_an_agent_until_one_is_rung_or_it_ends(tracker: Tracker, call: Call) -> None:
    assert call.wants_agent
    tell(tracker, newchannel(), up(), queue_join())
    assert call.wants_agent
    tell(tracker, agent_called("PJSIP/agent1"), agent_called("PJSIP/agent2"))
    assert not call.wants_agent
    tell(tracker, agent_ring_no_answer("PJSIP/agent1"))
    assert not call.wants_agent, "the other one still rings"
    tell(tracker, agent_ring_no_answer("PJSIP/agent2"))
    assert call.wants_agent
    tell(tracker, queue_abandon())
    assert not call.wants_agent


@pytest.mark.parametrize("ending", [hangup(17), failure(0)])
def test_call_that_is_ending_wants_no_agent(tracker: Tracker, call: Call, ending: Message) -> None:
    tell(tracker, newchannel(), ending)
    assert call.outcome is None
    assert not call.wants_agent


def test_informing_call_wants_no_agent(tracker: Tracker) -> None:
    assert not begin(tracker, type="autoinforming").wants_agent


# --- order -----------------------------------------------------------------------------------------------


def test_step_told_late_is_no_later_than_what_follows_it(time: Time, tracker: Tracker, call: Call) -> None:
    time.now += 5
    tell(tracker, up())
    answered = time.now
    time.now += 1
    tell(tracker, ringing(), agent_connect())
    time.now += 1
    tell(tracker, queue_join())
    assert call.steps[Step.RINGING] == answered
    assert call.steps[Step.WAITING] == call.steps[Step.AGENT] == answered + 1


STORIES: dict[str, tuple[dict[str, Any], list[Message], Outcome]] = {
    "agent": (
        {},
        [
            newchannel(),
            ringing(),
            dial_state("RINGING"),
            up(),
            dial_end("ANSWER"),
            success(),
            queue_join(),
            agent_called(),
            agent_connect(),
            hangup(16),
        ],
        Outcome.ANSWERED,
    ),
    "second agent": (
        {},
        [
            newchannel(),
            up(),
            success(),
            queue_join(),
            agent_called("PJSIP/agent4"),
            agent_ring_no_answer("PJSIP/agent4"),
            agent_called(),
            agent_connect(),
            hangup(16),
        ],
        Outcome.ANSWERED,
    ),
    "early hangup": (
        {"abandon_seconds": 5.0},
        [newchannel(), ringing(), up(), success(), queue_join(), queue_abandon(), hangup(16)],
        Outcome.EARLY_HANGUP,
    ),
    "abandoned": (
        {"abandon_seconds": 0.0},
        [newchannel(), ringing(), up(), success(), queue_join(), queue_abandon(), hangup(16)],
        Outcome.ABANDONED,
    ),
    "no queue": ({}, [newchannel(), up(), success(), hangup(16)], Outcome.ABANDONED),
    "informed": (
        {"type": "autoinforming"},
        [newchannel(), ringing(), up(), dial_end("ANSWER"), success(), played(), hangup(16)],
        Outcome.ANSWERED,
    ),
    "late media": (
        {"type": "autoinforming"},
        [newchannel(), dial_state("PROGRESS"), up(), dial_end("ANSWER"), success(), hangup(16)],
        Outcome.ANSWERED,
    ),
    "person": (
        {"amd": True},
        [newchannel(), up(), success(), amd("HUMAN"), queue_join(), agent_called(), agent_connect(), hangup(16)],
        Outcome.ANSWERED,
    ),
    "machine": ({"amd": True}, [newchannel(), up(), success(), amd("MACHINE"), hangup(16)], Outcome.MACHINE),
    "machine gets the message": (
        {"amd": True},
        [newchannel(), up(), success(), amd("MACHINE"), played(), hangup(16)],
        Outcome.MACHINE,
    ),
    "hung up on AMD": ({"amd": True}, [newchannel(), up(), success(), amd("HANGUP"), hangup(16)], Outcome.EARLY_HANGUP),
    "safe harbour": (
        {"abandon_seconds": 0.0},
        [newchannel(), up(), success(), queue_join(), queue_abandon(), played(), hangup(16)],
        Outcome.ABANDONED,
    ),
    "busy": ({}, [newchannel(), ringing(), failure(0), dial_end("BUSY"), hangup(17)], Outcome.BUSY),
    "no answer": ({}, [newchannel(), ringing(), failure(3), hangup(0)], Outcome.NOANSWER),
    "silent": ({}, [newchannel(), failure(3), hangup(0)], Outcome.NOANSWER),
    "no number": ({}, [newchannel(), failure(0), dial_end("NOANSWER"), hangup(1)], Outcome.INVALID),
    "congestion": ({}, [newchannel(), failure(0), dial_end("CONGESTION"), hangup(34)], Outcome.CONGESTION),
    "like a shutdown": ({}, [newchannel(), failure(0), dial_end("NOANSWER"), hangup(0)], Outcome.UNAVAILABLE),
    "no channel": ({}, [failure(0)], Outcome.FAILED),
}


@st.composite
def disorder(draw: st.DrawFn) -> tuple[str, list[Message]]:
    """A story with its events in any order, some of them twice."""
    name = draw(st.sampled_from(sorted(STORIES)))
    told = STORIES[name][1]
    return name, draw(st.permutations(told + draw(st.lists(st.sampled_from(told), max_size=4))))


@settings(max_examples=600, deadline=None)
@given(disorder())
def test_order_of_the_facts_changes_no_outcome(shuffled: tuple[str, list[Message]]) -> None:
    name, told = shuffled
    changes, in_order, outcome = STORIES[name]
    time = Time(50.0)
    tracker = Tracker(time, Heard())
    call = begin(tracker, **changes)
    states = [call.state]
    for one in told:
        tell(tracker, one)
        states.append(call.state)
    time.now += SHUTDOWN_SECONDS
    tracker.tick()
    assert call.outcome is outcome
    assert heard(tracker).over == [call], "it ends once"
    assert call.ended == 50.0
    assert states == sorted(states, key=list(State).index), "it never goes back"
    assert outcome in ENDINGS[state_at_the_end(call)]
    assert call.steps.keys() <= steps_of(in_order) | {Step.DIALING}
    until_the_end = told[: states.index(State.ENDED)] if State.ENDED in states else told
    if set(map(id, in_order)) <= set(map(id, until_the_end)):
        assert call.steps.keys() == steps_of(in_order) | {Step.DIALING}
    assert heard(tracker).wrong_queue == {}
    assert_clean(tracker)


def steps_of(told: list[Message]) -> set[Step]:
    """The steps that events show, read off their kinds alone."""
    steps = set()
    for one in told:
        if one.get("ChannelState") == "5" or one.name == "DialState":
            steps.add(Step.RINGING)
        if (
            one.get("ChannelState") == "6"
            or one.get("DialStatus") == "ANSWER"
            or one.get("Response") == "Success"
            or one.name in ("QueueCallerJoin", "AgentConnect", "UserEvent")
        ):
            steps.add(Step.ANSWERED)
        steps |= {
            "QueueCallerJoin": {Step.WAITING},
            "AgentConnect": {Step.AGENT},
            "UserEvent": {Step.AMD} if one.get("UserEvent") == "DialerAmd" else {Step.PLAYED},
        }.get(one.name, set())
    return steps


def state_at_the_end(call: Call) -> State:
    """Where the call was when it ended."""
    living = replace(call, outcome=None)
    return living.state


ANY_EVENT = st.sampled_from(
    [
        newchannel(),
        ringing(),
        dial_state("RINGING"),
        dial_state("PROGRESS"),
        up(),
        dial_end("ANSWER"),
        dial_end("BUSY"),
        success(),
        failure(0),
        failure(3),
        failure(5),
        queue_join(),
        queue_join("support"),
        queue_abandon(),
        agent_called(),
        agent_ring_no_answer(),
        agent_connect(),
        played(),
        amd("HUMAN"),
        amd("MACHINE"),
        amd("NOTSURE"),
        amd("HANGUP"),
        hangup(16),
        hangup(17),
        hangup(0),
        hangup(0, OTHER_HALF),
        newchannel(OTHER_HALF),
    ]
)
ANY_ACT = st.sampled_from(["wait", "tick", "shutdown", "lost", "carry on", "gone", "listed", "refused"])


@settings(max_examples=600, deadline=None)
@given(
    st.lists(st.one_of(ANY_EVENT, ANY_ACT), max_size=25),
    st.sampled_from(["PJSIP/1@carrier", "Local/1@carrier"]),
    st.sampled_from(["progressive", "autoinforming"]),
)
def test_whatever_happens_a_call_ends_once_with_an_outcome_of_its_state(
    acts: list[Message | str], dialled: str, mode: str
) -> None:
    """Contradictions too: no order and no mixture of events makes two outcomes, or none, or leaves a trace."""
    time = Time(10.0)
    tracker = Tracker(time, Heard())
    call = begin(tracker, channel=dialled, type=mode)
    ended: list[Call] = []
    for act in acts:
        if isinstance(act, Message):
            tell(tracker, act)
        else:
            perform(act, time, tracker, call)
        ended += heard(tracker).over
        heard(tracker).over.clear()
    time.now += 100
    tracker.tick()
    tracker.reconcile(tracker.suspects(), {}, gone=Outcome.LOST)
    time.now += SHUTDOWN_SECONDS
    tracker.tick()
    ended += heard(tracker).over
    assert ended == [call]
    assert call.outcome in ENDINGS[state_at_the_end(call)]
    assert call.ended is not None
    assert all(at <= call.ended for at in call.steps.values())
    assert_clean(tracker)


def perform(act: str, time: Time, tracker: Tracker, call: Call) -> None:
    acts: Mapping[str, Any] = {
        "wait": lambda: setattr(time, "now", time.now + 1.5),
        "tick": tracker.tick,
        "shutdown": lambda: tracker.shutdown(confirmed=True),
        "lost": lambda: tracker.shutdown(confirmed=False),
        "carry on": tracker.carry_on,
        "gone": lambda: tracker.reconcile(tracker.suspects(), {}, gone=Outcome.TECHNICAL),
        "listed": lambda: tracker.reconcile(tracker.suspects(), {"c1": channel("c1", "Up")}, gone=Outcome.LOST),
        "refused": lambda: tracker.replied(call, "Permission denied") if not call.channel_seen else None,
    }
    acts[act]()


# --- other people's calls --------------------------------------------------------------------------------


def test_events_of_other_calls_change_nothing(tracker: Tracker, call: Call) -> None:
    tell(tracker, newchannel())
    steps = dict(call.steps)
    tell(
        tracker,
        hangup(17, "c2"),
        hangup(17, ""),
        up("1795.3"),
        dial_end("ANSWER", "1795.3"),
        failure(0, "a2"),
        failure(0, ""),
        event("Hangup", Channel="PJSIP/carrier-00000001", Cause=17),
        event("AgentConnect", Uniqueid="c2", Linkedid="c1", Interface="PJSIP/agent1"),
        amd("MACHINE", "c2"),
        amd("MACHINE", ""),
        event("UserEvent", Linkedid="c1", UserEvent="DialerAmd", Attempt=1, Status="MACHINE"),
        event("Shutdown"),
        event("Nonsense", Uniqueid="c1"),
    )
    assert (call.outcome, call.steps, call.hung_up, call.refused) == (None, steps, None, None)
    assert call.amd_verdict is None
    assert len(tracker) == 1
    assert list(tracker.calls()) == [call]


# --- keys and opt-outs ---------------------------------------------------------------------------------------------


@pytest.fixture
def message(tracker: Tracker) -> Call:
    """A call that was answered and hears a message."""
    call = begin(tracker, type="autoinforming")
    tell(tracker, newchannel(), up())
    return call


def test_keys_are_kept_in_order_and_reported_each_time(tracker: Tracker, message: Call) -> None:
    for pressed in "1#*0":
        heard(tracker).changed.clear()
        tell(tracker, key(pressed))
        assert heard(tracker).changed == {message}
    assert message.keys == "1#*0"


@pytest.mark.parametrize("pressed", ["", "12", "A", "\u0661", "9; DROP"])
def test_what_is_no_key_is_not_kept(tracker: Tracker, message: Call, pressed: str) -> None:
    tell(tracker, key(pressed))
    assert message.keys == ""


def test_no_more_than_forty_keys_are_kept(tracker: Tracker, message: Call) -> None:
    tell(tracker, *[key("1")] * 50)
    assert message.keys == "1" * 40


def test_an_opt_out_is_told_once_at_the_instant_of_the_first(tracker: Tracker, message: Call, time: Time) -> None:
    tell(tracker, opt_out("9"))
    time.now += 5
    tell(tracker, opt_out("8"))
    assert heard(tracker).opt_outs == [message]
    assert (message.opted_out, message.opt_out_key, message.keys) == (1000.0, "9", "9")
    tell(tracker, hangup(16))
    assert message.outcome is Outcome.ANSWERED


@pytest.mark.parametrize("pressed", ["", "any"])
def test_an_opt_out_counts_whatever_its_key(tracker: Tracker, message: Call, pressed: str) -> None:
    tell(tracker, opt_out(pressed))
    assert heard(tracker).opt_outs == [message]
    assert (message.opt_out_key, message.keys) == ("", "")


def test_an_opt_out_shows_that_the_call_was_answered(tracker: Tracker) -> None:
    call = begin(tracker, type="autoinforming")
    tell(tracker, newchannel(), opt_out())
    assert call.answered


@pytest.mark.parametrize("fields", [{"Linkedid": "c1"}, {"Uniqueid": "c2"}, {"Attempt": 1}])
def test_keys_and_opt_outs_count_only_by_the_uniqueid(
    tracker: Tracker, message: Call, fields: dict[str, object]
) -> None:
    """A caller may write header lines into events; the Uniqueid nobody can guess."""
    for kind in ("DialerKey", "DialerOptOut"):
        tell(tracker, event("UserEvent", UserEvent=kind, Key="9", **fields))
    assert message.keys == ""
    assert heard(tracker).opt_outs == []


def test_who_asks_for_an_agent_in_a_message_needs_one(tracker: Tracker, message: Call) -> None:
    assert not message.wants_agent
    tell(tracker, key("2"), queue_join())
    assert message.wants_agent
    assert heard(tracker).wrong_queue == {}
    tell(tracker, agent_connect())
    assert not message.wants_agent
    tell(tracker, hangup(16))
    assert message.outcome is Outcome.ANSWERED


def test_an_adopted_call_goes_on_with_the_keys_that_are_known(tracker: Tracker) -> None:
    call = tracker.adopt(
        OpenAttempt(
            attempt_id=1,
            case_id=7,
            project_id="p",
            phone_number="1",
            type="autoinforming",
            queue="sales",
            channel_id="c1",
            action_id="a1",
            epoch=1,
            dial_seconds=30,
            abandon_seconds=2,
            agent=None,
            begun_ago=9.0,
            steps_ago={Step.ANSWERED: 5.0},
            keys_pressed="1",
        )
    )
    tell(tracker, key("2"))
    assert call.keys == "12"
