"""`dialer pacing`: what predictive mode has decided, and how a team would do with it.

replay: decides again on the observations recorded in the pacing journal, and compares with the decisions made then:
after an update, or for a supervisor who asks why so few calls were made at ten past nine.

day: a simulated day of a team, dialled by the same pacing, and one dialled progressively for comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log

from simulator.day import Day, Figures
from simulator.policies import Policy, Predictive
from simulator.scenario import Scenario, call_centre, fixed, lognormal
from worker.config import DatabaseSettings
from worker.db import Database
from worker.db.routines.pacing import Pacing
from worker.errors import DialerError, Mistake, SettingsError
from worker.pacing.journal import Entry, decode, replay
from worker.pacing.observed import Observation
from worker.pacing.predictive import Decision
from worker.pacing.settings import PacingSettings

SHOWN = 20
"""The most differing decisions to print; the others are only counted."""


class NothingRecordedError(DialerError):
    """There is nothing to replay."""


@dataclass
class _Report:
    decisions: int = 0
    quota: int = 0
    """Calls that this program would have begun, …"""
    recorded: int = 0
    """… and calls that were wanted then."""
    differing: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, entry: Entry, decision: Decision) -> None:
        """Count one decision."""
        self.decisions += 1
        self.quota += decision.quota
        self.recorded += entry.quota
        self.reasons[decision.reason] += 1
        if decision.quota != entry.quota:
            self.differing.append(
                f"at {entry.observation.now:.2f} s of the worker's clock: {decision.quota} now, {entry.quota} then"
                f" ({len(entry.observation.agents)} agents, {entry.observation.free} free,"
                f" {len(entry.observation.calls)} calls in flight; {decision.reason})"
            )


def replay_journal(settings: DatabaseSettings, project_id: str, hours: float) -> int:
    """Replay a project's decisions of the last `hours` hours; prints, and returns 0 when all were the same, else 1.

    Raises NothingRecordedError, DatabaseUnavailable.
    """
    database = Database(settings)
    try:
        database.require_head()
        report = _Report()
        for entry, decision in replay(_entries(database, project_id, hours)):
            report.add(entry, decision)
    finally:
        database.dispose()
    if not report.decisions:
        raise NothingRecordedError(
            f"the pacing journal has nothing to replay of project {project_id!r} in the last {hours:g} hours: name a"
            " predictive project that was dialled meanwhile, or give --hours (whole states are recorded every half"
            " hour; a replay begins with one)"
        )
    print(f"{report.decisions} decisions of project {project_id}: {report.quota} calls, {report.recorded} then")
    for reason, count in report.reasons.most_common():
        print(f"  {count:8} {reason}")
    if not report.differing:
        print("every decision is the same as then")
        return 0
    print(f"{len(report.differing)} decisions differ:")
    for line in report.differing[:SHOWN]:
        print(f"  {line}")
    return 1


def _entries(database: Database, project_id: str, hours: float) -> Iterator[Entry]:
    for text in Pacing(database).journal(project_id, hours):
        try:
            yield decode(text)
        except ValueError as error:
            raise DialerError(f"the pacing journal of project {project_id!r} cannot be read: {error}") from error


_SIGMA = log(2) ** 0.5
"""Standard deviation of the logarithm of talk times, if their own standard deviation equals their mean."""


@dataclass(frozen=True)
class Wished:
    """The day to simulate. answer_rate: 0..1; target: per cent. Raises SettingsError if it cannot be simulated."""

    agents: int
    answer_rate: float
    hours: float
    talk_seconds: float
    wrap_up_seconds: int
    target: float
    seed: int

    def __post_init__(self) -> None:
        options = (
            ("--agents", self.agents, 1, 1000),
            ("--answer-rate", self.answer_rate, 0.01, 1),
            ("--hours", self.hours, 0.1, 24),
            ("--talk", self.talk_seconds, 1, 36_000),
            ("--wrap-up", self.wrap_up_seconds, 0, 3600),
            ("--target", self.target, 0.1, 100),
        )
        mistakes = [
            Mistake(name, f"{value:g} is out of range", f"Give a number from {least:g} to {most:g}.")
            for name, value, least, most in options
            if not least <= value <= most
        ]
        if mistakes:
            raise SettingsError(mistakes)

    def scenario(self) -> Scenario:
        """Its call centre, with agents whose phones answer automatically."""
        return call_centre(
            agents=self.agents,
            answer_rate=self.answer_rate,
            pick_up=fixed(0.2),
            talk=lognormal(self.talk_seconds / 2**0.5, _SIGMA),
            wrapuptime=self.wrap_up_seconds,
        )

    def play(self, policy: Policy) -> Figures:
        """The result of the day, dialled with that policy."""
        return Day(self.scenario(), policy, self.hours * 3600, self.seed).run()


class _Progressive(Policy):
    def quota(self, seen: Observation) -> int:
        return max(0, seen.spare)


def simulate_day(wished: Wished) -> int:
    """Print the figures of a simulated day that begins with nothing learned; returns 0."""
    ours = Predictive(PacingSettings(abandon_target=wished.target / 100))
    print(f"{wished.agents} agents, answer rate {wished.answer_rate:g}, {wished.hours:g} hours, seed {wished.seed}:")
    for name, policy in (("progressive", _Progressive()), ("predictive", ours)):
        found = wished.play(policy)
        print(
            f"  {name:11} {found.utilisation:6.1%} of the time talking, {found.connected} connected,"
            f" {found.abandoned} abandoned ({found.rate:.2%}), {found.dialled} calls"
        )
    decisions = sum(ours.reasons.values())
    print(f"{decisions} predictive decisions:")
    for reason, count in Counter(ours.reasons).most_common():
        print(f"  {count / decisions:6.1%}  {reason}")
    return 0
