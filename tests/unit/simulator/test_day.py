"""The model of a day: nobody talks to two people, every call ends once, and policies are told what happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from dialer.cli import main
from simulator.day import Case, CaseList, Day, Figures, Policy, Predictive, Redial, Rules
from simulator.scenario import Scenario, ScenarioError, call_centre, fixed, lognormal
from worker.pacing.observed import Observation
from worker.pacing.settings import PacingSettings

SPAN = 600.0
BREAKS = (lognormal(200.0, 0.5), lognormal(60.0, 0.5))


class ByAgents(Policy):
    """So many calls for each free agent; writes down what it is told."""

    def __init__(self, ratio: float = 1.0) -> None:
        self.ratio = ratio
        self.told = Counter[str]()
        self.talks: list[float] = []
        self.wrap_ups: list[float] = []
        self.ages: list[float] = []
        self.seen: list[Observation] = []
        self.cases: list[Case] = []

    def quota(self, seen: Observation) -> int:
        self.seen.append(seen)
        return max(0, int(self.ratio * (seen.free - seen.waiting)) - len(seen.calls))

    def odds(self, case: Case, now: float) -> float:
        self.cases.append(case)
        return 1.0

    def answered(self, case: Case, age: float, odds: float, now: float) -> None:
        self.told["answered"] += 1
        self.ages.append(age)

    def failed(self, case: Case, age: float, odds: float, now: float) -> None:
        self.told["failed"] += 1
        self.ages.append(age)

    def ended(self, *, abandoned: bool) -> None:
        self.told["abandoned" if abandoned else "connected"] += 1

    def talked(self, seconds: float) -> None:
        self.talks.append(seconds)

    def wrapped_up(self, seconds: float) -> None:
        self.wrap_ups.append(seconds)


def centre(agents: int = 10, **more: object) -> Scenario:
    """Agents whose phones answer by themselves."""
    known = {"agents": agents, "answer_rate": 0.4, "pick_up": fixed(0.2), "talk": lognormal(40.0, 0.8)}
    return call_centre(**{**known, **more})  # type: ignore[arg-type]


def test_progressive_dialling_abandons_nobody_and_keeps_agents_busy() -> None:
    found = Day(centre(), ByAgents(1.0), SPAN).run()
    assert found.abandoned == 0
    assert found.connected > 50
    assert 0.5 < found.utilisation < 0.9


def test_a_fixed_ratio_of_six_abandons_many() -> None:
    found = Day(centre(), ByAgents(6.0), SPAN).run()
    assert found.rate > 0.05


def test_the_same_seed_is_the_same_day_and_another_is_another() -> None:
    def played(seed: int) -> Figures:
        return Day(centre(breaks=BREAKS), ByAgents(3.0), SPAN, seed).run()

    assert played(1) == played(1)
    assert played(1) != played(2)


@pytest.mark.parametrize("amd", [False, True])
def test_every_call_is_counted_once_and_told_once(amd: bool) -> None:
    policy = ByAgents(3.0)
    scenario = centre(machines=0.3, wrapuptime=5, breaks=BREAKS, wrap_up=fixed(3.0))
    day = Day(scenario, policy, SPAN, rules=Rules(amd=amd))
    found = day.run()
    flying = len(policy.seen[-1].calls) + policy.seen[-1].waiting
    assert found.answered + found.failed <= found.dialled <= found.answered + found.failed + flying + 30
    assert policy.told["answered"] == found.answered
    assert policy.told["failed"] == found.failed
    assert policy.told["abandoned"] == found.abandoned > 0
    assert policy.told["connected"] == found.connected
    assert 0 <= found.answered - found.connected - found.abandoned - found.left <= 10
    assert (found.machines > 0) == amd
    # Talks that are over and those that go on, as the agents had them.
    assert 0 <= found.connected - len(policy.talks) <= 10
    assert found.seconds_talking >= sum(policy.talks)


def test_what_is_seen_never_has_more_agents_than_there_are_nor_one_twice() -> None:
    policy = ByAgents(3.0)
    Day(centre(7, wrapuptime=5, breaks=BREAKS), policy, SPAN).run()
    states = [Counter(agent.state for agent in seen.agents) for seen in policy.seen]
    assert max(sum(each.values()) for each in states) == 7
    assert min(sum(each.values()) for each in states) < 7, "some have a break"
    assert {"free", "ringing", "talking", "wrap-up"} == set().union(*states)
    # People wait only while nobody is free.
    assert not [seen for seen in policy.seen if seen.free and seen.waiting]
    assert all(0 <= agent.left <= 5 for seen in policy.seen for agent in seen.agents if agent.left is not None)


def test_an_agents_talks_do_not_overlap() -> None:
    """One agent, so many callers that somebody always waits: the talks fit into the day."""
    policy = ByAgents(8.0)
    found = Day(centre(1, wrapuptime=0), policy, SPAN).run()
    assert found.seconds_talking <= SPAN
    assert found.utilisation > 0.7
    assert found.seconds_there == SPAN


def test_nobody_waits_longer_than_the_limit_and_nobody_rings_longer_than_asked() -> None:
    policy = ByAgents(4.0)
    rules = Rules(ring_seconds=15.0, abandon_seconds=2.0)
    found = Day(centre(), policy, SPAN, rules=rules).run()
    assert max(policy.ages) == pytest.approx(15.0)
    assert found.waited / found.connected < 2.0
    patient = Day(centre(), ByAgents(4.0), SPAN, rules=replace(rules, abandon_seconds=10.0)).run()
    assert patient.rate < found.rate


def test_slow_agents_make_a_call_abandoned_though_one_is_free() -> None:
    found = Day(centre(pick_up=fixed(3.0)), ByAgents(1.0), 600.0).run()
    assert found.connected == 0
    assert found.abandoned > 10


def test_wrap_up_lasts_as_the_queue_says_in_whole_seconds() -> None:
    policy = ByAgents(1.0)
    Day(centre(wrapuptime=20), policy, SPAN).run()
    assert policy.wrap_ups
    assert all(19 < seconds <= 20 for seconds in policy.wrap_ups)


def test_decisions_come_each_second_and_not_more_often_than_five_times() -> None:
    policy = ByAgents(2.0)
    Day(centre(), policy, 300.0).run()
    steps = [after.now - before.now for before, after in zip(policy.seen, policy.seen[1:], strict=False)]
    assert min(steps) >= 0.19
    assert max(steps) <= 1.01


def test_cases_are_called_again_when_the_list_says_so() -> None:
    again = Redial({"NOANSWER": 60.0, "BUSY": 30.0}, most_dials=3, odds=lambda case: 0.5**case.dials)
    policy = ByAgents(2.0)
    Day(centre(), policy, SPAN, redial=again).run()
    called = Counter((case.dials, case.last_outcome) for case in policy.cases)
    assert called[1, "NOANSWER"] > called[2, "NOANSWER"] > 0
    assert called[1, "BUSY"] > 0
    assert max(dials for dials, _ in called) == 2
    assert len(set(policy.cases)) == len(policy.cases), "no attempt is made twice"


def test_who_is_looked_at_is_who_is_called() -> None:
    cases = CaseList()
    ahead = list(cases.look(3, 0.0))
    assert [cases.take(0.0) for _ in range(3)] == ahead
    assert cases.take(0.0) not in ahead


def test_odds_are_the_truth_about_a_case() -> None:
    unlike = Redial({}, most_dials=1, odds=lambda case: 4.0 if int(case.number) % 2 else 0.25)

    class Counting(ByAgents):
        def answered(self, case: Case, age: float, odds: float, now: float) -> None:
            self.told["odd" if int(case.number) % 2 else "even"] += 1

    policy = Counting(3.0)
    Day(centre(answer_rate=0.3), policy, SPAN, redial=unlike).run()
    # 0.3 becomes 0.632 and 0.097.
    assert policy.told["odd"] > 4 * policy.told["even"] > 0


def test_what_a_day_cannot_play_is_refused() -> None:
    slow = replace(centre(1).agents[0], answers=0.5)
    with pytest.raises(ScenarioError, match="does not take every call"):
        Day(replace(centre(1), agents=(slow,)), Policy(), 60.0)


def test_predictive_days_are_busier_than_progressive_ones_and_within_the_limit() -> None:
    scenario = centre(10, talk=lognormal(85.0, 0.8), wrapuptime=20)
    ours = Predictive(PacingSettings())
    found = Day(scenario, ours, 3600.0).run()
    progressive = Day(scenario, ByAgents(1.0), 3600.0).run()
    assert found.utilisation > progressive.utilisation + 0.02
    assert found.abandoned <= 0.03 * (found.connected + found.abandoned) + 1
    assert ours.reasons["risk of one more call"] > 1000


def test_the_command_line_prints_a_day(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pacing", "day", "--agents", "3", "--answer-rate", "0.5", "--hours", "0.2"]) == 0
    told = capsys.readouterr().out
    assert "3 agents, answer rate 0.5, 0.2 hours, seed 1:" in told
    assert "progressive " in told
    assert "0 abandoned (0.00%)" in told
    assert "predictive decisions:" in told


def test_the_command_line_says_what_is_out_of_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pacing", "day", "--agents", "0", "--answer-rate", "30"]) == 2
    told = capsys.readouterr().err
    assert "--agents: 0 is out of range. Give a number from 1 to 1000." in told
    assert "--answer-rate: 30 is out of range. Give a number from 0.01 to 1." in told
