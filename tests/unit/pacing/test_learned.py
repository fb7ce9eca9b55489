"""What predictive pacing learns: durations, ringing, the answer level; and that nothing of it is lost on the way."""

from __future__ import annotations

import json
import random
from math import exp

import pytest

from worker.pacing.hazards import Durations, Ringing, free_after_talk, free_after_wrap_up, widening
from worker.pacing.learned import GAP, AnswerCurve, Learned, hazard_ratio
from worker.pacing.level import HIGHEST, LOWEST, Level
from worker.pacing.observed import Observation, ObservedAgent, ObservedCall
from worker.pacing.settings import PacingSettings

SETTINGS = PacingSettings()


def test_survival_follows_the_durations_that_were_seen() -> None:
    durations = Durations(widening(2.0, 1.12, 3600.0), mean=100.0, variation=1.0, weight=6.0)
    chance = random.Random(1)
    for _ in range(3000):
        durations.observe(chance.expovariate(1 / 60))
    survival = durations.survival(240)
    for second in (0, 30, 60, 120, 240):
        assert survival[second] == pytest.approx(exp(-second / 60), abs=0.03)


def test_survival_never_rises_and_is_as_long_as_asked() -> None:
    durations = Durations(widening(1.0, 1.2, 100.0), mean=10.0, variation=0.5, weight=3.0)
    survival = durations.survival(500)
    assert len(survival) == 501
    assert survival[0] == 1
    assert survival == sorted(survival, reverse=True)


def test_talks_that_go_on_keep_a_team_from_looking_free_soon() -> None:
    durations = Durations(widening(2.0, 1.12, 3600.0), mean=100.0, variation=1.0, weight=6.0)
    for _ in range(5):
        durations.observe(20)
    alone = durations.survival(300)
    with_others = durations.survival(300, ongoing=[200.0] * 60)
    assert alone[200] < 0.3
    assert with_others[200] > 0.8
    assert durations.survival(300) == alone


@pytest.mark.parametrize("seconds", [0.0, 20.0])
def test_wrap_up_of_one_length_is_known_instead_of_estimated(seconds: float) -> None:
    durations = Durations(list(range(61)), mean=15.0, variation=0.7, weight=3.0)
    assert durations.fixed is None
    for _ in range(8):
        durations.observe(seconds + 0.01)
    assert durations.fixed == pytest.approx(seconds, abs=0.02)
    durations.observe(seconds + 9)
    assert durations.fixed is None


def test_agent_is_free_after_the_rest_of_the_talk_and_the_wrap_up() -> None:
    talk = [1.0] * 60 + [0.0] * 60  # all talks last from 59 to 60 seconds
    wrap_up = [1.0 if second < 10 else 0.0 for second in range(100)]
    (row,) = free_after_talk(talk, wrap_up, [50], [8.0, 18.0, 21.0])
    assert row[0] == 0
    assert row[1] == 0
    assert row[2] == pytest.approx(1)
    assert free_after_wrap_up(wrap_up, [0, 5], [4.0, 8.0]) == [[0.0, 0.0], [0.0, 1.0]]


def test_agent_with_a_known_end_is_busy_for_the_calls_answered_before() -> None:
    tables = Learned(SETTINGS).tables
    middle = tables.deadlines[1]
    assert tables.busy_until(middle[-1]) == [1.0, pytest.approx(0.75), 0.0, 0.0]
    assert tables.busy_until(0.0) == [0.0] * len(tables.deadlines)
    assert tables.busy_until(1e6) == [1.0] * len(tables.deadlines)


def test_wrap_up_of_one_length_is_exact_in_the_tables() -> None:
    learned = Learned(SETTINGS)
    for _ in range(8):
        learned.observe_wrap_up(60.0)
    learned.observe(Observation(0.0, [ObservedAgent("free")]))
    assert learned.tables.wrap_up == 60.0


