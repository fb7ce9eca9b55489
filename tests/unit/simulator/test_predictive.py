"""Predictive mode in the model: patience, safe harbour, answering machines, agents' breaks, answer rates that move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from simulator import Agent, Mix, Queue, Scenario, Subscribers, call_centre, lab
from simulator.people import draw
from simulator.scenario import fixed, lognormal, uniform
from tests.unit.simulator.world import World

NOON = 1_800_000_000 // 86_400 * 86_400 + 43_200.0
Make = Callable[..., World]


@pytest.fixture
def make() -> Iterator[Make]:
    worlds: list[World] = []

    def build(scenario: Scenario, seed: int = 1) -> World:
        worlds.append(World(scenario, seed))
        return worlds[-1]

    yield build
    for world in worlds:
        world.close()


def team(*agents: Agent, **queue: object) -> Scenario:
    """The lab's subscribers, and one queue `sales` of these agents."""
    members = tuple(agent.interface for agent in agents)
    return replace(lab(), agents=agents, queues=(Queue("sales", members, **queue),))  # type: ignore[arg-type]


def told(world: World, call: str) -> list[str]:
    """The call's own events from the queue on, user events by their names."""
    names = ("QueueCallerJoin", "QueueCallerAbandon", "AgentConnect", "UserEvent", "Hangup")
    found = [event for event in world.events if event.get("Uniqueid") == call and event["Event"] in names]
    return [event.get("UserEvent", event["Event"]) for event in found]


def test_whom_nobody_takes_within_his_patience_hears_the_message(make: Make) -> None:
    world = make(team())
    call = world.call("300001", context="predictive", DIALER_PATIENCE="2")
    world.run(20)
    assert told(world, call) == ["QueueCallerJoin", "QueueCallerAbandon", "DialerPlayed", "Hangup"]
    (joined,), (left,) = world.of("QueueCallerJoin"), world.of("QueueCallerAbandon")
    assert float(left["At"]) - float(joined["At"]) == pytest.approx(2)
    assert world.switch.channels.statistics.let_go == 1
    assert world.of("Hangup")[0]["Context"] == "safe-harbour"


def test_an_agent_is_not_rung_for_longer_than_the_caller_stays(make: Make) -> None:
    world = make(team(Agent("PJSIP/a", pick_up=fixed(5.0)), timeout=15.0))
    call = world.call("300001", context="predictive", DIALER_PATIENCE="3")
    world.run(20)
    assert told(world, call) == ["QueueCallerJoin", "QueueCallerAbandon", "DialerPlayed", "Hangup"]
    assert [event["RingTime"] for event in world.of("AgentRingNoAnswer")] == ["3000"]
    assert world.switch.channels.offers == {}


def test_without_a_patience_the_caller_stays_for_the_queues_longest_wait(make: Make) -> None:
    world = make(team())
    call = world.call("300001", context="predictive")
    world.run(59)
    assert told(world, call) == ["QueueCallerJoin"]
    world.run(20)
    assert told(world, call) == ["QueueCallerJoin", "QueueCallerAbandon", "DialerPlayed", "Hangup"]


def busy_day(**changes: object) -> Scenario:
    people = replace(call_centre(agents=0).subscribers, mixes=(Mix(1.0, 0.0, 0.0),), **changes)  # type: ignore[arg-type]
    return replace(call_centre(agents=0), subscribers=people)


def test_amd_is_right_and_wrong_in_the_shares_given(make: Make) -> None:
    world = make(busy_day(machines=0.4, taken_for_machines=0.1, taken_for_people=0.2, bears_silence=fixed(60.0)))
    for n in range(3_000):
        world.call(f"7495{n:07}", context="predictive", timeout=600, DIALER_AMD="1", DIALER_PATIENCE="2")
    world.run(700)
    calls = world.switch.calls_log
    found = Counter((call.machine, call.verdict) for call in calls)
    people, machines = (sum(call.machine is kind for call in calls) for kind in (False, True))
    assert machines / len(calls) == pytest.approx(0.4, abs=0.03)
    assert found[False, "MACHINE"] / people == pytest.approx(0.1, abs=0.02)
    assert found[True, "HUMAN"] / machines == pytest.approx(0.2, abs=0.03)
    assert world.switch.channels.statistics.verdicts == Counter(call.verdict for call in calls)
    waits = [call.judged - call.answered for call in calls if call.judged and call.answered]
    assert len(waits) == len(calls)
    assert min(waits) > 0.3
    assert max(waits) == pytest.approx(4.0)
    heard = {event["Uniqueid"] for event in world.of("QueueCallerJoin")}
    assert heard == {call.channel_id for call in calls if call.verdict != "MACHINE"}, "a machine meets no queue"


