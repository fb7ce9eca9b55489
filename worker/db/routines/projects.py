"""Projects: starting and stopping them, their state, and what a worker finds out about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import column, insert, table

from worker.db.routines.base import Routines, columns, made, numbers, sentence
from worker.errors import StatementTimedOut, UnknownProject
from worker.figures import ProjectFigures, ProjectNeeds, ProjectStatus
from worker.model import Ownership, Work

_COUNT_SECONDS = 5.0


class Projects(Routines):
    """Projects, by the id that the DBA gave them."""

    # --- for people ----------------------------------------------------------------------------------------

    def start(self, project_id: str) -> ProjectStatus:
        """Start a project. Raises UnknownProject."""
        return self._status("dialer_project_start", project_id)

    def stop(self, project_id: str) -> ProjectStatus:
        """Stop a project; once this returns, no attempt begins. Raises UnknownProject."""
        return self._status("dialer_project_stop", project_id)

    def _status(self, routine: str, project_id: str) -> ProjectStatus:
        rows = self._database.call(routine, project_id)
        if not rows:
            raise UnknownProject(project_id)
        return ProjectStatus(**rows[0])

    def all(self) -> list[ProjectFigures]:
        """All projects as dialer_stat_project shows them, by id."""
        return made(ProjectFigures, self._database.query(f"{_FIGURES} ORDER BY project_id"))

    def get(self, project_id: str) -> ProjectFigures:
        """One project as dialer_stat_project shows it. Raises UnknownProject."""
        rows = self._database.query(f"{_FIGURES} WHERE project_id = :project", project=project_id)
        if not rows:
            raise UnknownProject(project_id)
        return made(ProjectFigures, rows)[0]

    def wanted(self) -> list[str]:
        """The ids of the projects that were asked to run."""
        rows = self._database.query("SELECT project_id FROM dialer_projects WHERE wanted = 'start' ORDER BY project_id")
        return [str(row["project_id"]) for row in rows]

    def needs(self) -> list[ProjectNeeds]:
        """All projects, with what each needs from its Asterisk."""
        rows = self._database.query(
            "SELECT r.project_id, r.type, r.asterisk, r.queue, r.context, r.exten, p.wanted, r.key_repeat,"
            " r.key_agent, r.key_opt_out FROM dialer_rules r"
            " LEFT JOIN dialer_projects p ON p.project_id = r.project_id ORDER BY r.project_id"
        )
        return [ProjectNeeds(**{**row, "wanted": row["wanted"] == "start"}) for row in rows]

    def insert(self, projects: Sequence[Mapping[str, Any]]) -> None:
        """Insert projects as a DBA would, in one transaction: columns of dialer_params by name, the same in each; at
        least one project."""
        # SQLAlchemy writes this statement, since it knows where `lines` is a reserved word.
        light = table("dialer_params", *map(column, projects[0]))
        self._database.run(lambda connection: connection.execute(insert(light), [dict(one) for one in projects]))

    # --- for workers ---------------------------------------------------------------------------------------

    def work(self, asterisk: str) -> list[Work]:
        """The projects that may be dialled on an Asterisk."""
        rows = self._database.call("dialer_work", asterisk)
        return [Work(**{**numbers(row), "amd": bool(row["amd"]), "unfit": bool(row["unfit"])}) for row in rows]

    def report(
        self,
        owner: Ownership,
        project_id: str,
        reason: str | None,
        now: datetime | None,
        *,
        timeout_seconds: float | None = None,
    ) -> None:
        """Report why a project cannot be dialled on an Asterisk (a sentence), or that it can (None)."""
        self._database.call(
            "dialer_project_report",
            owner.worker_id,
            owner.asterisk,
            owner.epoch,
            project_id,
            sentence(reason),
            now,
            timeout_seconds=timeout_seconds,
        )

    def count_waiting(self, project_id: str, now: datetime | None) -> None:
        """Count the waiting cases for readers; if that takes too long, they keep the previous count."""
        with suppress(StatementTimedOut):
            self._database.call("dialer_project_count", project_id, now, timeout_seconds=_COUNT_SECONDS)


_FIGURES = f"SELECT {columns(ProjectFigures)} FROM dialer_stat_project"  # noqa: S608 - names of ours
