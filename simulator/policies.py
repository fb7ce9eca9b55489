"""Who decides on a simulated day how many calls are begun."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from simulator.cases import Case
from worker.pacing.observed import Observation
from worker.pacing.pilot import PacedCall, PacedCase, Pilot, Sight, observe
from worker.pacing.settings import PacingSettings


def paced(case: Case) -> PacedCase:
    """What the worker would know of a case of its only project."""
    return PacedCase(None, case.dials, case.last_outcome)


class Policy:
    """What a day asks and tells; this one never calls anybody. Ages and durations are seconds."""

    def decide(self, sight: Sight) -> int:
        """How many calls to begin now."""
        return self.quota(observe(sight))

    def quota(self, seen: Observation) -> int:
        """How many calls to begin now, for who takes all calls for alike."""
        return 0

    def begun(self, case: Case, call: PacedCall, now: float) -> None:
        """A call was begun."""

    def answered(self, case: Case, age: float) -> None:
        """A person is on the line."""

    def failed(self, case: Case, age: float) -> None:
        """A call ended without a person."""

    def ended(self, *, abandoned: bool) -> None:
        """A person who answered has got an agent, or was abandoned."""

    def talked(self, seconds: float) -> None:
        """An agent's talk has ended."""

    def wrapped_up(self, seconds: float) -> None:
        """An agent's wrap-up has ended; 0 where there is none."""


class Predictive(Policy):
    """The worker's own pacing: it flies the pilot that the worker flies, and needs to be told nothing else.

    cases_differ: False takes all cases for alike, as if nothing were known of them.
    """

    def __init__(self, settings: PacingSettings, *, cases_differ: bool = True) -> None:
        self.pilot = Pilot(settings)
        self.reasons = Counter[str]()
        """Decisions by what decided."""
        self._cases_differ = cases_differ

    def decide(self, sight: Sight) -> int:
        decided = self.pilot.look(sight if self._cases_differ else replace(sight, hand=()))
        if decided is None:
            return 0
        self.reasons[decided.reason] += 1
        return decided.quota

    def begun(self, case: Case, call: PacedCall, now: float) -> None:
        self.pilot.begun(call, paced(case) if self._cases_differ else None, now)