def test_a_person_may_hang_up_on_silence(make: Make) -> None:
    world = make(busy_day(bears_silence=fixed(0.2)))
    call = world.call("74950000001", context="predictive", timeout=600, DIALER_AMD="1")
    world.run(120)
    assert told(world, call) == ["DialerAmd", "Hangup"]
    assert [event["Status"] for event in world.of("UserEvent")] == ["HANGUP"]
    assert [(event["Exten"], event["Priority"]) for event in world.of("Hangup")] == [("h", "4")]


@pytest.mark.parametrize(("action", "story"), [("hangup", []), ("message", ["DialerPlayed"])])
def test_a_machine_is_hung_up_on_or_gets_the_message(make: Make, action: str, story: list[str]) -> None:
    world = make(busy_day(machines=1.0, taken_for_people=0.0, not_sure=0.0))
    call = world.call("74950000001", context="predictive", timeout=600, DIALER_AMD="1", DIALER_MACHINE=action)
    world.run(120)
    assert told(world, call) == ["DialerAmd", *story, "Hangup"]


def test_without_machines_every_call_is_as_it_was_before_there_were_any(make: Make) -> None:
    some = replace(Subscribers(), machines=0.5)
    for n in range(300):
        before, after = (draw(people, 1, f"7495{n:07}", 0, NOON) for people in (Subscribers(), some))
        assert (before.name, before.answer_after, before.order) == (after.name, after.answer_after, after.order)
        assert not before.machine


def test_agents_take_breaks_and_come_back(make: Make) -> None:
    scenario = call_centre(agents=20, breaks=(uniform(1_000.0, 3_000.0), lognormal(300.0, 0.3)))
    world = make(scenario)
    world.run(4 * 3_600)
    told = world.of("QueueMemberPause")
    assert {event["PausedReason"] for event in told} == {"break", ""}
    for interface in {event["Interface"] for event in told}:
        mine = [event["Paused"] for event in told if event["Interface"] == interface]
        assert mine == ["1", "0"] * (len(mine) // 2) + ["1"] * (len(mine) % 2)
    breaks = sum(event["Paused"] == "1" for event in told)
    assert 20 * 4 < breaks < 20 * 9  # 4 hours, 2,300 s from one to the next


def test_who_pauses_while_talking_gets_no_further_call(make: Make) -> None:
    agent = Agent(
        "PJSIP/a",
        pick_up=fixed(0.5),
        talk=fixed(50.0),
        wrap_up=fixed(5.0),
        break_after=fixed(20.0),
        break_length=fixed(600.0),
    )
    world = make(team(agent))
    world.call("300001")
    world.call("300002")
    world.run(500)
    assert len(world.of("AgentConnect")) == len(world.of("AgentComplete")) == 1
    assert [(e["Paused"], e["PausedReason"]) for e in world.of("QueueMemberPause")] == [("1", "break")]
    assert world.of("QueueMemberPause")[0]["InCall"] == "1"


def test_an_answer_rate_may_drift_or_jump() -> None:
    steps = ((0.0, 0.2), (36_000.0, 0.6), (72_000.0, 0.6))
    jumping = call_centre(answer_rate=steps).subscribers
    drifting = call_centre(answer_rate=steps, drifting=True).subscribers
    midnight = NOON - 43_200
    hours = [midnight + 3_600 * hour for hour in range(24)]
    assert [jumping.mix_at(at).answer for at in hours] == [0.2] * 10 + [0.6] * 14
    rates = [drifting.mix_at(at).answer for at in hours]
    assert rates[:11] == pytest.approx([0.2 + 0.04 * hour for hour in range(11)])
    assert all(earlier <= later for earlier, later in pairwise(rates))
    assert rates[10:] == pytest.approx([0.6] * 14)
