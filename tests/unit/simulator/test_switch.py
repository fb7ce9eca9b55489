"""The model by itself, in virtual time: queues, wrap-up, trunks, and what repeats from run to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from simulator import Agent, Queue, Scenario, Subscribers, Trunk, call_centre, lab
from simulator.scenario import LAB_PREFIXES, Context, fixed
from simulator.switch.switch import matches
from tests.unit.simulator.world import START, World

CAPTURE = Path(__file__).parents[2] / "data" / "ami" / "mixed-200-calls.txt"

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


def quick(name: str, **changes: object) -> Agent:
    return Agent(f"PJSIP/{name}", name, **{"pick_up": fixed(1.0), "talk": fixed(10.0), **changes})  # type: ignore[arg-type]


def capture_fields() -> dict[str, set[tuple[str, ...]]]:
    """Event name -> the orders of fields seen in the recording of a real Asterisk."""
    seen: dict[str, set[tuple[str, ...]]] = {}
    for message in CAPTURE.read_bytes().split(b"\r\n\r\n"):
        keys = [line.partition(b":")[0].decode() for line in message.split(b"\r\n")]
        if message.startswith(b"Event: ") and "Timestamp" in keys:
            name = message.split(b"\r\n")[0].removeprefix(b"Event: ").decode()
            seen.setdefault(name, set()).add(tuple(keys[3:]))
    return seen


def test_events_have_the_fields_of_a_recorded_asterisk(make: Make) -> None:
    world = make(lab())
    for prefix in LAB_PREFIXES:
        world.call(f"{prefix}00001", context="progressive", timeout=4)
        world.call(f"{prefix}00002", context="autoinforming", timeout=4)
        world.call(f"{prefix}00003", queue="empty", timeout=4)
    world.run(120)
    recorded = capture_fields()
    names = {event["Event"] for event in world.events}
    assert names == {"UserEvent", *recorded} & names | {"UserEvent"}
    assert {"AgentRingNoAnswer", "QueueCallerAbandon", "AgentComplete", "DialState"} <= names
    for event in world.events:
        keys = tuple(key for key in event if key not in ("Event", "Class", "At"))
        if event["Event"] != "UserEvent":
            assert keys in recorded[event["Event"]], event["Event"]
    assert world.switch.channels.statistics.channels == 0
    assert world.switch.channels.calls == {}
    assert world.switch.channels.offers == {}


def test_agents_take_turns(make: Make) -> None:
    world = make(team(quick("a"), quick("b"), quick("c")))
    for n in range(6):
        world.call(f"30000{n}")
        world.run(15)
    assert [e["MemberName"] for e in world.of("AgentConnect")] == ["a", "b", "c", "a", "b", "c"]


def test_two_callers_never_get_one_agent(make: Make) -> None:
    world = make(team(quick("a")))
    for n in range(4):
        world.call(f"30000{n}")
    world.run(100)
    at = [float(e["At"]) for e in world.of("AgentConnect")]
    joined = [e["Uniqueid"] for e in world.of("QueueCallerJoin")]
    assert [e["Uniqueid"] for e in world.of("AgentConnect")] == joined
    # Ten seconds of talk each; who waits looks once a second.
    assert all(11 <= later - earlier <= 12.1 for earlier, later in pairwise(at))
    assert [e["Position"] for e in world.of("QueueCallerJoin")] == ["1", "2", "3", "4"]


def test_wrapuptime_keeps_an_agent_free_of_calls_without_an_event(make: Make) -> None:
    world = make(team(quick("a"), wrapuptime=30))
    world.call("300001")
    world.call("300002")
    world.run(100)
    ended = float(world.of("AgentComplete")[0]["At"])
    called = float(world.of("AgentCalled")[1]["At"])
    assert 29 <= called - ended <= 32
    assert world.of("QueueMemberPause") == []


def test_an_agent_may_pause_for_wrap_up_and_comes_back(make: Make) -> None:
    world = make(team(quick("a", wrap_up=fixed(20.0))))
    world.call("300001")
    world.call("300002")
    world.run(100)
    assert [(e["Paused"], e["PausedReason"]) for e in world.of("QueueMemberPause")][:2] == [("1", "wrap-up"), ("0", "")]
    called = [float(e["At"]) for e in world.of("AgentCalled")]
    assert called[1] - float(world.of("AgentComplete")[0]["At"]) >= 20


def test_who_does_not_pick_up_is_passed_over(make: Make) -> None:
    world = make(team(quick("deaf", answers=0.0), quick("b"), timeout=5.0))
    world.call("300001")
    world.run(60)
    assert [e["MemberName"] for e in world.of("AgentCalled")] == ["deaf", "b"]
    assert [e["RingTime"] for e in world.of("AgentRingNoAnswer")] == ["5000"]
    assert [e["DialStatus"] for e in world.of("DialEnd") if "Channel" in e] == ["NOANSWER", "CANCEL", "ANSWER"]


def test_a_team_of_busy_telephones_is_tried_again_each_retry(make: Make) -> None:
    world = make(team(quick("a", busy=True), quick("b", busy=True), retry=5.0))
    world.call("300001")
    world.run(12)
    assert [e["MemberName"] for e in world.of("AgentCalled")] == ["a", "b"] * 3


def test_paused_and_absent_agents_are_not_called_until_they_are_back(make: Make) -> None:
    world = make(team(quick("paused", paused=True), quick("absent", present=False)))
    world.call("300001", timeout=30)
    world.run(5)
    assert world.of("AgentCalled") == []
    world.switch.app_queue.set_present(world.switch.app_queue.devices["PJSIP/absent"], True)
    world.run(5)
    back = world.of("QueueMemberStatus")[0]
    assert (back["MemberName"], back["Status"]) == ("absent", "1")
    assert [e["MemberName"] for e in world.of("AgentConnect")] == ["absent"]
    world.call("300002")
    world.run(1)
    world.switch.app_queue.pause(world.switch.app_queue.devices["PJSIP/paused"], False, "")
    world.run(5)
    assert [e["MemberName"] for e in world.of("AgentConnect")] == ["absent", "paused"]


def test_the_queue_lets_go_of_a_caller_after_its_longest_wait(make: Make) -> None:
    world = make(team(max_wait=60.0))
    call = world.call("300001")
    world.run(100)
    assert [e["HoldTime"] for e in world.of("QueueCallerAbandon", Uniqueid=call)] == ["60"]
    (left,) = world.of("QueueCallerLeave")
    (ended,) = world.of("Hangup", Uniqueid=call)
    assert 60 <= float(left["At"]) <= 60.1
    assert (ended["Cause"], ended["Priority"]) == ("16", "3")


def test_over_its_channels_a_trunk_answers_503(make: Make) -> None:
    world = make(replace(lab(), trunks=(Trunk("carrier", max_channels=2),)))
    for n in range(5):
        world.call(f"23000{n}", timeout=10)
    world.run(1)
    assert [e["Cause"] for e in world.of("Hangup")] == ["34"] * 3
    world.run(20)
    world.call("230009", timeout=10)
    world.run(20)
    assert world.of("Hangup", Uniqueid="id-230009")[0]["Cause"] == "0"


def test_a_trunk_whose_carrier_refuses_all_recovers(make: Make) -> None:
    world = make(replace(lab(), trunks=(Trunk("carrier", refuses=404),)))
    first = world.call("300001")
    world.run(1)
    world.switch.trunks["carrier"] = Trunk("carrier")
    second = world.call("300002", queue="empty")
    world.run(1)
    assert world.of("Hangup", Uniqueid=first)[0]["Cause"] == "1"
    assert world.of("QueueCallerJoin", Uniqueid=second)
    assert [call.behaviour for call in world.switch.calls_log] == ["404", "answer_at_once"]


@pytest.mark.parametrize(
    ("number", "reason", "status", "causes"),
    [
        ("2200001", "5", "BUSY", ["0", "17"]),
        ("2600001", "8", "CONGESTION", ["0", "34"]),
        ("2500001", "0", "NOANSWER", ["1", "1"]),
    ],
)
def test_local_channels_keep_the_cause_in_their_second_half(
    make: Make, number: str, reason: str, status: str, causes: list[str]
) -> None:
    world = make(lab())
    call = world.call(number, dial="Local/{}@outbound/n")
    world.run(1)
    assert [e["Uniqueid"] for e in world.of("Newchannel")] == [call, f"{call};2"]
    assert [e["Channel"] for e in world.of("Newchannel")] == [
        f"Local/{number}@outbound-00000000;1",
        f"Local/{number}@outbound-00000000;2",
    ]
    assert [e["Cause"] for e in world.of("Hangup")] == causes
    assert world.of("OriginateResponse")[0]["Reason"] == reason
    assert world.of("DialEnd")[0]["DialStatus"] == status


def test_every_attempt_ends_once_and_gives_back_what_it_held(make: Make) -> None:
    world = make(call_centre(agents=20, queues=("sales", "support"), max_channels=60))
    for n in range(600):
        world.call(f"7495{n:07}", queue="support" if n % 3 else "sales", channel_id=f"c{n}")
        world.call(f"7499{n:07}", context="autoinforming", channel_id=f"i{n}")
        world.run(0.5)
    world.run(3_000)
    assert Counter(e["Uniqueid"] for e in world.of("OriginateResponse")) == Counter(
        [f"{kind}{n}" for n in range(600) for kind in "ci"]
    )
    began = Counter(e["Uniqueid"] for e in world.of("Newchannel"))
    assert began == Counter(e["Uniqueid"] for e in world.of("Hangup"))
    assert set(began.values()) == {1}
    joined = {e["Uniqueid"] for e in world.of("QueueCallerJoin")}
    left = Counter(e["Uniqueid"] for e in world.of("QueueCallerLeave"))
    assert left == Counter(joined)
    gave_up = {e["Uniqueid"] for e in world.of("QueueCallerAbandon")}
    talked = {e["Uniqueid"] for e in world.of("AgentConnect")}
    timed_out = joined - gave_up - talked
    assert gave_up & talked == set()
    assert len(timed_out) < len(joined) / 10
    assert {e["Uniqueid"] for e in world.of("AgentComplete")} == talked
    assert all(device.state == 1 for device in world.switch.app_queue.devices.values())
    assert all(len(queue.ready) == 20 and not queue.entries for queue in world.switch.app_queue.queues.values())
    assert set(world.switch._trunk_load.values()) == {0}
    assert world.switch.channels.statistics.channels == 0


def test_the_fates_do_not_depend_on_when_or_in_which_order_one_dials(make: Make) -> None:
    """Two runs, one slow and forwards, one fast and backwards: the same people, the same answers."""
    numbers = [f"7495{n:07}" for n in range(150)]

    def run(order: list[str], pause: float) -> dict[tuple[str, int], tuple[str, float | None]]:
        world = make(call_centre(agents=5), 42)
        for attempt in range(2):
            for number in order:
                world.call(number, channel_id=f"{number}-{attempt}")
                world.run(pause)
        world.run(600)
        return {
            (call.number, int(call.channel_id[-1])): (
                call.behaviour,
                round(call.answered - call.begun, 6) if call.answered else None,
            )
            for call in world.switch.calls_log
        }

    assert run(numbers, 3.0) == run(numbers[::-1], 0.1)


def test_two_runs_alike_are_alike_to_the_byte(make: Make) -> None:
    def run() -> list[dict[str, str]]:
        world = make(call_centre(agents=5), 9)
        for n in range(100):
            world.call(f"7495{n:07}")
            world.run(1)
        world.run(300)
        return world.events

    assert run() == run()


def test_the_calls_log_is_the_carriers_own(make: Make) -> None:
    world = make(replace(lab(), subscribers=Subscribers(prefixes=LAB_PREFIXES, ring=fixed(1.0))))
    world.call("2100001")
    world.call("2200002")
    world.call("9900003", dial="PJSIP/{}@nosuch")
    world.run(30)
    talked, busy = world.switch.calls_log
    assert (talked.number, talked.channel_id, talked.behaviour) == ("2100001", "id-2100001", "answer_and_leave")
    assert talked.begun == START
    assert talked.ringing is not None
    assert talked.answered is not None
    assert talked.connected is not None
    assert talked.ended == pytest.approx(talked.answered + 3)
    assert (talked.agent, talked.cause, talked.ended_by) == ("PJSIP/agent1", 16, "subscriber")
    assert (busy.behaviour, busy.answered, busy.cause, busy.ended_by) == ("486", None, 17, "carrier")


def test_half_heard_messages_are_not_played(make: Make) -> None:
    contexts = (Context("autoinforming", "message", message=fixed(10.0)),)
    scenario = replace(call_centre(answer_rate=1.0), contexts=contexts)
    world = make(scenario)
    for n in range(300):
        world.call(f"7495{n:07}", context="autoinforming", timeout=600)
    world.run(700)
    played = len(world.of("UserEvent"))
    assert 0.7 < played / 300 < 0.9
    assert played == world.switch.channels.statistics.played
    assert len(world.of("Hangup", Cause="16")) == 300


def test_people_press_keys_for_what_a_message_offers_them(make: Make) -> None:
    scenario = call_centre(answer_rate=1.0, machines=0.2)
    people = replace(scenario.subscribers, opts_out=0.2, asks_agent=0.3)
    world = make(replace(scenario, subscribers=people))
    offered = {"DIALER_KEY_OPT_OUT": "9", "DIALER_KEY_AGENT": "0"}
    for n in range(300):
        world.call(f"7495{n:07}", context="autoinforming", timeout=600, **offered)
    for n in range(100):
        world.call(f"7496{n:07}", context="autoinforming", timeout=600)
    world.run(3000)
    opt_outs, asked = world.of("UserEvent", UserEvent="DialerOptOut"), world.of("UserEvent", UserEvent="DialerKey")
    assert 0.1 < len(opt_outs) / 300 < 0.22
    assert 0.17 < len(asked) / 300 < 0.31
    assert {event["Key"] for event in opt_outs} == {"9"}
    assert {event["Key"] for event in asked} == {"0"}
    assert {event["Uniqueid"] for event in asked} == {event["Uniqueid"] for event in world.of("QueueCallerJoin")}
    assert world.switch.channels.statistics.opted_out == len(opt_outs)
    assert {key for _, key in world.switch.astdb} == {event["Uniqueid"] for event in opt_outs}
    log = {call.channel_id: call for call in world.switch.calls_log}
    assert all(log[event["Uniqueid"]].keys == "9" for event in opt_outs)
    assert not any(call.keys for call in log.values() if call.machine or call.number.startswith("7496"))
    assert world.switch.channels.calls == {}


@pytest.mark.parametrize(
    ("pattern", "exten", "fits"),
    [
        *(("s", "s", True), ("s", "ss", False), ("_X.", "12", True), ("_X.", "1", False), ("_X.", "a1", False)),
        *(("_NXX!", "200", True), ("_NXX!", "100", False), ("_[1-35]Z", "51", True), ("_[1-35]Z", "41", False)),
        *(("_+7X", "+71", True), ("_+7X", "771", False)),
    ],
)
def test_extension_patterns(pattern: str, exten: str, fits: bool) -> None:
    assert matches(pattern, exten) is fits
