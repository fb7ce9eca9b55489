"""The cases of a simulated day: new ones without end, and those that are due again."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple


class Case(NamedTuple):
    """Somebody to call. dials: attempts before this one; last_outcome: the outcome of the last of them."""

    number: str
    dials: int = 0
    last_outcome: str | None = None


@dataclass(frozen=True)
class Redial:
    """What happens to cases that were called in vain; without it, nobody is called twice.

    again: seconds until the next attempt, by outcome; most_dials: the most attempts of a case; odds: a factor on the
    odds that a case answers, against the scenario's mix. This is the truth; policies only see cases.
    """

    again: Mapping[str, float]
    most_dials: int
    odds: Callable[[Case], float]


class CaseList:
    """New cases without end, alternating with those that are due again."""

    def __init__(self, redial: Redial | None = None) -> None:
        self.redial = redial
        self._new = (Case(str(number)) for number in count(7_000_000))
        self._later: list[tuple[float, int, Case]] = []
        self._serial = count()
        self._hand: deque[Case] = deque()

    def look(self, cases: int, now: float) -> Sequence[Case]:
        """The cases that will be called next, as many as asked for."""
        while len(self._hand) < cases:
            self._hand.append(self._next(now))
        return [self._hand[index] for index in range(cases)]

    def take(self, now: float) -> Case:
        """Take the case to call now."""
        return self._hand.popleft() if self._hand else self._next(now)

    def _next(self, now: float) -> Case:
        if self._later and self._later[0][0] <= now and next(self._serial) % 2:
            return heapq.heappop(self._later)[2]
        return next(self._new)

    def ended(self, case: Case, outcome: str, now: float) -> None:
        """Note that a call of that case was in vain."""
        if self.redial is None or outcome not in self.redial.again or case.dials + 1 >= self.redial.most_dials:
            return
        tried = Case(case.number, case.dials + 1, outcome)
        heapq.heappush(self._later, (now + self.redial.again[outcome], next(self._serial), tried))
