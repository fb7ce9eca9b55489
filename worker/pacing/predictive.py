"""Predictive pacing: how many calls to begin now, so that agents talk and the law is kept.

The rule: every busy agent and every call in flight is a claim on an agent, with a probability at each of a few
instants ahead. Calls are begun as long as the risk of the last one, to be answered when all agents are claimed, stays
under a threshold; the threshold is what the abandon ledger still allows (target.py), judged by how many calls were
abandoned at past thresholds.

`decide` changes nothing: the same observation and learned state give the same decision, so a journal can replay it.
Learning, observing and reporting in between is the pilot's business (pilot.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from worker.pacing.learned import TALK_ROW, WRAP_ROW, AnswerCurve, Learned, Tables, hazard_ratio, step_odds
from worker.pacing.observed import Observation, odds_step
from worker.pacing.risk import (
    COUNTED_AGENTS,
    COUNTED_CALLS,
    LIKELY,
    LISTED,
    Moments,
    at_most,
    counted,
    matched,
    moments_of,
    normal_risk,
    one_more,
    risk_of_one_more,
)
from worker.pacing.settings import PacingSettings
from worker.pacing.target import target, threshold

Row = tuple[int, list[float]]
"""How many are alike, and their chances at each instant."""

LEARNING_MOST = 200
LEARNING_PER_AGENT = 4
LEARNING = 20
"""How many calls must have ended before anything is predicted: more in larger teams, where many first calls are begun
together and a wrong guess costs more."""


@dataclass(frozen=True)
class Decision:
    """quota: calls to begin now. reason: the deciding reason, in a few words.

    threshold: the risk at which it stopped; risk: the mean one of the calls to begin; aim: the rate of abandoned
    calls that the threshold stands for; room: abandoned calls that the ledger still allows; level: see level.py;
    answers, freed: calls in flight expected to be answered, and agents to become free, while a new call would ring.
    """

    quota: int
    reason: str
    threshold: float = 0.0
    risk: float = 0.0
    aim: float = 0.0
    room: float = inf
    level: float = 0.0
    answers: float = 0.0
    freed: float = 0.0


def decide(observation: Observation, learned: Learned, settings: PacingSettings) -> Decision:
    """How many calls to begin now. Pure: see the module's docstring."""
    agents = len(observation.agents)
    most = int(settings.most_calls_per_agent * agents) - len(observation.calls)
    if observation.lines is not None:
        most = min(most, observation.lines)
    progressive = max(0, min(observation.spare, most))
    if not agents:
        return Decision(0, "no agents")
    if settings.ratio is not None:
        wanted = int(settings.ratio * (observation.free - observation.waiting)) - len(observation.calls)
        return Decision(max(0, min(wanted, most)), f"{settings.ratio:g} calls for each free agent")
    if agents < settings.least_agents:
        return Decision(progressive, f"progressive: fewer than {settings.least_agents} agents")
    enough = max(LEARNING, min(LEARNING_PER_AGENT * agents, LEARNING_MOST))
    if learned.finished < enough:
        return Decision(progressive, f"progressive: fewer than {enough} calls to learn from")
    if not learned.watched_enough:
        return Decision(progressive, "progressive: calls have not been watched for long enough")
    bank = target(observation.windows, settings.abandon_target, learned.answers_per_agent_second * agents)
    if bank.room < 1:
        return Decision(progressive, "progressive: no room for one more abandoned call", aim=bank.rate, room=bank.room)
    limit = threshold(bank.rate, learned.severity * learned.share_of_threshold)
    ahead = _Ahead(observation, learned)
    quota = ahead.most(limit, most)
    reason = "lines or calls per agent" if quota == most else "risk of one more call"
    risk = ahead.mean_risk(quota)
    if quota < progressive:
        quota, reason = progressive, "an agent free for each call"
    return Decision(quota, reason, limit, risk, bank.rate, bank.room, learned.level.mean, ahead.answers, ahead.freed)


class _Agents:
    """The busy agents at one instant ahead: how many of them may be free by then."""

    def __init__(self, busy: Sequence[Row], column: int) -> None:
        coins = [(count, 1 - row[column]) for count, row in busy]
        self.freed = moments_of(coins)
        likely = [coin for coin in coins if coin[1] > LIKELY]
        if sum(count for count, _ in likely) > COUNTED_AGENTS:
            weights = matched(self.freed)
        else:
            others = moments_of(coin for coin in coins if coin[1] <= LIKELY)
            weights = counted((chance for count, chance in likely for _ in range(count)), matched(others))
        self.freed_at_most = at_most(weights)


