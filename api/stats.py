"""The figures of a project, from the statistics views."""

from __future__ import annotations

from worker.db.routines.statistics import Statistics
from worker.figures import ProjectStatistics


def project_statistics(project_id: str, statistics: Statistics) -> ProjectStatistics:
    """`GET /projects/ID/stats`: totals, outcomes and hours of one project."""
    return statistics.of_project(project_id)
