"""The rules that decide on a simulated day how many calls to begin."""

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
    """What a day asks a policy and reports to it; this one never calls anybody. Ages and durations are seconds."""

    def decide(self, sight: Sight) -> int:
        """How many calls to begin now."""
        return self.quota(observe(sight))

    def quota(self, seen: Observation) -> int:
        """How many calls to begin now, for a policy that treats all calls as alike."""
        return 0

    def begun(self, case: Case, call: PacedCall, now: float) -> None:
        """A call was begun."""

    def answered(self, case: Case, age: float) -> None:
        """A person is on the line."""

    def failed(self, case: Case, age: float) -> None:
        """A call ended without a person."""

    def ended(self, *, abandoned: bool) -> None:
        """A person who answered got an agent, or was abandoned."""

    def talked(self, seconds: float) -> None:
        """An agent's talk has ended."""

    def wrapped_up(self, seconds: float) -> None:
        """An agent's wrap-up has ended; 0 where there is none."""


class Predictive(Policy):
    """The worker's own pacing: it uses the worker's pilot, and needs no other reports.

    cases_differ: False treats all cases as alike, as if nothing were known about them.
    """

    def __init__(self, settings: PacingSettings, *, cases_differ: bool = True) -> None:
        self.pilot = Pilot(settings)
        self.reasons = Counter[str]()
        """The number of decisions by reason."""
        self._cases_differ = cases_differ

    def decide(self, sight: Sight) -> int:
        decided = self.pilot.look(sight if self._cases_differ else replace(sight, hand=()))
        if decided is None:
            return 0
        self.reasons[decided.reason] += 1
        return decided.quota

    def begun(self, case: Case, call: PacedCall, now: float) -> None:
        self.pilot.begun(call, paced(case) if self._cases_differ else None, now)
