"""The figures for one project's page, and those of the whole ledger."""

from __future__ import annotations

from datetime import datetime, timedelta

from worker.db.routines.base import Routines, columns, made, numbers
from worker.db.routines.instants import DatabaseClock
from worker.db.routines.projects import Projects
from worker.figures import (
    AgentFigures,
    HourFigures,
    LedgerTotals,
    OutcomeFigures,
    OutcomeMeans,
    PacingFigures,
    ProjectStatistics,
)


class Statistics(Routines):
    """Counts and means of what has been dialled."""

    def of_project(self, project_id: str) -> ProjectStatistics:
        """A project's figures: now and for the last day, by outcome, by hour and by agent; for a predictive project
        also its abandon target against the measured rate, otherwise None. Raises UnknownProject."""
        project = Projects(self._database).get(project_id)
        pacing = made(PacingFigures, self._database.query(_PACING, project=project_id))
        now = DatabaseClock(self._database).now()
        day_ago = now - timedelta(hours=24)
        return ProjectStatistics(
            project=project,
            pacing=pacing[0] if pacing else None,
            outcomes=made(OutcomeFigures, self._database.query(OUTCOMES, project=project_id, since=day_ago)),
            hours=self._hours(project_id, _hour(now) - timedelta(hours=23)),
            agents=made(AgentFigures, self._database.query(_AGENTS, project=project_id)),
        )

    def _hours(self, project_id: str, since: datetime) -> list[HourFigures]:
        """Hours from an instant on as in dialer_stat_hour, the latest first. The view itself would read everything that
        a project has ever called, as no index knows its hours."""

        def rate(part: int, whole: int) -> float | None:
            return part / whole if whole else None

        return [
            HourFigures(
                **numbers(row)
                | {
                    "hour_at": _hour(row["hour_at"]),
                    "abandon_rate": rate(row["abandoned"], row["connected"] + row["abandoned"]),
                    "answer_rate": rate(row["answered"], row["attempts"]),
                }
            )
            for row in self._database.query(HOURS, project=project_id, since=since)
        ]

    def totals(self) -> LedgerTotals:
        """Totals over all projects; reads the whole ledger."""
        row = self._database.query(
            "SELECT COUNT(DISTINCT case_id) AS dialled,"
            " COUNT(DISTINCT CASE WHEN answered_at IS NOT NULL THEN case_id END) AS answered,"
            " COUNT(CASE WHEN outcome = 'LOST' THEN 1 END) AS lost,"
            " COUNT(CASE WHEN ended_at IS NULL THEN 1 END) AS up"
            " FROM dialer_stat_attempt WHERE dialing_at IS NOT NULL OR ended_at IS NULL"
        )[0]
        return LedgerTotals(**row)

    def outcomes(self) -> list[OutcomeMeans]:
        """How the attempts of each project ended, the most frequent outcome first; reads the whole ledger."""
        rows = self._database.query(
            "SELECT project_id, outcome, COUNT(*) AS attempts,"
            " AVG(ring_seconds) AS ring_seconds, AVG(wait_seconds) AS wait_seconds, AVG(talk_seconds) AS talk_seconds"
            " FROM dialer_stat_attempt WHERE outcome IS NOT NULL"
            " GROUP BY project_id, outcome ORDER BY project_id DESC, COUNT(*) DESC"
        )
        return made(OutcomeMeans, rows)


_PACING = f"SELECT {columns(PacingFigures)} FROM dialer_stat_pacing WHERE project_id = :project"  # noqa: S608
# As dialer_stat_outcome; but the bound is a value, not a function, so PostgreSQL uses the index however long the ledger
# is.
OUTCOMES = """
    SELECT outcome, count(*) AS attempts, max(ended_at) AS last_at
    FROM dialer_attempts
    WHERE project_id = :project AND ended_at > :since
    GROUP BY outcome
    ORDER BY attempts DESC, outcome
"""
HOURS = """
    SELECT min(ended_at) AS hour_at,
        count(*) AS attempts,
        count(DISTINCT case_id) AS cases,
        count(answered_at) AS answered,
        count(CASE WHEN counts_as = 'connected' THEN 1 END) AS connected,
        count(CASE WHEN counts_as = 'abandoned' THEN 1 END) AS abandoned,
        avg(ring_seconds) AS ring_seconds,
        avg(wait_seconds) AS wait_seconds,
        avg(talk_seconds) AS talk_seconds,
        count(CASE WHEN outcome = 'LOST' THEN 1 END) AS lost,
        count(agent_at) AS talked,
        count(CASE WHEN outcome = 'ANSWERED' THEN played_at END) AS heard
    FROM dialer_attempts
    WHERE project_id = :project AND ended_at >= :since
    GROUP BY CAST(ended_at AS date), extract(HOUR FROM ended_at)
    ORDER BY hour_at DESC
"""
_AGENTS = """
    SELECT a.agent, a.name, a.state, a.since_at, a.calls, a.talk_seconds
    FROM dialer_stat_agent a
    JOIN dialer_rules r ON lower(r.queue) = lower(a.queue) AND r.asterisk = a.asterisk
    WHERE r.project_id = :project
    ORDER BY a.name
"""


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)