class _World:
    """The calls in flight, and those to begin, if the level is `factor` times the mean one."""

    def __init__(self, calls: _Calls, factor: float) -> None:
        self._calls, self._factor = calls, factor
        self._moments = [moments.times(factor) for moments in calls.moments]
        self._usual = [min(1.0, factor * chance) for chance in calls.usual]
        self._known = [[min(1.0, factor * chance) for chance in row] for row in calls.known]
        self._listed: list[list[list[float]]] = []
        """Weights of the answers by calls begun, then by column, as far as computed."""

    def risk(self, begun: int, agents: Sequence[_Agents], spare: int) -> float:
        """Chance that one more call after `begun` is answered when no agent is left for it."""
        total = 0.0
        few = self._calls.count + begun <= COUNTED_CALLS
        if few:
            self._count_to(begun)
        for column, those in enumerate(agents):
            answers = self._with(begun, column)
            if few:
                total += risk_of_one_more(self._listed[begun][column], those.freed_at_most, spare)
            elif answers.mean + those.freed.mean <= LISTED:
                total += risk_of_one_more(matched(answers), those.freed_at_most, spare)
            else:
                total += normal_risk(answers, those.freed, spare)
        return total / len(agents)

    def _with(self, begun: int, column: int) -> Moments:
        answers = self._moments[column]
        for row in self._known[:begun]:
            answers = answers.plus(row[column])
        usual = begun - len(self._known)
        return answers.plus(self._usual[column], usual) if usual > 0 else answers

    def _count_to(self, begun: int) -> None:
        if not self._listed:
            rows = [row for count, row in self._calls.rows for _ in range(count)]
            self._listed.append(
                [counted(min(1.0, self._factor * row[column]) for row in rows) for column in range(len(self._usual))]
            )
        while len(self._listed) <= begun:
            index = len(self._listed) - 1
            row = self._known[index] if index < len(self._known) else self._usual
            self._listed.append(
                [one_more(weights, chance) for weights, chance in zip(self._listed[-1], row, strict=True)]
            )


class _Calls:
    """The calls in flight, and those that could be begun, if the level is the mean one."""

    def __init__(self, observation: Observation, learned: Learned) -> None:
        self._tables, self._level = learned.tables, learned.level.mean
        self._curves: dict[int, AnswerCurve] = {}
        columns = range(len(self._tables.ahead))
        self.count = len(observation.calls)
        self.rows = [(count, self._curve(step).chances(age)) for (age, step), count in observation.ringing.items()]
        self.rows += [(1, [learned.human_share(call.age)] * len(columns)) for call in observation.under_amd]
        self.moments = [moments_of((count, row[column]) for count, row in self.rows) for column in columns]
        self.usual = self._curve(0).chances(0)
        self.known = [self._curve(odds_step(odds)).chances(0) for odds in observation.next_odds]

    def _curve(self, step: int) -> AnswerCurve:
        if step not in self._curves:
            weight = self._level * hazard_ratio(step_odds(step), self._level)
            self._curves[step] = AnswerCurve(self._tables, weight)
        return self._curves[step]


class _Ahead:
    """Agents and calls at a few instants ahead, for each of the possible levels."""

    def __init__(self, observation: Observation, learned: Learned) -> None:
        busy = _busy(observation, learned.tables)
        self._agents = [_Agents(busy, column) for column in range(len(learned.tables.ahead))]
        self._spare = observation.free - observation.waiting
        self._calls = _Calls(observation, learned)
        mean = learned.level.mean
        nodes = sorted(learned.level.nodes(), reverse=True)  # riskiest first: it alone may say no
        self._risks: dict[int, float] = {}
        """The risk by calls begun before, for those that were not too risky."""
        self._worlds = [(weight, _World(self._calls, level / mean)) for level, weight in nodes]

    def too_risky(self, begun: int, limit: float) -> bool:
        """Is the chance above the limit that one more call after `begun` is answered and finds no agent?"""
        total = 0.0
        for weight, world in self._worlds:
            total += weight * world.risk(begun, self._agents, self._spare)
            if total > limit:
                return True
        self._risks[begun] = total
        return False

    def mean_risk(self, quota: int) -> float:
        """The mean risk of that many calls, which must have been found not too risky."""
        return (self._risks[0] + self._risks[quota - 1]) / 2 if quota else 0.0

    def most(self, limit: float, most: int) -> int:
        """The largest number of calls whose last one has a risk of at most `limit`."""
        if most <= 0 or self.too_risky(0, limit):
            return 0
        low, high = 0, 1  # `low` calls may be followed by one more
        while high < most and not self.too_risky(high, limit):
            low, high = high, 2 * high
        high = min(high, most)
        while high - low > 1:
            middle = (low + high) // 2
            if self.too_risky(middle, limit):
                high = middle
            else:
                low = middle
        return low + 1

    @property
    def answers(self) -> float:
        """Expected answers to the calls in flight by the last instant."""
        return self._calls.moments[-1].mean

    @property
    def freed(self) -> float:
        """Busy agents expected to be free by then."""
        return self._agents[-1].freed.mean


def _busy(observation: Observation, tables: Tables) -> list[Row]:
    """Busy agents: how many, and their chances of still being busy at each instant plus the limit."""
    talking, wrapping = Counter[int](), Counter[int]()
    rows: list[Row] = []
    for state, seconds, left in observation.agents:
        if state == "talking":
            talking[TALK_ROW[min(int(seconds), len(TALK_ROW) - 1)]] += 1
        elif state == "ringing":
            talking[0] += 1
        elif state == "wrap-up":
            if left is not None:
                rows.append((1, tables.busy_until(left)))
            elif tables.wrap_up is not None:
                rows.append((1, tables.busy_until(tables.wrap_up - seconds)))
            else:
                wrapping[WRAP_ROW[min(int(seconds), len(WRAP_ROW) - 1)]] += 1
    rows += [(count, tables.talking[row]) for row, count in talking.items()]
    rows += [(count, tables.wrapping[row]) for row, count in wrapping.items()]
    return rows
