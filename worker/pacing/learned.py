"""What predictive pacing has learned about one project: event by event, saved as plain numbers.

Every observe… method takes in one fact; none reads a clock. The tables that decisions read are rebuilt every REFRESH
seconds from what is known then, so a decision is a pure function of the observation and this object.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import ceil, exp, expm1, log1p
from typing import Any

from worker.pacing.hazards import (
    Durations,
    Ringing,
    Table,
    free_after_talk,
    free_after_wrap_up,
    rounded,
    widening,
)
from worker.pacing.level import Level
from worker.pacing.observed import ODDS_MOST, ODDS_STEP, Observation
from worker.pacing.settings import PacingSettings

VERSION = 1
REFRESH = 15.0
"""Seconds between two rebuilds of the tables."""
EARLY_REFRESH, EARLY = 3.0, 500
"""The same while so few calls have ended that the first guesses still change."""
WATCHED_RINGS = 1.5
"""For how many full ring times calls have to be watched before anything is predicted. The first calls all have the same
age: having seen only young calls, one would take the end of the first answers to mean that people no longer answer."""
SETTLED = 0.5
"""Until then the level is learned from calls that have ended. One that failed after this share of the ring time counts
as exposed to the whole hazard of answers, one that was answered as exposed to about this share of it."""
GAP = 5.0
"""After this many seconds without an observation the level may have moved unseen."""
LOOK_AHEAD = 4
"""The instants at which claims are compared with agents, as quantiles of the time until a new call is answered."""
WITHIN = 4
"""Each instant stands for a span of that time, in which this many deadlines are looked at: an agent who becomes free at
a known second just before the instant is not there for calls answered earlier in the span."""
AMD_SECONDS = 4
"""Whole seconds within which AMD() normally gives its verdict (app_amd's total_analysis_time is 5 s)."""
AMD_DELAY = 2.2
"""Its mean time to the verdict, in seconds."""

HALF_LIFE_RING = 3600.0
HALF_LIFE_TALK = 7200.0
HALF_LIFE_SEVERITY = 1500.0
"""In answered calls."""
PRIOR_SEVERITY = 1.5
PRIOR_ABANDONED = 14.0
"""Of calls begun at a mean risk of 1 per cent, 1.5 per cent are abandoned, since some later calls are answered earlier
and take their agents. In simulated teams it is 1.0 to 2.0, so the guess weighs as much as 14 abandoned calls."""
LEAST_SEVERITY, LEAST_SHARE = 0.6, 0.25
"""Bounds of that factor: what was harmless at a small risk need not be so at a larger one."""
PRIOR_SHARE = 0.6
PRIOR_BEGUN = 30.0
"""The mean risk as a share of the threshold: a guess, with the weight of that many calls begun."""
MEMORY_SHARE = 600.0
MEMORY_RISK = 60.0
"""After this many calls begun, the share of the threshold and the mean risk itself are mostly new."""
UNFORESEEN = 0.8
"""How much talks that end while a call rings count: some of those agents will be taken by calls begun later."""
HALF_LIFE_PACE = 3600.0
PRIOR_CYCLE = 150.0
"""Seconds an agent spends on an answered call before anything is known, worth PRIOR_CYCLES calls."""
PRIOR_CYCLES = 10.0

_TALK_EDGES = widening(2.0, 1.12, 3600.0)
_WRAP_EDGES = [*range(30), *(30 + edge for edge in widening(1.0, 1.15, 600.0))]
_TALK_AGES = widening(2.0, 1.06, 1200.0)
_WRAP_AGES = [*range(90), *(90 + age for age in widening(2.0, 1.12, 400.0))]


@dataclass(frozen=True)
class Tables:
    """What a decision looks up, fixed until the next refresh.

    shape, failing: hazards of an unanswered call by second of age (see hazards.Ringing). ahead: the instants, in
    seconds from now; deadlines: for each of them some instants of its span, plus the limit. talking, wrapping: the
    chances to be still busy then, by rows of TALK_ROW and WRAP_ROW. engaged: chance that who was answered before the
    instant still needs the agent then; less than 1 where talks are short. wrap_up: how long it is, if it is always the
    same. delay: of AMD, see AnswerCurve.
    """

    shape: list[float]
    failing: list[float]
    ahead: list[float]
    deadlines: list[list[float]]
    talking: Table
    wrapping: Table
    engaged: list[float]
    wrap_up: float | None = None
    delay: float = 0.0

    def busy_until(self, left: float) -> list[float]:
        """The chances of still being busy, for an agent who will be free in `left` seconds."""
        return [bisect_left(span, left) / len(span) for span in self.deadlines]


class AnswerCurve:
    """When calls with that level times factor are answered, and claim an agent.

    The tables' delay: seconds of AMD between the answer and its verdict, which is what counts as the answer here.
    A call that still rings can have its verdict only that much later.
    """

    def __init__(self, tables: Tables, weight: float) -> None:
        self._lasting, self._answered = incidence(tables.shape, tables.failing, weight)
        self._oldest = len(self._lasting) - 1
        self._answered += self._answered[-1:] * (int(max(tables.ahead[-1], tables.delay)) + 2)
        self._ahead = [
            (int(instant), instant % 1, engaged) for instant, engaged in zip(tables.ahead, tables.engaged, strict=True)
        ]
        self._delay = (int(tables.delay), tables.delay % 1)

    def chances(self, age: int) -> list[float]:
        """Chance that a call that has rung for `age` seconds is a claim at each instant ahead."""
        age = min(age, self._oldest)
        answered, left, here = self._answered, self._lasting[age], self._answered[age]
        whole, part = self._delay
        if whole or part:
            heard = answered[age + whole] * (1 - part) + answered[age + whole + 1] * part
            left -= heard - here
            here = heard
        left = max(left, 1e-9)
        return [
            engaged
            * min(1.0, max(0.0, (answered[age + whole] * (1 - part) + answered[age + whole + 1] * part - here) / left))
            for whole, part, engaged in self._ahead
        ]


TALK_ROW = [0] * (_TALK_AGES[-1] + 1)
WRAP_ROW = [0] * (_WRAP_AGES[-1] + 1)
for _ages, _rows in ((_TALK_AGES, TALK_ROW), (_WRAP_AGES, WRAP_ROW)):
    for _age in range(len(_rows)):
        _right = bisect_left(_ages, _age)
        _rows[_age] = _right if _right == 0 or _ages[_right] - _age < _age - _ages[_right - 1] else _right - 1


def hazard_ratio(odds: float, level: float) -> float:
    """Converts a factor on the odds of an answer into one on its hazard, at that level."""
    return 1.0 if odds == 1.0 else log1p(odds * expm1(level)) / level


class Learned:
    """See the module's docstring. `tables` and `level` are for decisions to read."""

    def __init__(self, settings: PacingSettings) -> None:
        self._settings = settings
        self.ringing = Ringing(_seconds(settings))
        self.level = Level()
        self.talk = Durations(_TALK_EDGES, mean=100.0, variation=1.0, weight=6.0)
        self.wrap_up = Durations(_WRAP_EDGES, mean=15.0, variation=0.7, weight=3.0)
        self.watched = 0.0
        """Seconds in which calls were in flight, ever."""
        self.finished = 0
        """Calls that were answered or failed, ever."""
        self._answers = 0
        """Of those, the answers since the last observation."""
        self._exposed = 0.0
        """The exposure of calls that ended since then, see SETTLED."""
        self._abandoned = PRIOR_ABANDONED
        self._foreseen = PRIOR_ABANDONED / PRIOR_SEVERITY
        """The sum of the risks of answered calls, discounted like the abandoned calls."""
        self._risk = 0.0
        """The mean risk of calls begun lately."""
        self._share = [PRIOR_BEGUN * PRIOR_SHARE, PRIOR_BEGUN]
        """Sum of the risks of calls begun over their threshold, and their number, discounted."""
        self._paced = [PRIOR_CYCLES, PRIOR_CYCLES * PRIOR_CYCLE]
        """Answered calls and seconds of agents, discounted."""
        self._seen: float | None = None
        self._made: float | None = None
        self.tables = self._make_tables(None)

    # ---------------------------------------------------------------------------------------------- what happened

    def observe_answered(self, age: float, odds: float = 1.0) -> None:
        """A person is on the line, `age` seconds after dialling; with AMD: AMD has said so."""
        self.ringing.observe(age, self.level.mean * hazard_ratio(odds, self.level.mean), answered=True)
        self.finished += 1
        self._answers += 1
        self._exposed += SETTLED

    def observe_failed(self, age: float, odds: float = 1.0) -> None:
        """A call ended without a person: busy, failed, not answered in time, a machine."""
        self.ringing.observe(age, self.level.mean * hazard_ratio(odds, self.level.mean), answered=False)
        self.finished += 1
        if age >= SETTLED * self._settings.ring_timeout:
            self._exposed += 1

    def observe_talk(self, seconds: float) -> None:
        """An agent's talk has ended, after so long."""
        self.talk.observe(seconds)

    def observe_wrap_up(self, seconds: float) -> None:
        """An agent's wrap-up has ended, after so long; 0 where there is none."""
        self.wrap_up.observe(seconds)

    def observe_begun(self, calls: int, threshold: float, risk: float) -> None:
        """A decision with that threshold and mean risk began that many calls."""
        if not calls:
            return
        keep = exp(-calls / MEMORY_RISK)
        self._risk = self._risk * keep + risk * (1 - keep)
        if threshold > 0:
            keep = exp(-calls / MEMORY_SHARE)
            share, begun = self._share
            self._share = [share * keep + calls * min(1.0, risk / threshold), begun * keep + calls]

    def observe_end(self, *, abandoned: bool) -> None:
        """A person who answered got an agent, or was abandoned."""
        keep = 0.5 ** (1 / HALF_LIFE_SEVERITY)
        self._abandoned = self._abandoned * keep + abandoned
        self._foreseen = self._foreseen * keep + self._risk
        self._paced[0] += 1

    def observe(self, observation: Observation) -> None:
        """To be called before each decision: the calls in flight, and the time since the last such call."""
        now = observation.now
        seconds = 0.0 if self._seen is None else now - self._seen
        self._seen = now
        if seconds > GAP:
            self.gap()
            seconds = 0.0
        if seconds > 0:
            self._follow_level(observation, seconds)
            self.watched += seconds if observation.calls else 0.0
            self._paced[1] += seconds * len(observation.agents)
        due = EARLY_REFRESH if self.finished < EARLY else REFRESH
        if self._made is None or now - self._made >= due:
            self._refresh(observation)

    @property
    def watched_enough(self) -> bool:
        """Have calls been watched for long enough (WATCHED_RINGS)?"""
        return self.watched >= WATCHED_RINGS * self._settings.ring_timeout

    def gap(self) -> None:
        """Events were missed: durations still hold, but how readily people answer may have changed."""
        self.level.forget()
        self._answers, self._exposed = 0, 0.0

    def _follow_level(self, observation: Observation, seconds: float) -> None:
        exposure = self._exposure(observation) * seconds if self.watched_enough else self._exposed
        self.level.observe(exposure, self._answers, seconds)
        self._answers, self._exposed = 0, 0.0

    def _exposure(self, observation: Observation) -> float:
        """Answers per second expected from the calls in flight if the level were 1."""
        shape, last, level = self.tables.shape, len(self.tables.shape) - 1, self.level.mean
        exposure = sum(
            count * shape[min(age, last)] * hazard_ratio(step_odds(step), level)
            for (age, step), count in observation.ringing.items()
        )
        return exposure + sum(shape[min(int(call.age), last)] for call in observation.under_amd)

    # ------------------------------------------------------------------------------------------- what follows from it

    @property
    def severity(self) -> float:
        """Calls abandoned for each one foreseen by the risks of those begun."""
        return max(LEAST_SEVERITY, self._abandoned / self._foreseen)

    @property
    def share_of_threshold(self) -> float:
        """Mean risk of calls begun, per unit of threshold: in small teams one more call is a big step."""
        return max(LEAST_SHARE, self._share[0] / self._share[1])

    @property
    def answers_per_agent_second(self) -> float:
        return self._paced[0] / self._paced[1]

    def _refresh(self, observation: Observation) -> None:
        now = observation.now
        elapsed = 0.0 if self._made is None else now - self._made
        self.ringing.discount(0.5 ** (elapsed / HALF_LIFE_RING))
        for durations in (self.talk, self.wrap_up):
            durations.discount(0.5 ** (elapsed / HALF_LIFE_TALK))
        keep = 0.5 ** (elapsed / HALF_LIFE_PACE)
        self._paced = [value * keep for value in self._paced]
        self._made = now
        self.tables = self._make_tables(observation)

    def _make_tables(self, observation: Observation | None) -> Tables:
        in_flight: dict[int, tuple[float, float]] = {}
        for (age, step), count in (observation.ringing if observation else {}).items():
            before = in_flight.get(age, (0.0, 0.0))
            ratio = hazard_ratio(step_odds(step), self.level.mean)
            in_flight[age] = (before[0] + count, before[1] + count * ratio * self.level.mean)
        shape, failing = self.ringing.hazards(in_flight)
        _, answered = incidence(shape, failing, self.level.mean)
        limit = self._settings.abandon_seconds
        ahead = [_instant(answered, (index + 0.5) / LOOK_AHEAD) for index in range(LOOK_AHEAD)]
        parts = LOOK_AHEAD * WITHIN
        within = [_instant(answered, (index + 0.5) / parts) + limit for index in range(parts)]
        deadlines = [within[first : first + WITHIN] for first in range(0, parts, WITHIN)]
        furthest = int(within[-1]) + 2
        talks = [agent.seconds for agent in observation.agents if agent.state == "talking"] if observation else []
        wrap_ups = [agent.seconds for agent in observation.agents if agent.state == "wrap-up"] if observation else []
        talk = self.talk.survival(_TALK_AGES[-1] + furthest, talks)
        wrap_up = self.wrap_up.survival(_WRAP_AGES[-1] + furthest, wrap_ups)
        talking = free_after_talk(talk, wrap_up, _TALK_AGES, [instant + limit for instant in ahead])
        wrapping = [
            [sum(row[first : first + WITHIN]) / WITHIN for first in range(0, parts, WITHIN)]
            for row in free_after_wrap_up(wrap_up, _WRAP_AGES, within)
        ]
        return Tables(
            shape,
            failing,
            ahead,
            deadlines,
            _still_busy(talking, UNFORESEEN),
            _still_busy(wrapping),
            _engaged(talk, wrap_up, limit, ahead),
            self.wrap_up.fixed,
            AMD_DELAY if self._settings.amd else 0.0,
        )

    def human_share(self, age: float) -> float:
        """Chance that AMD will say person, of a call that it listens to at that age."""
        ringing = self.ringing
        first = min(int(age), ringing.seconds - 1)
        last = min(first + AMD_SECONDS, ringing.seconds)
        persons, others = sum(ringing.answers[first:last]), sum(ringing.failures[first:last])
        return (1 + persons) / (2 + persons + others)

    # ------------------------------------------------------------------------------------------------- to and fro

    def as_dict(self) -> dict[str, Any]:
        """Its state in a form for JSON, about 4 kB."""
        return {
            "version": VERSION,
            "ringing": self.ringing.as_dict(),
            "level": self.level.as_dict(),
            "talk": self.talk.as_dict(),
            "wrap_up": self.wrap_up.as_dict(),
            "finished": self.finished,
            "watched": round(self.watched, 1),
            "severity": rounded([self._abandoned, self._foreseen]),
            "share": rounded([*self._share, self._risk]),
            "paced": rounded(self._paced),
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any], settings: PacingSettings) -> Learned:
        """Restore what as_dict gave, under these settings (the ring time may have changed).

        Raises ValueError if a version that counted differently saved it: then begin anew.
        """
        if state.get("version") != VERSION:
            raise ValueError(f"learned state has version {state.get('version')!r}, this is version {VERSION}")
        learned = cls(settings)
        learned.ringing.restore(state["ringing"])
        learned.ringing.resize(_seconds(settings))
        learned.level.restore(state["level"])
        learned.talk.restore(state["talk"])
        learned.wrap_up.restore(state["wrap_up"])
        learned.finished = int(state["finished"])
        learned.watched = float(state["watched"])
        learned._abandoned, learned._foreseen = (float(value) for value in state["severity"])
        *learned._share, learned._risk = (float(value) for value in state["share"])
        learned._paced = [float(value) for value in state["paced"]]
        learned.tables = learned._make_tables(None)
        return learned


