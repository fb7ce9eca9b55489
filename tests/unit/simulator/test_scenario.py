"""Scenarios: what is wrong is named, with what to do; a file says the same as the classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulator import Agent, Mix, Queue, Scenario, ScenarioError, Subscribers, Trunk, call_centre, load
from simulator.scenario import Context, Spread, fixed, from_mapping, lab, lognormal, uniform

WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Spread("normal", 1), "kind 'normal' is unknown"),
    (lambda: uniform(3, 1), "ends before it begins"),
    (lambda: fixed(-1), "not negative"),
    (lambda: Mix(answer=1.2), "answer = 1.2 must be between 0 and 1"),
    (lambda: Mix(answer=0.8, busy=0.3, failure=0), "add up to 1.1"),
    (lambda: Mix(from_second=86_400), "second of the day"),
    (lambda: Subscribers(mixes=(Mix(from_second=60),)), "must begin at second 0"),
    (lambda: Subscribers(mixes=(Mix(), Mix())), "must rise"),
    (lambda: Subscribers(prefixes={"2x": "answer"}), "prefix '2x'"),
    (lambda: Subscribers(prefixes={"20": "sings"}), "behaviour 'sings' of prefix 20 is unknown"),
    (lambda: Subscribers(failures={999: 1.0}), "SIP answer 999 is unknown"),
    (lambda: Subscribers(failures={404: 0.0}), "a weight above 0"),
    (lambda: Subscribers(hears_out=2), "hears_out = 2"),
    (lambda: Agent("agent1"), "should look like PJSIP/agent1"),
    (lambda: Agent("PJSIP/a", answers=3), "answers = 3 of PJSIP/a"),
    (lambda: Queue("no spaces"), "queue name 'no spaces'"),
    (lambda: Queue("q", timeout=0), "times of queue q"),
    (lambda: Trunk("t", max_channels=-1), "max_channels = -1 of trunk t"),
    (lambda: Trunk("t", refuses=200), "refuses = 200 of trunk t"),
    (lambda: Subscribers(opts_out=1.5), "The share opts_out = 1.5"),
    (lambda: Subscribers(opts_out=0.6, asks_agent=0.6), "opts_out 0.6 and asks_agent 0.6 must add up"),
    (lambda: Subscribers(prefixes={"1": "presses_"}), "The behaviour 'presses_' of prefix 1 is unknown"),
    (lambda: Context("c", "dance"), "Context c does 'dance'"),
    (lambda: Scenario(queues=(Queue("q", ("PJSIP/ghost",)),)), "member 'PJSIP/ghost', but no agent"),
    (lambda: Scenario(queues=(Queue("q"), Queue("q"))), "queue 'q' is there twice"),
    (lambda: call_centre(agents=-1), "agents = -1"),
    (lambda: call_centre(speed=0), "speed = 0"),
    (lambda: call_centre(answer_rate=1.5), "answer = 1.5"),
    (lambda: from_mapping({"agent": []}), r"agent is not known: use subscribers, agents, queues"),
    (lambda: from_mapping({"agents": {}}), r"write \[\[agents\]\]"),
    (lambda: from_mapping({"agents": [{"name": "x"}]}), r"agents\[0\] is not complete"),
    (lambda: from_mapping({"agents": [{"interface": 5}]}), r"agents\[0\].interface = 5 is not a str"),
    (lambda: from_mapping({"queues": [{"name": "q", "timeout": "x"}]}), r"queues\[0\].timeout = 'x' is not a float"),
    (lambda: from_mapping({"subscribers": {"ring": "soon"}}), "subscribers.ring = 'soon' is not a spread"),
    (lambda: from_mapping({"subscribers": {"rings": 1}}), "subscribers.rings is not known: use prefixes, mixes"),
    (
        lambda: from_mapping({"subscribers": {"mixes": [{"answers": 1}]}}),
        r"mixes\[0\].answers is not known: use answer,",
    ),
    (lambda: from_mapping({"subscribers": {"mixes": [7]}}), r"subscribers.mixes\[0\] is 7; it should be a table"),
    (lambda: from_mapping({"subscribers": {"failures": {"x": 1}}}), "subscribers.failures.x = 'x' is not an int"),
    (lambda: from_mapping({"subscribers": {"ring": {"normal": [1]}}}), "kind 'normal' is unknown"),
    (lambda: from_mapping({"users": [{"read": "all"}]}), r"users\[0\].read = 'all' is not a list"),
    (lambda: from_mapping({"down_seconds": "long"}), "down_seconds = 'long' is not a float"),
]


@pytest.mark.parametrize(("make", "told"), WRONG)
def test_a_wrong_value_is_named_with_its_remedy(make: Callable[[], object], told: str) -> None:
    with pytest.raises(ScenarioError, match=told):
        make()


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        from_mapping({"agents": [{"name": "x"}, {"interface": 5}], "subscribers": {"ring": "soon"}})
    told = ("agents[0] is not complete", "agents[1].interface = 5 is not a str", "subscribers.ring = 'soon'")
    assert all(one in str(caught.value) for one in told)
    assert "write seconds, {uniform = [1, 3]} or" in str(caught.value)


def test_spreads_are_quantile_functions() -> None:
    assert fixed(3).at(0.9) == 3
    assert uniform(1, 3).at(0.25) == 1.5
    assert lognormal(60, 0.8).at(0.5) == pytest.approx(60)
    assert Spread("exponential", 10).at(0.5) == pytest.approx(6.931, abs=0.001)
    for spread in (lognormal(60, 0.8), Spread("exponential", 10)):
        values = [spread.at(u) for u in (0.0, 0.1, 0.5, 0.9, 1.0)]
        assert values == sorted(values)
        assert values[-1] < float("inf")


def test_the_mix_of_the_hour_is_the_last_that_began() -> None:
    morning, evening = Mix(answer=0.2), Mix(answer=0.6, from_second=17 * 3600)
    people = Subscribers(mixes=(morning, evening))
    midnight = 1_800_000_000 // 86_400 * 86_400
    assert people.mix_at(midnight) is morning
    assert people.mix_at(midnight + 17 * 3600 - 1) is morning
    assert people.mix_at(midnight + 17 * 3600) is evening


def test_a_file_describes_a_whole_scenario(tmp_path: Path) -> None:
    file = tmp_path / "night.toml"
    file.write_text(
        """
        down_seconds = 1
        local_contexts = ["away"]
        [subscribers]
        ring = {lognormal = [7, 0.5]}
        talk = 45
        hears_out = 0.5
        prefixes = {"7" = "answer", "79" = "486", "8" = 404}
        failures = {404 = 1, 503 = 2.5}
        [[subscribers.mixes]]
        answer = 0.3
        [[subscribers.mixes]]
        answer = 0.5
        from_second = 64800
        [[agents]]
        interface = "PJSIP/anna"
        name = "Anna"
        pick_up = {uniform = [1, 2]}
        answers = 0.9
        [[queues]]
        name = "sales"
        members = ["PJSIP/anna"]
        wrapuptime = 7
        [[trunks]]
        name = "carrier"
        max_channels = 30
        [[users]]
        name = "dialer"
        secret = "s"
        read = ["all"]
        """
    )
    scenario = load(file)
    assert scenario.subscribers.ring == lognormal(7, 0.5)
    assert scenario.subscribers.talk == fixed(45)
    assert scenario.subscribers.prefixes == {"7": "answer", "79": "486", "8": "404"}
    assert scenario.subscribers.failures == {404: 1.0, 503: 2.5}
    assert [mix.from_second for mix in scenario.subscribers.mixes] == [0, 64_800]
    assert scenario.agents == (Agent("PJSIP/anna", "Anna", pick_up=uniform(1, 2), answers=0.9),)
    assert scenario.queues == (Queue("sales", ("PJSIP/anna",), wrapuptime=7),)
    assert scenario.trunks == (Trunk("carrier", 30),)
    assert scenario.users[0].read == {"all"}
    assert scenario.local_contexts == ("away",)
    assert scenario.down_seconds == 1.0


def test_a_file_that_is_not_there_or_no_toml_is_said(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[")
    with pytest.raises(ScenarioError, match="not valid TOML"):
        load(tmp_path / "bad.toml")


def test_secrets_are_not_printed() -> None:
    assert "swordfish" not in repr(call_centre(secret="swordfish"))


def test_the_ready_made_scenarios_stand() -> None:
    assert len(lab().agents) == 5
    assert len(call_centre(agents=500, queues=("a", "b")).queues[1].members) == 500
