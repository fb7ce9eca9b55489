"""What predictive pacing looks at: plain values, filled in by the code that watches Asterisk and the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import log
from typing import NamedTuple

ODDS_STEP = 0.35
"""Calls are counted together if the logarithms of their odds differ by less than this."""
ODDS_MOST = 9
"""The most steps away from the usual odds: a factor of 23 up or down."""

_STEPS = 2 * ODDS_MOST + 1


class ObservedAgent(NamedTuple):
    """An agent who will take calls again: logged in, not paused, not known to leave.

    state: free, ringing (the queue rings them for a call that is connected already), talking or wrap-up;
    seconds: how long they have been in it; left: seconds until the wrap-up ends, if Asterisk tells (its queue's
    wrapuptime).
    """

    state: str
    seconds: float = 0.0
    left: float | None = None


class ObservedCall(NamedTuple):
    """A call in flight: dialled, no person on the line yet.

    age: seconds since it was dialled; odds: factor on its odds of being answered, against those of the project's
    usual call (answering.py); under_amd: it was answered, and AMD is listening whether by a person.
    """

    age: float
    odds: float = 1.0
    under_amd: bool = False


class Window(NamedTuple):
    """A span over which the abandon rate has to be kept: people who answered, how many of them were abandoned,
    and for how many seconds calling goes on before the span is judged (0 for one that ends now, always)."""

    answered: float
    abandoned: float
    seconds_left: float = 0.0


Cell = tuple[int, int]
"""A group of similar calls: whole seconds of age, steps of odds."""


@dataclass(frozen=True)
class Observation:
    """One pool of agents on one Asterisk at one instant.

    now: seconds of a monotonic clock. waiting: people on the line who have no agent yet, not even a ringing one.
    windows: the abandon ledger, by window; the strictest decides. lines: how many more calls there are lines for.
    next_odds: the odds of the cases that would be called next, in order; 1 for all that follow.
    """

    now: float
    agents: Sequence[ObservedAgent]
    calls: Sequence[ObservedCall] = ()
    waiting: int = 0
    windows: Sequence[Window] = ()
    lines: int | None = None
    next_odds: Sequence[float] = ()

    @cached_property
    def ringing(self) -> Counter[Cell]:
        """Calls that are not under AMD, counted by cell."""
        # Keyed by one number: a pair for each of thousands of calls would keep the garbage collector busy.
        numbers = Counter([int(age) * _STEPS + odds_step(odds) for age, odds, amd in self.calls if not amd])
        cells = ((divmod(number + ODDS_MOST, _STEPS), count) for number, count in numbers.items())
        return Counter({(age, step - ODDS_MOST): count for (age, step), count in cells})

    @cached_property
    def under_amd(self) -> list[ObservedCall]:
        return [call for call in self.calls if call.under_amd]

    @cached_property
    def free(self) -> int:
        return sum(agent.state == "free" for agent in self.agents)

    @property
    def spare(self) -> int:
        """Free agents left over if all calls are answered; may be negative."""
        return self.free - self.waiting - len(self.calls)


@lru_cache(4096)
def odds_step(odds: float) -> int:
    """The step that a factor belongs to; 0 for the usual call."""
    return max(-ODDS_MOST, min(ODDS_MOST, round(log(max(odds, 1e-6)) / ODDS_STEP)))