def incidence(shape: list[float], failing: list[float], weight: float) -> tuple[list[float], list[float]]:
    """(still unanswered, answered) by seconds since dialling, from 0, for a call with that level times its factor."""
    lasting, left = [1.0], 1.0
    answered, summed = [0.0], 0.0
    for here, fails in zip(shape, failing, strict=True):
        hazard = min(weight * here, 0.9)
        summed += left * hazard
        left *= 1 - hazard - min(fails, 0.99 - hazard)
        lasting.append(left)
        answered.append(summed)
    return lasting, answered


def _still_busy(free: Table, share: float = 1.0) -> Table:
    return [[1 - share * chance for chance in row] for row in free]


def _engaged(talk: list[float], wrap_up: list[float], limit: float, ahead: list[float]) -> list[float]:
    """See Tables: for answers that come evenly between now and each instant, each compared with its deadline."""
    lags = [limit + 0.5 + second for second in range(int(ahead[-1]) + 1)]
    (free,) = free_after_talk(talk, wrap_up, [0], lags)
    return [1 - sum(free[: int(instant) + 1]) / (int(instant) + 1) for instant in ahead]


def step_odds(step: int) -> float:
    """The factor in the middle of a step."""
    return _STEP_ODDS[step + ODDS_MOST]


_STEP_ODDS: list[float] = [2.718281828459045 ** (ODDS_STEP * step) for step in range(-ODDS_MOST, ODDS_MOST + 1)]


def _instant(answered: list[float], share: float) -> float:
    """When that share of all answers to come has come."""
    wanted = share * answered[-1]
    right = bisect_left(answered, wanted)
    before = answered[right - 1]
    return right - 1 + (wanted - before) / max(answered[right] - before, 1e-12)


def _seconds(settings: PacingSettings) -> int:
    return ceil(settings.ring_timeout) + (AMD_SECONDS if settings.amd else 0)
