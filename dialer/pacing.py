"""`dialer pacing replay`: decide again what the pacing journal has recorded.

What this program decides on the same observations is set beside what was decided then: after an update, or for a
supervisor who asks why so few calls were made at ten past nine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from worker.config import DatabaseSettings
from worker.db import Database, procedures
from worker.errors import DialerError
from worker.pacing.journal import Entry, decode, replay
from worker.pacing.predictive import Decision

SHOWN = 20
"""Decisions that differ and are printed; the others are counted."""


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
    for text in procedures.journal(database, project_id, hours):
        try:
            yield decode(text)
        except ValueError as error:
            raise DialerError(f"the pacing journal of project {project_id!r} cannot be read: {error}") from error
