"""The objects that the API asks, over projects in memory; no server."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import cast

from worker.db import Database
from worker.db.routines.base import Routines
from worker.db.routines.projects import Projects
from worker.db.routines.statistics import Statistics
from worker.db.routines.upkeep import Upkeep
from worker.errors import UnknownProject
from worker.figures import ProjectFigures, ProjectStatistics, ProjectStatus, Readiness

NO_DATABASE = cast(Database, None)
"""For objects that are played: nothing may ask it."""
STOPPED = ProjectStatus(
    project_id="sales",
    wanted="stop",
    state="stopped",
    reason=None,
    since_at=datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=3))),
    until_at=None,
    changed=False,
    calls_up=0,
)


class Installation:
    """A few projects; `fails` is raised by whatever is called."""

    def __init__(self) -> None:
        self.status = {name: replace(STOPPED, project_id=name) for name in ("sales", "a/b", "Ünïcode")}
        self.reasons: list[str] = []
        """What keeps the dialer from dialling."""
        self.fails: Exception | None = None
        self.asked: list[str] = []
        """The projects that somebody asked to start or stop, or for."""

    def stand_ins(self) -> list[Routines]:
        """What make_app takes instead of the real objects."""
        return [FakeProjects(self), FakeStatistics(self), FakeUpkeep(self)]

    def found(self, project_id: str) -> ProjectStatus:
        """The project as it is; raises UnknownProject."""
        self.asked.append(project_id)
        if self.fails:
            raise self.fails
        if project_id not in self.status:
            raise UnknownProject(project_id)
        return self.status[project_id]


class FakeProjects(Projects):
    def __init__(self, installation: Installation) -> None:
        super().__init__(NO_DATABASE)
        self._installation = installation

    def start(self, project_id: str) -> ProjectStatus:
        return self._set(project_id, "start", "running", 0)

    def stop(self, project_id: str) -> ProjectStatus:
        return self._set(project_id, "stop", "stopped", 3)

    def _set(self, project_id: str, wanted: str, state: str, calls_up: int) -> ProjectStatus:
        before = self._installation.found(project_id)
        after = replace(before, wanted=wanted, state=state, calls_up=calls_up, changed=before.wanted != wanted)
        self._installation.status[project_id] = after
        return after

    def all(self) -> list[ProjectFigures]:
        return [figures(self._installation.found(name)) for name in self._installation.status]

    def get(self, project_id: str) -> ProjectFigures:
        return figures(self._installation.found(project_id))


class FakeStatistics(Statistics):
    def __init__(self, installation: Installation) -> None:
        super().__init__(NO_DATABASE)
        self._installation = installation

    def of_project(self, project_id: str) -> ProjectStatistics:
        project = figures(self._installation.found(project_id))
        return ProjectStatistics(project, pacing=None, outcomes=[], hours=[], agents=[])


class FakeUpkeep(Upkeep):
    def __init__(self, installation: Installation) -> None:
        super().__init__(NO_DATABASE)
        self._installation = installation

    def readiness(self) -> Readiness:
        if self._installation.fails:
            raise self._installation.fails
        return Readiness(self._installation.reasons, ["trunk east on default: somebody holds its row"])


def figures(status: ProjectStatus) -> ProjectFigures:
    """What dialer_stat_project shows of a project that has dialled a little."""
    return ProjectFigures(
        project_id=status.project_id,
        type="progressive",
        wanted=status.wanted,
        state=status.state,
        reason=status.reason,
        since_at=status.since_at,
        until_at=status.until_at,
        cases_waiting=7,
        counted_at=None,
        claimed=0,
        calls_up=status.calls_up,
        ringing=0,
        waiting=0,
        talking=0,
        agents_free=0,
        agents_talking=0,
        agents_paused=0,
        agents=0,
        attempts=40,
        cases=40,
        answered=40,
        connected=39,
        abandoned=1,
        abandon_rate=0.025,
        answer_rate=1.0,
        ring_seconds=6.5,
        wait_seconds=None,
        talk_seconds=None,
        lost=0,
        talked=39,
        heard=0,
    )
