"""Pacing rules that others have published, written anew from their descriptions, to be compared with.

Each gets the same observations and events as the project's own pacing (simulator.day.Policy), and decides as
often as its description says.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque

from simulator.day import Case, Policy
from worker.pacing.observed import Observation

LIMIT = 0.03
"""Abandoned calls among those that people answer."""


class Progressive(Policy):
    """A call for each free agent."""

    def quota(self, seen: Observation) -> int:
        return max(0, seen.spare)


class FixedRatio(Policy):
    """Power dialling: so many calls for each free agent."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio

    def quota(self, seen: Observation) -> int:
        return max(0, int(self.ratio * (seen.free - seen.waiting)) - len(seen.calls))


class AdaptiveLevel(Policy):
    """Lines = level * agents at work; the level follows how idle they are. As VICIdial's manual describes its
    ADAPT_HARD_LIMIT: raised while agents wait, lowered while callers wait, 1 as long as too many were dropped."""

    REVIEW_SECONDS, DIAL_SECONDS, HIGHEST, LEAST_PEOPLE = 15.0, 3.0, 10.0, 50

    def __init__(self) -> None:
        self.level = 1.0
        self._people = self._abandoned = 0
        self._idle = [0.0, 0.0]
        """Seconds of agents at work in this review: idle (less the callers who wait), and all."""
        self._before: float | None = None
        self._review = self._dial = 0.0

    def ended(self, *, abandoned: bool) -> None:
        self._people += 1
        self._abandoned += abandoned

    def quota(self, seen: Observation) -> int:
        passed = 0.0 if self._before is None else seen.now - self._before
        self._before = seen.now
        talking = sum(agent.state in ("talking", "ringing") for agent in seen.agents)
        self._idle[0] += passed * (seen.free - seen.waiting)
        self._idle[1] += passed * len(seen.agents)
        if seen.now >= self._review:
            idle, all_of_it = self._idle
            self.level *= 1 + (idle / all_of_it if all_of_it else 0.0)
            self.level = max(1.0, min(self.HIGHEST, self.level))
            if self._people > self.LEAST_PEOPLE and self._abandoned > LIMIT * self._people:
                self.level = 1.0
            self._idle, self._review = [0.0, 0.0], seen.now + self.REVIEW_SECONDS
        if seen.now < self._dial:
            return 0
        self._dial = seen.now + self.DIAL_SECONDS
        busy_lines = talking + seen.waiting + len(seen.calls)
        return max(0, round(self.level * (seen.free + talking)) - busy_lines)


class ExpectedFrees(Policy):
    """Calls so that answers and agents match in number: (agents free within a span - answers to come) / answer rate.
    As in US patent 5,640,445; the span grows after 50 answers with too few abandoned, and shrinks after too many."""

    FIRST, STEP, LONGEST, REVIEW, KEPT = 4.0, 0.5, 20.0, 50, 500
    LEARNING, MOST_CALLS = 30, 10
    """Answers before the rate is believed (calls that fail do so sooner), and calls for each agent at most."""

    def __init__(self) -> None:
        self.span = self.FIRST
        self._fates = deque[bool](maxlen=self.KEPT)
        self._talks = deque[float](maxlen=self.KEPT)
        self._sorted: list[float] = []
        self._people = self._abandoned = 0
        self._reviewed = (0, 0)

    def answered(self, case: Case, age: float, odds: float, now: float) -> None:
        self._fates.append(True)

    def failed(self, case: Case, age: float, odds: float, now: float) -> None:
        self._fates.append(False)

    def talked(self, seconds: float) -> None:
        if len(self._talks) == self.KEPT:
            del self._sorted[bisect_right(self._sorted, self._talks[0]) - 1]
        self._talks.append(seconds)
        insort(self._sorted, seconds)

    def ended(self, *, abandoned: bool) -> None:
        self._people += 1
        self._abandoned += abandoned
        people, before = self._reviewed
        if self._people - people >= self.REVIEW:
            share = (self._abandoned - before) / (self._people - people)
            self.span += self.STEP if share < LIMIT else -self.STEP
            self.span = max(0.0, min(self.LONGEST, self.span))
            self._reviewed = self._people, self._abandoned

    def quota(self, seen: Observation) -> int:
        over = self._people > self.REVIEW and self._abandoned > LIMIT * self._people
        if self._people < self.LEARNING or over:
            return max(0, seen.spare)
        rate = max(0.01, sum(self._fates) / len(self._fates))
        frees = sum(self._frees(agent.state, agent.seconds, agent.left) for agent in seen.agents)
        wanted = min((frees - seen.waiting) / rate, self.MOST_CALLS * len(seen.agents))
        return max(0, round(wanted) - len(seen.calls))

    def _frees(self, state: str, seconds: float, left: float | None) -> float:
        """Chance that an agent is free within the span; a wrap-up after the talk is not thought of."""
        if state == "free":
            return 1.0
        if state == "wrap-up":
            return float(left is not None and left <= self.span)
        if state != "talking":
            return 0.0
        longer = bisect_right(self._sorted, seconds)
        rest = len(self._sorted) - longer
        return (bisect_right(self._sorted, seconds + self.span) - longer) / rest if rest else 0.0