def ringing_of(rate: float, calls: int, chance: random.Random) -> Ringing:
    ringing = Ringing(25)
    for _ in range(calls):
        if chance.random() < rate:
            ringing.observe(min(24, chance.uniform(5, 11)), 0.4, answered=True)
        else:
            ringing.observe(25, 0.4, answered=False)
    return ringing


def test_ringing_learns_when_people_answer() -> None:
    shape, failing = ringing_of(0.3, 2000, random.Random(2)).hazards({})
    assert sum(shape) == pytest.approx(1)
    assert sum(shape[5:11]) > 0.97
    assert failing[-1] > 0.9
    assert sum(failing[:-1]) < 0.05


def test_calls_that_still_ring_keep_a_burst_from_looking_eager() -> None:
    ringing = ringing_of(0.3, 300, random.Random(3))
    late = sum(ringing.hazards({})[0][8:])
    for _ in range(100):  # of a burst of 300 calls those answered at 6 seconds are known, the others ring on
        ringing.observe(6, 0.4, answered=True)
    assert sum(ringing.hazards({})[0][8:]) < sum(ringing.hazards({7: (200.0, 80.0)})[0][8:]) < late


def test_longer_ring_time_keeps_what_is_known() -> None:
    ringing = ringing_of(0.3, 200, random.Random(4))
    before = list(ringing.answers)
    ringing.resize(35)
    assert ringing.seconds == 35
    assert ringing.answers[:25] == before
    ringing.resize(20)
    assert ringing.answers == before[:20]


def followed(level: Level, truth: float, seconds: int, exposure: float, chance: random.Random) -> Level:
    for _ in range(seconds):
        answers = sum(chance.random() < truth * exposure / 20 for _ in range(20))
        level.observe(exposure, answers, 1.0)
    return level


def test_level_finds_the_truth_and_knows_how_sure_it_is() -> None:
    level = Level()
    unsure = level.relative_variance
    followed(level, 0.35, 1800, 1.0, random.Random(5))
    assert level.mean == pytest.approx(0.35, rel=0.15)
    assert level.relative_variance < unsure / 10


def test_level_follows_a_tripled_rate_within_two_minutes() -> None:
    level, chance = Level(), random.Random(6)
    followed(level, 0.1, 3600, 1.0, chance)
    followed(level, 0.3, 120, 1.0, chance)
    assert level.mean > 0.2


def test_level_forgets_in_a_gap_but_not_where_it_was() -> None:
    level = followed(Level(), 0.2, 1800, 1.0, random.Random(7))
    mean, sure = level.mean, level.relative_variance
    level.forget()
    assert level.relative_variance > 10 * sure
    assert mean / 1.5 < level.mean < mean * 1.5


def test_nodes_stand_for_the_whole_distribution() -> None:
    level = Level()
    for truth in (0.6, 0.1, 2.0):
        nodes = level.nodes()
        assert sum(weight for _, weight in nodes) == pytest.approx(1)
        assert sum(weight * value for value, weight in nodes) == pytest.approx(level.mean)
        followed(level, truth, 300, 0.5, random.Random(8))


def test_level_survives_what_cannot_be() -> None:
    level = Level()
    level.observe(0.0, 5000, 1.0)
    level.observe(1e6, 0, 1.0)
    assert LOWEST / 2 < level.mean < 2 * HIGHEST


def test_level_of_a_first_burst_is_learned_from_rings_that_are_over() -> None:
    """300 calls begun at once, answered late: until the first rings are over silence means nothing."""
    learned = Learned(SETTINGS)
    for second in range(14):
        learned.observe(Observation(float(second), [ObservedAgent("free")] * 300, [ObservedCall(float(second))] * 300))
    assert learned.level.mean > 0.3
    for _ in range(40):
        learned.observe_failed(25.0)
    learned.observe(Observation(14.0, [ObservedAgent("free")] * 300))
    assert learned.level.mean < 0.15


def test_short_talks_give_agents_back_while_others_still_ring() -> None:
    short, long = Learned(SETTINGS), Learned(SETTINGS)
    for _ in range(100):
        short.observe_talk(6.0)
        long.observe_talk(120.0)
        for learned in (short, long):
            learned.observe_wrap_up(0.0)
    for learned in (short, long):
        learned.observe(Observation(0.0, [ObservedAgent("free")]))
    assert min(long.tables.engaged) > 0.95
    assert short.tables.engaged == sorted(short.tables.engaged, reverse=True)
    assert short.tables.engaged[-1] < 0.7


def test_call_that_rings_before_amd_has_its_verdict_later() -> None:
    with_amd, without = Learned(PacingSettings(amd=True)), Learned(PacingSettings(ring_timeout=29))
    chances = [AnswerCurve(learned.tables, 0.4).chances(6) for learned in (with_amd, without)]
    assert all(later < sooner for later, sooner in zip(*chances, strict=True))


def test_odds_as_a_factor_on_the_hazard_give_the_rate_that_the_odds_mean() -> None:
    level, odds = 0.4, 2.5
    usual = 1 - exp(-level)
    wanted = odds * usual / (1 - usual + odds * usual)
    assert 1 - exp(-level * hazard_ratio(odds, level)) == pytest.approx(wanted)
    assert hazard_ratio(1.0, level) == 1


def lived(seconds: int = 400) -> Learned:
    """Some minutes of five agents, made up but in order."""
    learned, chance = Learned(SETTINGS), random.Random(9)
    for now in range(seconds):
        calls = [ObservedCall(float(age)) for age in range(0, 24, 3)]
        learned.observe(Observation(float(now), [ObservedAgent("talking", now % 90)] * 5, calls))
        learned.observe_begun(1, 0.04, 0.02)
        if now % 3 == 0:
            if chance.random() < 0.3:
                learned.observe_answered(chance.uniform(4, 12))
                learned.observe_end(abandoned=chance.random() < 0.03)
                learned.observe_talk(chance.uniform(20, 200))
                learned.observe_wrap_up(chance.uniform(5, 30))
            else:
                learned.observe_failed(25)
    return learned


def test_learned_state_survives_as_json_of_a_few_kilobytes() -> None:
    learned = lived()
    text = json.dumps(learned.as_dict())
    assert len(text) < 6000
    again = Learned.from_dict(json.loads(text), SETTINGS)
    assert again.as_dict() == learned.as_dict()
    assert again.severity == pytest.approx(learned.severity, rel=1e-3)
    assert again.level.mean == pytest.approx(learned.level.mean, rel=1e-3)


def test_learned_state_can_be_restored_under_another_ring_time() -> None:
    again = Learned.from_dict(lived().as_dict(), PacingSettings(ring_timeout=40, amd=True))
    assert again.ringing.seconds == 44
    assert again.tables.ahead == sorted(again.tables.ahead)


def test_learned_state_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 0"):
        Learned.from_dict({**lived(30).as_dict(), "version": 0}, SETTINGS)


def test_gap_keeps_the_distributions_and_unsettles_the_level() -> None:
    learned = lived()
    talk, sure = learned.talk.survival(300), learned.level.relative_variance
    learned.observe(Observation(400 + GAP + 10, [ObservedAgent("free")]))
    assert learned.level.relative_variance > 5 * sure
    assert learned.talk.survival(300) == pytest.approx(talk, abs=1e-3)


def test_observations_close_together_say_no_more_than_one_a_second() -> None:
    def level_after(step: float) -> float:
        learned = Learned(SETTINGS)
        now = 0.0
        while now < 20:
            learned.observe(Observation(now, [ObservedAgent("free")], [ObservedCall(8.0)] * 20))
            now += step
        return learned.level.mean

    assert level_after(0.1) == pytest.approx(level_after(1.0), rel=0.1)


def test_severity_rises_with_abandoned_calls_and_falls_without() -> None:
    learned = lived()
    before = learned.severity
    for _ in range(5):
        learned.observe_end(abandoned=True)
    assert learned.severity > before
    for _ in range(1000):
        learned.observe_end(abandoned=False)
    assert learned.severity < before
